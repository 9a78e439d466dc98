import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import { Rights } from '../../functions/access/rights.ts'
import { defaultConfig } from '../../functions/areas.ts'
import { serviceCaller } from '../../functions/core/caller.ts'
import { canonicalRequest } from '../../functions/rest/ask/canonical-request.ts'
import { canonicalAccept } from '../../functions/rest/ask/media.ts'
import { parseRequest } from '../../functions/rest/ask/parse-request.ts'
import { headersOf, parametersOf } from '../../functions/rest/ask/raw-request.ts'
import { shapeOf } from '../../functions/rest/ask/shape.ts'
import { cacheKey } from '../../functions/rest/execute/execute-cached.ts'
import tables from '../fixture-app/db/app/tables.ts'
import { get, secretKey } from '../support/worker-client.ts'

const catalog = buildCatalog(tables)
const seed = Date.now() % 1_000_000

interface Spelled {
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
}

/** As the pipeline makes it. */
function keyOf({ path, headers }: Spelled): string {
  const raw = new Request(`http://atoll.test/rest/v1/${path}`, { headers })
  const url = new URL(raw.url)
  const own = headersOf(raw, 'public')
  const table = path.split('?')[0] as string
  const shape = shapeOf(table, parametersOf(url), { ...own, accept: canonicalAccept(own.accept) })
  const request = parseRequest(
    table,
    shape.parameters,
    { ...own, accept: canonicalAccept(own.accept) },
    defaultConfig,
  )
  return cacheKey(
    '[]',
    canonicalRequest(request, 'public'),
    shape.operands,
    new Rights(catalog, serviceCaller),
  )
}

/** What the databases answer. */
async function answerTo({ path, headers }: Spelled) {
  const response = await get(`/rest/v1/${path}`, { ...headers, 'Cache-Control': 'no-store' })
  const of = (name: string) => response.headers.get(name)
  return [response.status, of('content-type'), of('content-range'), of('etag'), await response.text()]
}

const json: Record<string, string>[] = [
  {},
  { Accept: '*/*' },
  { Accept: 'application/json' },
  { Accept: 'application/json;a=1' },
  { Accept: 'application/json;a=2' },
  { Accept: 'application/json, text/plain, */*' },
  { Accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8' },
]
const others: Record<string, string>[] = [
  { Accept: 'text/csv' },
  { Accept: 'application/vnd.pgrst.object+json' },
  { Accept: 'application/vnd.pgrst.array+json;nulls=stripped' },
  { Prefer: 'count=exact' },
  { Prefer: 'timezone=Asia/Tokyo' },
  { Range: '0-' },
  { Range: '1-2' },
]

/** Few words, so that different texts often mean the same, and often almost. */
const pieces = fc.subarray(
  [
    'select=*',
    'select=',
    'select=id,title',
    'select=title,id',
    'select=id:id,title',
    'select=id,tracks(id)',
    'select=id,t:tracks(id,name)',
    'select=id,tracks!inner(id)',
    'select=id,tracks!left(id)',
    'id=lt.9',
    'id=lt.8',
    'id=gte.2',
    'id=neq.3',
    'id=neq.4',
    'not.or=(id.eq.3,id.eq.4)',
    'title=like.B*',
    'order=id',
    'order=id.asc.nullslast',
    'order=id.desc',
    'order=title,id',
    'tracks.order=name',
    'tracks.order=id.desc',
    't.order=id',
    'tracks.limit=1',
    't.limit=2',
    'tracks.id=gt.5',
    'limit=4',
    'limit=3',
    'offset=0',
    'offset=1',
  ],
  { minLength: 1, maxLength: 6 },
)
const shuffled = pieces.chain((list) => fc.shuffledSubarray(list, { minLength: list.length }))
const spelled: fc.Arbitrary<Spelled> = fc
  .tuple(shuffled, fc.constantFrom(...json, ...others))
  .map(([list, headers]) => ({
    path: `albums?${list.join('&')}`,
    headers: headers,
  }))

describe('the key of a cached answer', () => {
  it('is never the same for requests that are answered otherwise', async () => {
    let together = 0
    const met = new Map<string, { answer: unknown; asked: Spelled }>()
    const sample = fc.sample(spelled, { seed, numRuns: 6000 })
    // Most are met once: only those with a key that was met before are asked, beside whoever had it.
    const byKey = Map.groupBy(
      sample.flatMap((asked) => {
        try {
          return [{ asked, key: keyOf(asked) }]
        } catch {
          return []
        }
      }),
      ({ key }) => key,
    )
    for (const [key, all] of byKey) {
      const texts = new Map(all.map(({ asked }) => [JSON.stringify(asked), asked]))
      if (texts.size < 2 || together > 300) continue
      for (const asked of [...texts.values()].slice(0, 6)) {
        const answer = await answerTo(asked)
        const known = met.get(key)
        if (known)
          expect({ seed, asked, known: known.asked, answer }).toEqual({
            seed,
            asked,
            known: known.asked,
            answer: known.answer,
          })
        else met.set(key, { answer, asked })
        together++
      }
    }
    expect(together).toBeGreaterThan(100)
  })

  it('is the same however a request is put', async () => {
    const base = 'select=id,tracks(id)&id=gte.2&id=lt.9&tracks.id=gt.5&order=id&limit=4'.split('&')
    fc.assert(
      fc.property(
        fc.shuffledSubarray(base, { minLength: base.length }),
        fc.constantFrom(...json),
        (list, headers) => {
          const asked = { path: `albums?${list.join('&')}`, headers }
          expect(keyOf(asked)).toBe(keyOf({ path: `albums?${base.join('&')}`, headers: {} }))
        },
      ),
      { seed },
    )
    const same = ['albums', 'albums?select=*', 'albums?offset=0&select=', 'albums?select=*&apikey=x']
    expect(new Set(same.map((path) => keyOf({ path, headers: {} }))).size).toBe(1)
  })

  it('finds what another has asked in its own words', async () => {
    const ask = async (path: string, headers: Record<string, string>, method = 'GET') => {
      const response = await get(`/rest/v1/${path}`, headers, secretKey, method)
      await response.text()
      return response.headers.get('cache-status') ?? ''
    }
    const first = await ask('genres?select=*&id=gt.3&name=like.R*', { 'Cache-Control': 'no-cache' })
    expect(first).toMatch('stored')
    for (const headers of json) expect(await ask('genres?name=like.R*&id=gt.3', headers)).toMatch('hit')
    expect(await ask('genres?id=gt.3&name=like.R*&order=id', {})).not.toMatch('hit')
    expect(await ask('genres?id=gt.3&name=like.R*', {}, 'HEAD')).toMatch('hit')
    expect(await ask('genres?id=gt.3&name=like.R*', { Accept: 'text/csv' })).not.toMatch('hit')
  })
})
