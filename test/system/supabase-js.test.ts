import { createClient } from '@supabase/supabase-js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { publishableKey, secretKey, startTestServer, type TestServer } from '../support/local-server.ts'

let server: TestServer
beforeAll(async () => {
  server = await startTestServer()
})
afterAll(() => server.stop())

const client = (key = secretKey) => createClient(server.address, key, { auth: { persistSession: false } })

describe('supabase-js', () => {
  it('reads rows with embedded resources', async () => {
    const { data, error } = await client(publishableKey)
      .from('albums')
      .select('title, artists(name)')
      .order('id')
      .limit(3)
    expect(error).toBeNull()
    expect(data).toHaveLength(3)
    expect(data?.[0]).toEqual({ title: expect.any(String), artists: { name: expect.any(String) } })
  })

  it('counts, pages and reads one row', async () => {
    const counted = await client().from('tracks').select('id', { count: 'exact' }).range(10, 19)
    expect([counted.count, counted.data?.length]).toEqual([2400, 10])
    const head = await client().from('tracks').select('*', { count: 'exact', head: true })
    expect([head.count, head.data]).toEqual([2400, null])
    const single = await client().from('genres').select().eq('id', 3).single()
    expect(single.data).toEqual({ id: 3, name: 'Metal' })
    const none = await client().from('genres').select().eq('id', 0).maybeSingle()
    expect([none.data, none.error]).toEqual([null, null])
  })

  it('is told what is wrong', async () => {
    const { data, error, status } = await client(publishableKey).from('invoices').select()
    expect([data, error?.code, status]).toEqual([null, '42501', 401])
  })
})
