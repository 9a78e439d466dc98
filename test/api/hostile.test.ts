import { describe, expect, it } from 'vitest'
import { call, get } from '../support/worker-client.ts'

interface Body {
  readonly code: string
  readonly message: string
}

async function refused(path: string, headers: Record<string, string> = {}) {
  const response = await get(path, headers)
  const text = await response.text()
  const body = JSON.parse(text) as Body
  expect(Object.keys(body).sort()).toEqual(['code', 'details', 'hint', 'message'])
  expect(text).not.toMatch(/\bat .*\.ts:|node_modules|D1_ERROR|SQLITE_/)
  return { status: response.status, code: body.code, bytes: text.length }
}

describe('what cannot be answered', () => {
  it.each([
    ['/rest/v1/nothing', 404, 'PGRST205'],
    ['/rest/v1/a/b/c', 404, 'PGRST125'],
    ['/elsewhere', 404, 'PGRST125'],
    ['/rest/v1/albums?nope=eq.1', 400, '42703'],
    ['/rest/v1/albums?select=nope', 400, '42703'],
    ['/rest/v1/albums?order=nope', 400, '42703'],
    ['/rest/v1/albums?id=foo.1', 400, 'PGRST100'],
    ['/rest/v1/albums?id=eq.abc', 400, '22P02'],
    ['/rest/v1/albums?id=in.(1,x)', 400, '22P02'],
    ['/rest/v1/albums?id=in.1', 400, 'PGRST100'],
    ['/rest/v1/albums?id=is.maybe', 400, 'PGRST100'],
    ['/rest/v1/albums?title=is.true', 404, '42883'],
    ['/rest/v1/albums?select=title::money', 400, '42704'],
    ['/rest/v1/albums?select=title,', 400, 'PGRST100'],
    ['/rest/v1/albums?select=artists(', 400, 'PGRST100'],
    ['/rest/v1/albums?or=(id.eq.1', 400, 'PGRST100'],
    ['/rest/v1/albums?artists.name=eq.x', 400, 'PGRST108'],
    ['/rest/v1/artists?select=id,albums(id)&order=albums(title)', 400, 'PGRST118'],
    ['/rest/v1/albums?title=match.^(a%2Bb)', 400, 'PGRST127'],
    ['/rest/v1/albums?title=sl.(1,2)', 404, '42883'],
    ['/rest/v1/albums?title=cs.{a}', 404, '42883'],
    [`/rest/v1/albums?title=like.${'a*b'.repeat(30)}`, 400, '54000'],
    ['/rest/v1/albums?select=title::constructor', 400, '42704'],
    ['/rest/v1/albums?select=title::__proto__', 400, '42704'],
    ['/rest/v1/constructor', 404, 'PGRST205'],
    ['/rest/v1/rpc/constructor', 404, 'PGRST202'],
    ['/rest/v1/rpc/toString?a=1', 404, 'PGRST202'],
    ['/rest/v1/rpc/best_sellers?select=id&constructor=1', 404, 'PGRST202'],
    ['/rest/v1/albums?title=match.a|', 400, 'PGRST127'],
    [`/rest/v1/albums?select=${'artists('.repeat(60)}`, 400, 'PGRST100'],
    [`/rest/v1/albums?and=${'(and'.repeat(60)}(id.eq.1)${')'.repeat(60)}`, 400, 'PGRST100'],
    [`/rest/v1/artists?select=${'albums(artists('.repeat(19)}id${'))'.repeat(19)}`, 400, 'BOUND003'],
  ])('%s', async (path, status, code) => {
    expect(await refused(path)).toMatchObject({ status, code })
  })

  it('is refused by names that every JavaScript object has', async () => {
    const response = await get('/rest/v1/albums?limit=1', { Prefer: 'constructor=x, __proto__=y' })
    expect(response.status).toBe(200)
    expect((await get('/rest/v1/albums', { Prefer: 'handling=strict, constructor=x' })).status).toBe(400)
  })

  it('is refused by Accept and profile', async () => {
    expect(await refused('/rest/v1/albums', { Accept: 'image/png' })).toMatchObject({
      status: 406,
      code: 'PGRST107',
    })
    expect(await refused('/rest/v1/albums', { 'Accept-Profile': 'private' })).toMatchObject({
      status: 406,
      code: 'PGRST106',
    })
  })
})

