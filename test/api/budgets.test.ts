import { describe, expect, it } from 'vitest'
import { askMany, askOver, databases } from '../support/one-and-many.ts'
import { call, get, publishableKey, secretKey } from '../support/worker-client.ts'

interface Refusal {
  readonly code: string
  readonly hint: string
  readonly details: { readonly bound: string; readonly asked: number | null; readonly allowed: number }
}

async function refused(response: Response) {
  const { code, details, hint } = await response.json<Refusal>()
  expect(hint.length).toBeGreaterThan(10)
  return [response.status, code, details.bound, details.asked, details.allowed]
}

const asked = (path: string, key = publishableKey) => get(`/rest/v1/${path}`, {}, key).then(refused)
const repeat = (times: number, text: (i: number) => string, between = ',') =>
  Array.from({ length: times }, (_, i) => text(i)).join(between)

describe('what one request may ask', () => {
  it('ends where a path of many rows comes back twice, though every level filters', async () => {
    const path = `playlists?select=id,tracks!inner(id,playlists!inner(id,tracks!inner(id,playlists!inner(id))))`
    const filter = '&tracks.playlists.tracks.playlists.name=eq.nothing'
    expect(await asked(path + filter)).toEqual([400, 'BOUND004', 'returns', 3, 1])
    const hidden = 'playlists?select=id,tracks!inner(playlists!inner(tracks!inner()))'
    expect(await asked(hidden)).toEqual([400, 'BOUND004', 'returns', 2, 1])
    expect(
      (
        await get(
          '/rest/v1/playlists?select=id,tracks(id,playlists(id))&limit=1&tracks.limit=1',
          {},
          publishableKey,
        )
      ).status,
    ).toBe(200)
  })

  it.each<[string, string, unknown[]]>([
    ['queryLength', `artists?name=eq.${'x'.repeat(17_000)}`, [414, 'BOUND001']],
    ['embeds', `tracks?select=id,${repeat(21, (i) => `a${i}:albums(id)`)}`, [400, 'BOUND002']],
    [
      'subqueries',
      `artists?select=albums(id)&or=(${repeat(61, () => 'albums.not.is.null')})`,
      [400, 'BOUND005'],
    ],
    ['columns', `tracks?select=${repeat(201, (i) => `x${i}:minutes`)}`, [400, 'BOUND006']],
    ['filters', `tracks?${repeat(101, (i) => `id=neq.${i}`, '&')}`, [400, 'BOUND007']],
    ['logicLevels', `tracks?and=${'(and'.repeat(11)}(id.eq.1)${')'.repeat(11)}`, [400, 'BOUND008']],
    ['operandLength', `artists?name=eq.${'x'.repeat(9000)}`, [400, 'BOUND009']],
    ['listItems', `tracks?id=in.(${repeat(5001, () => '1')})`, [400, 'BOUND010']],
    ['jsonLevels', `tracks?name=eq.${'{"a":'.repeat(25)}1${'}'.repeat(25)}`, [400, 'BOUND011']],
    ['elements', `tracks?id=eq(any).{${repeat(201, () => '1')}}`, [400, 'BOUND012']],
    ['offset', 'tracks?offset=100001', [400, 'BOUND014']],
  ])('is bounded by %s', async (bound, path, expected) => {
    const [status, code, name] = await asked(path)
    expect([status, code, name]).toEqual([...expected, bound])
    // The secret key has wider bounds.
    const other = (await (await get(`/rest/v1/${path}`, {}, secretKey)).json<{ code?: string }>()).code
    expect(other).not.toBe(code)
  })

  it('counts a list as it is read, whatever commas its quotes hide', async () => {
    const list = `"${','.repeat(5000)}"`
    expect((await get(`/rest/v1/artists?name=in.(${list})`, {}, publishableKey)).status).toBe(200)
  })

  it('is configured by role; roles of the app have that of authenticated', async () => {
    const budgets = { service_role: { toManyLevels: 1 } }
    const ask = askOver(databases, { budgets })
    expect(await refused(await ask('artists?select=albums(tracks(id))'))).toEqual([
      400,
      'BOUND003',
      'toManyLevels',
      2,
      1,
    ])
    expect((await ask('artists?select=albums(id)&limit=1')).status).toBe(200)
  })
})

