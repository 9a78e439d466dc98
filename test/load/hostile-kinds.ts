/**
 * What the run `hostile` asks: kinds of requests that cost an isolate memory, each request another than all before it.
 * @module
 */
import { createHmac } from 'node:crypto'

export const jwtSecret = 'a-secret-of-the-hostile-run-that-is-long-enough'

/** A body that is begun, goes on slowly or not at all, and is left after some time. */
export interface Pace {
  readonly firstBytes: number
  /** As the request says. */
  readonly length: number
  /** Bytes that follow ten times a second. */
  readonly more: number
  readonly forMs: number
}

export interface Asked {
  readonly method?: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly pace?: Pace
}

export interface Draw {
  /** From 0 up to 1. */
  readonly random: () => number
  /** Who asks, as an address. */
  readonly address: string
  /** For how long who sends slowly does so, in milliseconds. */
  readonly slowMs: number
}

export interface Kind {
  readonly name: string
  /** Of 10,000 requests. */
  readonly share: number
  /** Requests at a time. */
  readonly width: number
  ask(i: number, draw: Draw): Asked
}

const secret = { apikey: 'sb_secret_test' }
const json = { 'content-type': 'application/json' }
const whole = (from: number, to: number, { random }: Draw) => Math.floor(from + random() * (to - from))
const times = (n: number, of: (i: number) => string) => Array.from({ length: n }, (_, i) => of(i)).join(',')

/** So many columns under names of their own. Asked twice, as the second use is what is kept. */
function select(i: number, columns: number, longest: number): string {
  const name = `n${i >> 1}_${'x'.repeat((i >> 1) % longest)}`
  const from = ['milliseconds', 'name', 'composer', 'minutes', 'unit_price']
  return `/rest/v1/tracks?select=${times(columns, (n) => `${name}_${n}:${from[n % from.length]}`)}&limit=1`
}