describe('what is large', () => {
  it('is answered when the database can: a thousand conditions, and more operands than it binds', async () => {
    const or = Array.from({ length: 1000 }, (_, i) => `id.eq.${i}`).join(',')
    expect((await get(`/rest/v1/albums?select=id&or=(${or})`)).status).toBe(200)
    const filters = Array.from({ length: 150 }, (_, i) => `id=neq.${i}`).join('&')
    const response = await get(`/rest/v1/albums?select=id&${filters}&order=id&limit=1`)
    expect(await response.json()).toEqual([{ id: 150 }])
  })

  it('is read in one pass, however often a quote could begin', async () => {
    for (const path of [
      `/rest/v1/albums?or=(title.in.(${'"a",'.repeat(20_000)}`,
      `/rest/v1/albums?title=in.(${'"a",'.repeat(20_000)}`,
      `/rest/v1/albums?id=eq(any).{${' '.repeat(50_000)}"}`,
      `/rest/v1/albums?or=(title.eq."${'\\\\"'.repeat(20_000)}`,
      `/rest/v1/albums?title=match.${'[a'.repeat(20_000)}`,
      `/rest/v1/tracks?name=fts.${'(a|'.repeat(20_000)}`,
      `/rest/v1/tracks?name=wfts.${'"a '.repeat(20_000)}`,
    ]) {
      const response = await get(path)
      expect(response.status, path.slice(0, 60)).toBeLessThan(500)
    }
  })

  it('gets a short, clear answer at two megabytes of nesting, lists and names', async () => {
    for (const path of [
      `/rest/v1/albums?select=${'artists('.repeat(250_000)}`,
      `/rest/v1/albums?or=${'(or'.repeat(600_000)}`,
      `/rest/v1/albums?${'x'.repeat(2_000_000)}=eq.1`,
      `/rest/v1/albums?select=${'id,'.repeat(600_000)}`,
      `/rest/v1/${'a'.repeat(500_000)}`,
    ]) {
      const { status, bytes } = await refused(path)
      expect(status).toBeGreaterThanOrEqual(400)
      expect(status).toBeLessThan(500)
      expect(bytes).toBeLessThan(2000)
    }
  })
})

describe('SQL in every place that takes a name or value', () => {
  const attacks = [
    "' OR 1=1 --",
    '" OR 1=1 --',
    "'); DROP TABLE genres; --",
    '`',
    '\u0000',
    '?1',
    "x' UNION SELECT 1 --",
  ]
  it.each(attacks)('stays text: %j', async (attack) => {
    const text = encodeURIComponent(attack)
    for (const path of [
      `/rest/v1/${text}`,
      `/rest/v1/genres?name=eq.${text}`,
      `/rest/v1/genres?name=in.(${text})`,
      `/rest/v1/genres?name=like.${text}`,
      `/rest/v1/genres?select=${text}`,
      `/rest/v1/genres?select=${encodeURIComponent(`"${attack.replaceAll('"', '\\"')}":name`)}`,
      `/rest/v1/genres?select=name->${text}`,
      `/rest/v1/genres?order=${text}`,
      `/rest/v1/genres?${text}=eq.1`,
      `/rest/v1/genres?or=(name.eq.${text})`,
      `/rest/v1/genres?limit=${text}`,
    ]) {
      const response = await get(path)
      expect(response.status, path).toBeLessThan(500)
      const body = await response.text()
      if (response.status === 200 && path.includes('name=')) expect(body).toBe('[]')
    }
    expect((await get('/rest/v1/genres', { Prefer: 'count=exact' })).headers.get('content-range')).toBe(
      '0-9/10',
    )
  })

  it.each(attacks.filter((attack) => !attack.includes('\u0000')))(
    'stays text when it is written: %j',
    async (attack) => {
      const write = (body: object, path = 'genres?select=name') =>
        call(`/rest/v1/${path}`, {
          method: 'POST',
          headers: { Prefer: 'return=representation,tx=rollback', 'Content-Type': 'application/json' },
          body: JSON.stringify(body),
        })
      expect(await (await write({ name: attack })).json()).toEqual([{ name: attack }])
      expect((await write({ [attack]: 1 })).status).toBe(400)
      // Undone writes have their operands written into statements, so these go through quoting of their own.
      const embedded = await write(
        { title: 't', artist_id: 1 },
        `albums?select=title,artists(id)&artists.name=eq.${encodeURIComponent(attack)}`,
      )
      expect(await embedded.json()).toEqual([{ title: 't', artists: null }])
      const renamed = await write(
        { name: 'n' },
        `genres?select=${encodeURIComponent(`"${attack.replace(/[\\"]/g, '\\$&')}":name`)}`,
      )
      expect(await renamed.json()).toEqual([{ [attack]: 'n' }])
    },
  )
})
