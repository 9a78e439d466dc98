import { describe, expect, it } from 'vitest'
import { anonymous, as, secret } from '../define.ts'

describe('notes', () => {
  it('are seen by whose they are, and by nobody else', async () => {
    const alice = as({ sub: 'alice' })
    const { data } = await alice.from('notes').select('owner')
    expect(data).toEqual([{ owner: 'alice' }, { owner: 'alice' }])
    expect((await anonymous.from('notes').select()).status).toBe(401)
  })

  it('are written in one’s own name only', async () => {
    const carol = as({ sub: 'carol' })
    expect((await carol.from('notes').insert({ owner: 'carol', body: 'mine' })).status).toBe(201)
    expect((await carol.from('notes').insert({ owner: 'alice', body: 'not mine' })).status).toBe(403)
    await secret.from('notes').delete().eq('owner', 'carol')
  })
})
