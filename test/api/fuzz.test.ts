/**
 * Random requests. Longer than other files because the generators and what they are for are read together.
 * @module
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { call, rows } from '../support/worker-client.ts'

/** Pieces of the dialect, so that most inputs get past the parser, and noise. */
const piece = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.constantFrom(
      'id',
      'name',
      'title',
      'artist_id',
      'albums',
      'tracks',
      'artists',
      'genres',
      'playlists',
      'playlist_tracks',
      'minutes',
      'composer',
      '(',
      ')',
      ',',
      '.',
      ':',
      '::',
      '!',
      '...',
      '*',
      '->',
      '->>',
      '"',
      '{',
      '}',
      '[',
      ']',
      '\\',
      '%',
      '_',
      'eq',
      'neq',
      'gt',
      'lt',
      'in',
      'is',
      'not',
      'like',
      'ilike',
      'match',
      'cs',
      'cd',
      'ov',
      'fts',
      'wfts',
      'isdistinct',
      'and',
      'or',
      'any',
      'all',
      'constructor',
      '__proto__',
      'toString',
      'null',
      'true',
      'select',
      'order',
      'limit',
      'offset',
      'desc',
      'nullsfirst',
      'count()',
      'sum()',
      'text',
      'int',
      'json',
      'inner',
      '1',
      '-1',
      '0',
      '99999999999999999999',
      '1e999',
    ),
  },
  { weight: 1, arbitrary: fc.string({ maxLength: 4, unit: 'grapheme' }) },
)
const word = fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join(''))
const parameterName = fc.oneof(
  fc.constantFrom(
    'select',
    'order',
    'limit',
    'offset',
    'or',
    'and',
    'not.or',
    'id',
    'name',
    'title',
    'columns',
    'on_conflict',
    'albums.title',
    'albums.or',
    'tracks.limit',
  ),
  word,
)
const value = fc.oneof(
  word,
  fc
    .tuple(fc.constantFrom('eq', 'not.eq', 'in', 'like', 'is', 'cs', 'ov', 'fts', 'eq(any)', 'match'), word)
    .map((parts) => parts.join('.')),
)
const query = fc.array(fc.tuple(parameterName, value), { maxLength: 4 })
const table = fc.oneof(
  fc.constantFrom('albums', 'artists', 'tracks', 'genres', 'playlists', 'employees'),
  word,
)
const header = fc.constantFrom(
  '',
  'count=exact',
  'return=representation',
  'tx=rollback',
  'handling=strict',
  'resolution=merge-duplicates',
  'max-affected=1',
  'nonsense',
)
const accept = fc.constantFrom(
  '*/*',
  'text/csv',
  'application/vnd.pgrst.object+json',
  'application/vnd.pgrst.array;nulls=stripped',
  'image/png',
  ';;',
)

/** Tables with columns and relations that they have; `nope` stands for those they have not. */
const known = {
  albums: {
    columns: ['id', 'title', 'artist_id'],
    embeds: ['artists(name)', 'tracks(id)', 'x:artist_id(*)', '...artists(name)', 'artists!inner()'],
  },
  artists: {
    columns: ['id', 'name'],
    embeds: ['albums(*)', '...albums(title)', 'albums!inner(tracks(name))', 'albums(count)'],
  },
  tracks: {
    columns: ['id', 'name', 'album_id', 'unit_price', 'minutes', 'composer', 'bytes'],
    embeds: [
      'albums(*,artists(*))',
      '...albums(...artists(name))',
      'playlists(name)',
      'genres(name)',
      'playlist_tracks(*)',
    ],
  },
} as const

