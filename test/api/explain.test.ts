/** `application/vnd.pgrst.plan`: how a read is carried out, for those who may ask. */
import { PostgrestClient } from '@supabase/postgrest-js'
import { describe, expect, it } from 'vitest'
import { askOver, databases } from '../support/one-and-many.ts'
import { publishableKey } from '../support/worker-client.ts'

const keys = { ATOLL_PUBLISHABLE_KEY: publishableKey }
const askMany = askOver({ ...databases, ...keys })
const askOpen = askOver({ ...databases, ...keys }, { explain: ['anon'] })
const plan = (options = '', format = 'json') => ({
  Accept: `application/vnd.pgrst.plan+${format}; for="application/json"; options=${options}`,
})

interface Explained {
  readonly Plan: {
    readonly 'Node Type': string
    readonly Databases: readonly string[]
    readonly Statement?: string
    readonly Plans: readonly { readonly 'Node Type': string }[]
  }
  readonly 'Rows Read'?: number
  readonly 'Actual Rows'?: number
}
const read = async (path: string, options = '') =>
  (await (await askMany(path, { headers: plan(options) })).json()) as Explained[]

describe('how a read is carried out', () => {
  it('is told by steps, on the databases that it asks', async () => {
    const [by = null] = await read('albums?id=eq.1&select=title,artists(name)')
    expect(by?.Plan.Databases).toEqual(['DB'])
    expect(JSON.stringify(by?.Plan.Plans)).toMatch(/SEARCH .* USING INTEGER PRIMARY KEY \(rowid=\?\)/)
    expect(by).not.toHaveProperty('Rows Read')
    expect(by?.Plan).not.toHaveProperty('Statement')
    const [all = null] = await read('customers?order=last_name&limit=3')
    expect(all?.Plan.Databases.toSorted()).toEqual(['DB', 'SHARD_1', 'SHARD_2', 'SHARD_3'])
    const brought = await read('tracks?id=lt.4&select=name,invoice_items(quantity)', 'verbose')
    expect(brought.map(({ Plan }) => Plan['Node Type'])).toEqual([
      'Rows',
      'Rows of invoice_items, brought together',
    ])
    expect(brought[1]?.Plan.Statement).toContain('"invoice_items"')
  })

  it('is measured when that is asked, and only then carried out', async () => {
    const [measured = null] = await read('genres?id=lte.5', 'analyze')
    expect(measured?.['Actual Rows']).toBe(5)
    expect(measured?.['Rows Read']).toBeGreaterThanOrEqual(5)
  })

  it('is told as text by default, with the media type that it stands for', async () => {
    const answer = await askMany('genres?id=eq.1', { headers: { Accept: 'application/vnd.pgrst.plan' } })
    expect(answer.headers.get('content-type')).toBe(
      'application/vnd.pgrst.plan+text; for="application/json"; charset=utf-8',
    )
    expect(await answer.text()).toMatch(/^Rows on DB\n {2}-> {2}/)
    const csv = await askMany('genres', {
      headers: { Accept: 'application/vnd.pgrst.plan+json; for="text/csv"' },
    })
    expect(csv.headers.get('content-type')).toContain('for="text/csv"')
    const none = await askMany('genres', {
      headers: { Accept: 'application/vnd.pgrst.plan+json; for="image/png"' },
    })
    expect(none.status).toBe(406)
  })

  it('is for the secret key, and for roles that the app names', async () => {
    const init = { headers: { ...plan(), apikey: publishableKey } }
    expect((await askMany('genres', init)).status).toBe(406)
    expect((await askOpen('genres', init)).status).toBe(200)
    // What they may not read, they may not have explained.
    expect((await askOpen('invoices', init)).status).toBe(401)
  })

  it('of a write is refused, and nothing is written', async () => {
    const answer = await askMany('genres?id=eq.1', { method: 'DELETE', headers: plan() })
    expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([400, 'PGRST127'])
    expect(await (await askMany('genres?id=eq.1&select=id')).json()).toEqual([{ id: 1 }])
  })

  it('is what explain() of supabase-js asks for', async () => {
    const client = new PostgrestClient('http://atoll.test/rest/v1', {
      fetch: ((url: string, init: RequestInit) =>
        askMany(url.slice('http://atoll.test/rest/v1/'.length), init)) as never,
    })
    const { data, error } = await client
      .from('genres')
      .select()
      .eq('id', 1)
      .explain({ format: 'json', analyze: true })
    expect([error, (data as unknown as Explained[])[0]?.['Actual Rows']]).toEqual([null, 1])
    const text = await client.from('genres').select().explain()
    expect(text.data).toMatch(/^Rows on DB/)
  })
})
