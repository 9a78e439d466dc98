/** What hostile and careless callers ask: each request another one, by chance. */
import type { Sent } from './asker.ts'

const many = (n: number, make: (i: number) => string) =>
  Array.from({ length: n }, (_, i) => make(i)).join(',')
const thereAndBack = (levels: number) =>
  Array.from({ length: levels }).reduceRight<string>(
    (inner, _, i) => `${i % 2 === 0 ? 'tracks' : 'playlists'}!inner(id${inner === '' ? '' : `,${inner}`})`,
    '',
  )

type Hostile = readonly [kind: string, make: (n: number, below: (n: number) => number) => Omit<Sent, 'kind'>]

const hostile: readonly Hostile[] = [
  [
    'shapes, wide',
    (n) => ({
      path: `/rest/v1/tracks?select=${many(190, (i) => `x${n}c${i}:milliseconds`)}&limit=1`,
      headers: { accept: 'text/csv' },
    }),
  ],
  [
    'shapes, too wide',
    (n) => ({ path: `/rest/v1/tracks?select=${many(450, (i) => `x${n}c${i}:bytes`)}&limit=1` }),
  ],
  [
    'shapes, small',
    (n, below) => ({
      path: `/rest/v1/${below(2) ? 'tracks' : 'albums'}?select=a${n}:id&or=(id.eq.${n},id.lt.${below(9)})&order=id&limit=3`,
    }),
  ],
  [
    'embeds there and back',
    (_, below) => ({ path: `/rest/v1/playlists?select=id,${thereAndBack(1 + below(8))}&limit=1` }),
  ],
  [
    'scan by pattern',
    (n) => ({
      path: `/rest/v1/tracks?select=x${n % 50}:id&or=(name.ilike.*q%25z${n}*,composer.ilike.*q%25z*)&limit=1`,
      headers: { prefer: 'count=exact' },
    }),
  ],
  [
    'sort without an index',
    (n) => ({ path: `/rest/v1/tracks?order=composer,name.desc,bytes&offset=${n % 3000}` }),
  ],
  [
    'deep offset',
    (n, below) => ({ path: `/rest/v1/tracks?order=name&limit=1&offset=${10 ** below(16)}${n % 10}` }),
  ],
  ['wide groups', () => ({ path: '/rest/v1/tracks?select=name,composer,count(),milliseconds.sum()' })],
  ['everything', () => ({ path: '/rest/v1/albums?select=*,artists(*),tracks(*,playlists(*))' })],
  [
    'long operand',
    (n, below) => ({ path: `/rest/v1/tracks?name=eq.${'x'.repeat(10 ** (1 + below(4)))}${n}` }),
  ],
  ['long list', (n) => ({ path: `/rest/v1/tracks?id=in.(${many(2000, (i) => String(i + n))})&select=id` })],
  [
    'nested logic',
    (_, below) => ({
      path: `/rest/v1/tracks?and=${'(or'.repeat(below(200))}(id.eq.1)${')'.repeat(below(200))}`,
    }),
  ],
  [
    'body, many rows',
    (_, below) => ({
      method: 'POST',
      path: '/rest/v1/invoices',
      body: `[${'{},'.repeat(10 ** (1 + below(6)))}{}]`,
    }),
  ],
  [
    'body, long value',
    (_, below) => ({
      method: 'POST',
      path: '/rest/v1/genres',
      body: { name: 'x'.repeat(10 ** (1 + below(7))) },
    }),
  ],
  [
    'body, nested',
    (_, below) => ({
      method: 'POST',
      path: '/rest/v1/customers',
      body: `{"fax":${'['.repeat(10 ** (1 + below(5)))}`,
    }),
  ],
  [
    'body, cut off',
    (n) => ({ method: 'POST', path: '/rest/v1/customers', body: 'x'.repeat(500_000), cutAfterMs: n % 8 }),
  ],
  [
    'ids that are none',
    (_, below) => ({
      method: 'POST',
      path: '/rest/v1/artists',
      body: { id: ['9223372036854775000', 2 ** 53 - 1, -1, 1e300][below(4)], name: 'x' },
      headers: below(2) ? { prefer: 'tx=rollback' } : {},
    }),
  ],
  [
    'call',
    (_, below) => ({
      method: 'POST',
      path: '/rest/v1/rpc/nothing',
      body: `{"a":[${'{},'.repeat(10 ** (1 + below(5)))}{}]}`,
    }),
  ],
  [
    'token',
    (n, below) => ({
      path: '/rest/v1/customers',
      headers: {
        authorization: [
          'Bearer a.b.c',
          `Bearer ${'e'.repeat(6000)}`,
          'Basic eDp5',
          `Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.${n}`,
        ][below(4)] as string,
      },
    }),
  ],
  [
    'session',
    (n) => ({ path: '/rest/v1/genres', headers: { 'atoll-session': `${n}${'A'.repeat(n % 3000)}` } }),
  ],
  [
    'key of a write',
    (n) => ({
      method: 'POST',
      path: '/rest/v1/genres',
      body: { id: n, name: 'x' },
      headers: { 'idempotency-key': 'k'.repeat(n % 300) },
    }),
  ],
  [
    'method',
    (_, below) => ({
      method: ['PUT', 'DELETE', 'PATCH', 'OPTIONS'][below(4)] as string,
      path: '/rest/v1/customers?id=gte.0',
      headers: { prefer: 'handling=strict,nonsense=1' },
    }),
  ],
  [
    'address',
    (n, below) => ({
      path: [
        '/rest/v1/%ff%00',
        '/rest/v1/tracks?select=%',
        `/rest/v1/${'a/'.repeat(500)}`,
        `/rest/v1/nothing${n}?select=*`,
        '/metrics',
      ][below(5)] as string,
    }),
  ],
]

/** @param n of this request; @param headers who asks */
export function hostileRequest(
  n: number,
  below: (n: number) => number,
  headers: Readonly<Record<string, string>>,
): Sent {
  const [kind, make] = hostile[below(hostile.length)] as Hostile
  const sent = make(n, below)
  return { ...sent, kind: `hostile: ${kind}`, headers: { ...headers, ...sent.headers }, isHostile: true }
}