/** Requests that the grammar takes. */
function grammatical(table: keyof typeof known): fc.Arbitrary<[string, string][]> {
  const column = fc.oneof(
    { weight: 30, arbitrary: fc.constantFrom(...known[table].columns) },
    fc.constant('nope'),
  )
  const item = fc.oneof(
    { weight: 6, arbitrary: column },
    { weight: 3, arbitrary: fc.constantFrom(...known[table].embeds) },
    fc
      .tuple(column, fc.constantFrom('::text', '::int', '::real', '::bool', '->a', '->>0'))
      .map((parts) => parts.join('')),
    fc
      .tuple(column, fc.constantFrom('.sum()', '.avg()::int', '.count()', '.max()', '.min()::text'))
      .map((parts) => parts.join('')),
    fc.constantFrom('*', 'count()', 'n:count()'),
  )
  const operand = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom('1', '0.5', 'a*', '(1,2)', '{1,2}', 'null', 'true') },
    fc.string({ maxLength: 5, unit: 'grapheme' }),
  )
  const operator = fc.constantFrom(
    'eq',
    'neq',
    'gt',
    'lte',
    'like',
    'ilike',
    'in',
    'is',
    'isdistinct',
    'cs',
    'match',
    'imatch',
    'fts',
    'plfts',
    'wfts',
    'eq(any)',
    'like(all)',
    'not.eq',
    'not.in',
  )
  const filter = fc.tuple(
    column,
    fc.tuple(operator, operand).map((parts) => parts.join('.')),
  )
  const logic = fc.tuple(
    fc.constantFrom('or', 'not.and'),
    fc
      .array(filter, { minLength: 1, maxLength: 3 })
      .map((terms) => `(${terms.map((parts) => parts.join('.')).join(',')})`),
  )
  const sorted = fc
    .tuple(column, fc.constantFrom('', '.desc', '.asc.nullsfirst'))
    .map((parts) => ['order', parts.join('')])
  const range = fc.tuple(fc.constantFrom('limit', 'offset'), fc.constantFrom('0', '1', '7'))
  const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null, freq: 2 })
  return fc
    .tuple(
      fc.array(item, { minLength: 1, maxLength: 4 }).map((items) => ['select', items.join(',')]),
      maybe(filter),
      maybe(filter),
      maybe(sorted),
      maybe(logic),
      maybe(range),
    )
    .map((parameters) => parameters.filter((parameter) => parameter !== null) as [string, string][])
}

let answered = 0

async function check(
  method: string,
  name: string,
  parameters: readonly [string, string][],
  prefer: readonly string[],
  accepts: string,
  body?: string,
) {
  const path = `/rest/v1/${encodeURIComponent(name)}?${new URLSearchParams(parameters as [string, string][])}`
  const headers = {
    Prefer: prefer.filter(Boolean).join(', '),
    Accept: accepts,
    'Content-Type': 'application/json',
  }
  const response = await call(path, { method, headers, ...(body === undefined ? {} : { body }) })
  const text = await response.text()
  const told = `${method} ${path} ${JSON.stringify(headers)} ${body ?? ''}: ${response.status} ${text.slice(0, 300)}`
  if (response.status >= 300) {
    expect(response.status, told).toBeLessThan(500)
    expect(Object.keys(JSON.parse(text)).sort(), told).toEqual(['code', 'details', 'hint', 'message'])
  } else {
    answered++
    if (accepts !== 'text/csv' && text !== '') JSON.parse(text)
  }
}

describe('no input', () => {
  it('makes a read answer anything but 2xx or a well-formed refusal', async () => {
    await fc.assert(
      fc.asyncProperty(table, query, fc.array(header, { maxLength: 2 }), accept, (...request) =>
        check('GET', ...request),
      ),
      { numRuns: 900 },
    )
  })

  it('that the grammar takes does so either, and many get rows', async () => {
    const request = fc
      .constantFrom('albums' as const, 'artists' as const, 'tracks' as const)
      .chain((name) => fc.tuple(fc.constant(name), grammatical(name)))
    const taken = fc.constantFrom('*/*', 'text/csv', 'application/vnd.pgrst.array;nulls=stripped')
    answered = 0
    await fc.assert(
      fc.asyncProperty(
        request,
        fc.constantFrom('', 'count=exact'),
        taken,
        ([name, parameters], prefer, accepts) => check('GET', name, parameters, [prefer], accepts),
      ),
      { numRuns: 1200 },
    )
    expect(answered).toBeGreaterThan(200)
  })

  it('makes a write do so, or change a row when it asks to be undone', async () => {
    const before = await rows(
      'SELECT (SELECT count(*) FROM genres) AS g, (SELECT count(*) FROM artists) AS a, (SELECT total(id) FROM albums) AS s',
    )
    const json = fc.oneof(
      fc.json({ maxDepth: 3 }),
      word,
      fc
        .array(fc.record({ id: fc.oneof(fc.integer(), word), name: fc.oneof(word, fc.jsonValue()) }), {
          maxLength: 3,
        })
        .map((list) => JSON.stringify(list)),
    )
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('POST', 'PATCH', 'PUT', 'DELETE'),
        table,
        query,
        fc.array(header, { maxLength: 2 }),
        accept,
        json,
        (method, name, parameters, prefer, accepts, body) =>
          check(method, name, parameters, ['tx=rollback', ...prefer], accepts, body),
      ),
      { numRuns: 500 },
    )
    expect(
      await rows(
        'SELECT (SELECT count(*) FROM genres) AS g, (SELECT count(*) FROM artists) AS a, (SELECT total(id) FROM albums) AS s',
      ),
    ).toEqual(before)
  })
})