describe('what a body may hold', () => {
  const post = (path: string, body: string, type = 'application/json') =>
    call(`/rest/v1/${path}`, {
      method: 'POST',
      body,
      headers: { 'Content-Type': type, Prefer: 'tx=rollback' },
    })

  it('is bounded in rows, values and bytes before it is parsed', async () => {
    const budgets = { service_role: { bodyRows: 3, bodyValues: 20, bodyBytes: 400 } }
    const ask = askOver(databases, { budgets })
    const send = (body: string, type = 'application/json') =>
      ask('genres', { method: 'POST', body, headers: { 'Content-Type': type, Prefer: 'tx=rollback' } })
    expect(await refused(await send(`[${repeat(4, (i) => `{"name":"g,${i}"}`)}]`))).toEqual([
      413,
      'BOUND016',
      'bodyRows',
      4,
      3,
    ])
    expect(await refused(await send(`{"name":[${repeat(30, () => '1')}]}`))).toEqual([
      413,
      'BOUND017',
      'bodyValues',
      32,
      20,
    ])
    expect(await refused(await send(`{"name":"${'x'.repeat(500)}"}`))).toEqual([
      413,
      'BOUND018',
      'bodyBytes',
      null,
      400,
    ])
    expect((await refused(await send('name\na\nb\nc\nd\n', 'text/csv'))).slice(0, 3)).toEqual([
      413,
      'BOUND016',
      'bodyRows',
    ])
    expect((await send(`[{"name":"[{,},{,},{,},{,}] \\" ,,,,,,,,"}]`)).status).toBe(201)
  })

  it('keeps the digits of long numbers, and refuses what is no JSON', async () => {
    for (const body of ['{12345678901234567:1}', '[{"id":012345678901234567}]']) {
      expect((await post('genres', body)).status).toBe(400)
    }
  })
})

describe('what an answer may hold', () => {
  it('is bounded in bytes, in one text, row by row and over several databases', async () => {
    const ask = askOver(databases, { budgets: { service_role: { answerBytes: 2000 } } })
    for (const accept of ['application/json', 'text/csv']) {
      const headers = { Accept: accept }
      const few = await ask('tracks?select=id,name&limit=10', { headers })
      expect(few.status).toBe(200)
      expect((await refused(await ask('tracks?select=id,name', { headers }))).slice(0, 3)).toEqual([
        413,
        'BOUND013',
        'answerBytes',
      ])
      expect((await refused(await ask('invoice_items?select=*', { headers }))).slice(0, 3)).toEqual([
        413,
        'BOUND013',
        'answerBytes',
      ])
    }
    // Each database has more than the answer may have, and the answer has not.
    expect((await ask('invoice_items?select=id&limit=40&offset=20')).status).toBe(200)
  })

  it('is bounded in the groups of several databases, unless their first ones are enough', async () => {
    const ask = askOver(databases, { budgets: { service_role: { mergedRows: 20 } } })
    expect((await refused(await ask('invoice_items?select=track_id,count()'))).slice(0, 3)).toEqual([
      413,
      'BOUND015',
      'mergedRows',
    ])
    const first = await ask('invoice_items?select=track_id,count()&limit=5')
    const all = await askMany('invoice_items?select=track_id,count()')
    expect(await first.json()).toEqual((await all.json<unknown[]>()).slice(0, 5))
    const last = await ask('invoice_items?select=track_id,count()&order=track_id.desc&limit=5')
    expect(await last.json()).toEqual(
      (
        await (await askMany('invoice_items?select=track_id,count()&order=track_id.desc')).json<unknown[]>()
      ).slice(0, 5),
    )
  })

  it('begins as deep as it may in rows of several databases, with the rows that one would give', async () => {
    const all = await (await askMany('invoice_items?select=id,unit_price&order=unit_price.desc,id')).json<
      unknown[]
    >()
    expect(all.length).toBeGreaterThan(2000)
    for (const offset of [1000, 1999, all.length - 3, all.length, 50_000]) {
      const response = await askMany(
        `invoice_items?select=id,unit_price&order=unit_price.desc,id&limit=7&offset=${offset}`,
      )
      expect(await response.json(), String(offset)).toEqual(all.slice(offset, offset + 7))
    }
    // So many before the end of the range that samples are taken.
    const wide = await askMany(
      'invoice_items?select=id,unit_price&order=unit_price.desc,id&limit=4000&offset=1500',
    )
    expect(await wide.json()).toEqual(all.slice(1500))
    const counted = await askMany('invoice_items?select=id&limit=2&offset=1200', {
      headers: { Prefer: 'count=exact' },
    })
    expect(counted.headers.get('content-range')).toBe(`1200-1201/${all.length}`)
  })
})