function token(claims: object, key = jwtSecret): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`
  return `${signed}.${createHmac('sha256', key).update(signed).digest('base64url')}`
}

const nested = (levels: number, inner: string) => `${'{"a":'.repeat(levels)}${inner}${'}'.repeat(levels)}`

/** JSON of so many bytes, of one of the forms that take most of what is made of them. */
function costly(i: number, bytes: number): string {
  const forms = [
    '{}',
    '[]',
    '{"a":{}}',
    '#',
    `${i}9007199254740993`,
    '"\\u0000"',
    `{"k${i}":1}`,
    '1e9',
    'null',
    '""',
  ]
  const form = forms[i % forms.length] as string
  // Each object with a name of its own.
  if (form === '#') return `[${times(Math.floor(bytes / 14), (n) => `{"${i}_${n}":1}`)}]`
  return `[${Array<string>(Math.floor(bytes / (form.length + 1)))
    .fill(form)
    .join(',')}]`
}

function form(
  i: number,
  fields: number,
  fieldBytes: number,
  fileBytes: number,
): Pick<Asked, 'headers' | 'body'> {
  const boundary = `boundary${i}`
  const part = (disposition: string, text: string) =>
    `--${boundary}\r\nContent-Disposition: form-data; ${disposition}\r\n\r\n${text}\r\n`
  const parts = Array.from({ length: fields }, (_, n) => part(`name="f${n}"`, 'v'.repeat(fieldBytes)))
  const body = `${parts.join('')}${part('name="file"; filename="f"', 'b'.repeat(fileBytes))}--${boundary}--\r\n`
  return { headers: { 'content-type': `multipart/form-data; boundary=${boundary}` }, body }
}

const encoded = (text: string) => Buffer.from(text).toString('base64')

const tus = (i: number, address: string, pace: Pace): Asked => ({
  method: 'POST',
  path: '/storage/v1/upload/resumable',
  headers: {
    'tus-resumable': '1.0.0',
    'upload-length': String(pace.length),
    'upload-metadata': `bucketName ${encoded('hostile')},objectName ${encoded(`${address}/${pace.more}/${i}`)}`,
    'content-type': 'application/offset+octet-stream',
  },
  pace,
})

export const kinds: readonly Kind[] = [
  {
    name: 'selects of 2 to 14 KB as CSV',
    share: 1000,
    width: 8,
    ask: (i) => ({ path: select(i, 95, 120), headers: { accept: 'text/csv' } }),
  },
  {
    name: 'selects of 190 columns as JSON',
    share: 800,
    width: 8,
    ask: (i) => ({ path: select(i, 190, 50) }),
  },
  {
    name: 'selects of 450 columns with the secret key',
    share: 600,
    width: 8,
    ask: (i) => ({ path: select(i, 450, 6), headers: secret }),
  },
  {
    name: 'lists of in, of each length',
    share: 800,
    width: 8,
    ask: (i) => ({
      path: `/rest/v1/tracks?select=id,x${i >> 1}:name&id=in.(${times(1000 + (i >> 1), (n) => String(n))})`,
    }),
  },
  {
    name: 'JSON operands, and paths into JSON',
    share: 800,
    width: 8,
    ask: (i) => {
      const levels = 1 + ((i >> 1) % 40)
      const value = nested(levels, `"${i >> 1}${'v'.repeat(3000)}"`)
      const by = ['eq', 'cs', 'cd', 'neq'][(i >> 1) % 4]
      const path = Array.from({ length: 30 }, (_, n) => `-%3Ek${i >> 1}_${n}`).join('')
      return {
        path: `/rest/v1/notes?select=id,p${i >> 1}:data${path}&data=${by}.${encodeURIComponent(value)}`,
      }
    },
  },
  {
    name: 'and within or within and',
    share: 600,
    width: 8,
    ask: (i) => {
      const levels = 1 + ((i >> 1) % 12)
      const leaves = times(8, (n) => `id.gt.${i >> 1}${n}`)
      const logic = Array.from({ length: levels }).reduce<string>(
        (inner, _, n) => `${n % 2 === 0 ? 'and' : 'or'}(${inner},name.ilike.*${i >> 1}*)`,
        `or(${leaves})`,
      )
      return { path: `/rest/v1/tracks?select=id,y${i >> 1}:name&or=(${logic})&limit=1` }
    },
  },
  {
    name: 'answers of 100 to 200 KB, each another',
    share: 800,
    width: 8,
    ask: (i, draw) => ({
      path: `/rest/v1/tracks?select=*&limit=${whole(500, 1000, draw)}&offset=${i % 1000}`,
    }),
  },
  {
    name: 'bad tokens, each another',
    share: 800,
    width: 16,
    ask: (i) => {
      const claims = { role: 'authenticated', sub: `u${i}`, note: 'x'.repeat((i * 37) % 6000) }
      return {
        path: '/rest/v1/genres?limit=1',
        headers: { authorization: `Bearer ${token(claims, 'another secret, just as long as that')}` },
      }
    },
  },
  {
    name: 'good tokens, each another',
    share: 1000,
    width: 16,
    ask: (i) => {
      const list = Array.from({ length: (i * 13) % 300 }, (_, n) => ({ [`k${n}`]: {} }))
      const claims = { role: 'authenticated', sub: `u${i}`, exp: 4_000_000_000, list }
      return { path: `/rest/v1/customers?limit=1`, headers: { authorization: `Bearer ${token(claims)}` } }
    },
  },
  {
    name: 'headers of up to 12 KB',
    share: 1000,
    width: 16,
    ask: (i, draw) => {
      const long = 'h'.repeat(whole(100, 12_000, draw))
      const all: Readonly<Record<string, string>>[] = [
        { prefer: `${long}=1, return=representation` },
        { 'if-none-match': Array.from({ length: 400 }, (_, n) => `"${i}${n}"`).join(', ') },
        {
          traceparent: `00-${i.toString(16).padStart(32, 'a')}-${i.toString(16).padStart(16, 'b')}-01`,
          tracestate: long,
        },
        { 'x-request-id': `${i}-${long}`.slice(0, 120), cookie: long },
        { accept: Array.from({ length: 300 }, (_, n) => `a${i}/b${n};q=0.1`).join(',') },
        { range: `${i}-${long}`, 'range-unit': 'items' },
        { 'accept-profile': long, 'content-profile': long },
        { origin: `https://${i}.example`, 'access-control-request-headers': long },
        { 'atoll-session': `${i}.${long}` },
        { 'cache-control': `max-stale=${i}, ${long}` },
      ]
      return { path: `/rest/v1/genres?limit=${1 + (i % 20)}`, headers: all[i % all.length] ?? {} }
    },
  },
  {
    name: 'keys of writes, each another',
    share: 300,
    width: 8,
    ask: (i) => ({
      method: 'POST',
      path: '/rest/v1/notes',
      headers: { ...json, 'idempotency-key': `${i}${'k'.repeat(200)}`, prefer: 'return=representation' },
      body: JSON.stringify({ data: { n: i, text: 'x'.repeat(1000) } }),
    }),
  },
  {
    name: 'paths that are nowhere',
    share: 300,
    width: 16,
    ask: (i) => ({
      path: `/${['rest/v1', 'functions/v1', 'storage/v1/object', 'jobs/v1', 'x'][i % 5]}/${i}${'p'.repeat(6000)}`,
    }),
  },
  {
    name: 'JSON of up to 2 MB to a table',
    share: 200,
    width: 8,
    ask: (i, draw) => ({
      method: 'POST',
      path: '/rest/v1/notes',
      headers: json,
      body: costly(i, whole(100_000, 1_990_000, draw)),
    }),
  },
  {
    name: 'rows of up to 2 MB, each of other columns',
    share: 100,
    width: 8,
    ask: (i, draw) => {
      const row = (n: number) =>
        `{"id":${i}${n}123456789012345,"data":${n % 3 === 0 ? costly(n, 300) : '{"a":[1,2,3]}'}}`
      const rows = times(whole(100, 900, draw), row)
      return {
        method: 'POST',
        path: `/rest/v1/notes?columns=id,data&z${i}`,
        headers: { ...json, prefer: 'tx=rollback' },
        body: `[${rows}]`,
      }
    },
  },
  {
    name: 'JSON of up to 10 MB with the secret key',
    share: 60,
    width: 4,
    ask: (i, draw) => ({
      method: 'POST',
      path: '/rest/v1/notes',
      headers: { ...secret, ...json, prefer: 'tx=rollback' },
      body: costly(i, whole(1_000_000, 9_900_000, draw)),
    }),
  },
  {
    name: 'CSV and forms of up to 2 MB',
    share: 150,
    width: 8,
    ask: (i, draw) => {
      const bytes = whole(100_000, 1_990_000, draw)
      const isCsv = i % 2 === 0
      const body = isCsv
        ? `id,data\n${'1,\n'.repeat(bytes / 3)}`
        : Array<string>(Math.floor(bytes / 6))
            .fill(`id=${i % 9}`)
            .join('&')
      const type = isCsv ? 'text/csv' : 'application/x-www-form-urlencoded'
      return { method: 'POST', path: '/rest/v1/notes', headers: { 'content-type': type }, body }
    },
  },
  {
    name: 'bodies of functions',
    share: 150,
    width: 8,
    ask: (i, draw) => ({
      method: 'POST',
      path: '/rest/v1/rpc/best_sellers',
      headers: { ...json, ...(i % 5 === 0 ? secret : {}) },
      body: `{"count":1,"more":${costly(i, whole(100_000, i % 5 === 0 ? 9_000_000 : 1_900_000, draw))}}`,
    }),
  },
  {
    name: 'bodies of routes',
    share: 150,
    width: 8,
    ask: (i, draw) => {
      const bytes = whole(100_000, 9_000_000, draw)
      const path = `/functions/v1/reader/${['json', 'text', 'form'][i % 3]}`
      return i % 3 === 2
        ? { method: 'POST', path, ...form(i, 5, bytes / 10, bytes / 2) }
        : { method: 'POST', path, headers: json, body: costly(i, bytes) }
    },
  },
  {
    name: 'forms and JSON to storage',
    share: 150,
    width: 8,
    ask: (i, draw) =>
      i % 3 === 0
        ? {
            method: 'POST',
            path: '/storage/v1/object/list/hostile',
            headers: json,
            body: `{"prefix":${costly(i, 900_000)}}`,
          }
        : {
            method: 'POST',
            path: `/storage/v1/object/hostile/${draw.address}/f${i}`,
            ...form(i, 15, i % 3 === 1 ? 6000 : whole(10, 900_000, draw), whole(10, 3_000_000, draw)),
          },
  },
  {
    name: 'bodies of the dashboard and of origins',
    share: 140,
    width: 8,
    ask: (i, draw) =>
      i % 2 === 0
        ? {
            method: 'POST',
            path: '/_atoll/session',
            headers: { ...json, 'x-atoll-dashboard': '1' },
            body: costly(i, whole(1_000_000, 9_000_000, draw)),
          }
        : { method: 'POST', path: '/proxied', body: 'p'.repeat(whole(60_000, 1_000_000, draw)) },
  },
  {
    name: 'uploads by tus that send 4 MB and wait',
    share: 120,
    width: 60,
    ask: (i, { address, slowMs }) =>
      tus(i, address, { firstBytes: 4_000_000, length: 20_000_000, more: 0, forMs: slowMs }),
  },
  {
    name: 'uploads by tus that trickle',
    share: 80,
    width: 40,
    ask: (i, { address, slowMs }) =>
      tus(i, address, { firstBytes: 200_000, length: 20_000_000, more: 3000, forMs: slowMs }),
  },
  {
    name: 'bodies that trickle',
    share: 300,
    width: 100,
    ask: (i, { slowMs }) => ({
      method: 'POST',
      path: [
        '/rest/v1/notes',
        '/functions/v1/reader/text',
        '/proxied',
        '/rest/v1/rpc/best_sellers',
        '/_atoll/session',
      ][i % 5] as string,
      headers: { ...json, 'x-atoll-dashboard': '1' },
      pace: { firstBytes: 40_000, length: i % 2 === 0 ? 64_000 : 1_900_000, more: 2000, forMs: slowMs },
    }),
  },
]
