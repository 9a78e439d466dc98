/**
 * `npm run load -- scale`: how many calls to databases a request makes when there are 1, 4, 16 and 64 of them, and what
 * merging their answers costs. Calls are counted, not timed; requests come one after another.
 * @module
 */
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import { migrateCluster } from '../../db/migrate/migrate-cluster.ts'
import { mergeParts } from '../../functions/rest/execute/merge-parts.ts'
import type { ReadPlan } from '../../functions/rest/plan/plan.ts'
import { startFixture } from '../support/local-server.ts'
import tables, { migrations } from './scale-tables.ts'

const accounts = 40

/** The most calls that each kind of request has made. */
const kinds = [
  'read by value',
  'write by value',
  'read by routed id',
  'write by routed id',
  'read by free id',
  'write by free id',
  'insert, routed',
  'insert, free',
  'write found first',
  'read of all',
  'count of all',
] as const
type Calls = Readonly<Record<(typeof kinds)[number], number>>

export async function runScale(): Promise<void> {
  const sizes = [1, 4, 16, 64]
  const measured: Calls[] = []
  for (const size of sizes) measured.push(await callsWith(size))
  console.log(row('calls to databases', ...sizes.map((size) => `of ${size}`)))
  for (const kind of kinds) console.log(row(kind, ...measured.map((calls) => String(calls[kind]))))
  console.log(row('merge of 1000 rows', ...sizes.map(mergeTime)))
}

async function callsWith(size: number): Promise<Calls> {
  const databases = ['DB', ...Array.from({ length: size - 1 }, (_, i) => `SHARD_${i + 1}`)]
  const server = await startFixture({
    port: 0,
    persistTo: null,
    databases,
    entry: new URL('scale-worker.ts', import.meta.url).pathname,
    variables: { ATOLL_SECRET_KEY: 'sb_secret_test', ATOLL_RATE_LIMITS: 'off' },
  })
  try {
    await migrateCluster(await server.databases(), buildCatalog(tables), migrations)
    const ask = async (method: string, path: string, body?: object) => {
      const headers = {
        apikey: 'sb_secret_test',
        'Content-Type': 'application/json',
        Prefer: 'return=representation',
      }
      const sent = body === undefined ? {} : { body: JSON.stringify(body) }
      const response = await fetch(new URL(`/rest/v1/${path}`, server.url), { method, headers, ...sent })
      const text = await response.text()
      if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`)
      const rows = JSON.parse(text) as { id: number | string }[]
      return { calls: Number(response.headers.get('x-database-calls')), rows }
    }
    /** One request for each account; it must be about one row. */
    const most = async (request: (account: number) => ReturnType<typeof ask>) => {
      const answers: Awaited<ReturnType<typeof ask>>[] = []
      for (let account = 0; account < accounts; account++) answers.push(await request(account))
      const strange = answers.find(({ rows }) => rows.length !== 1)
      if (strange) throw new Error(`${strange.rows.length} rows in the place of one`)
      return {
        calls: Math.max(...answers.map(({ calls }) => calls)),
        ids: answers.map(({ rows }) => rows[0]?.id),
      }
    }
    const add = (table: string) => (account: number) =>
      ask('POST', table, {
        account: `a${account}`,
        value: account,
        ...(table === 'imports' ? { id: crypto.randomUUID() } : {}),
      })
    // The first request of an isolate reads the map, and the first numbered rows their sequence.
    await most(add('events'))
    const inserted = await most(add('events'))
    const imported = await most(add('imports'))
    await most((account) => ask('DELETE', `events?id=eq.${inserted.ids[account]}`))
    const byId = ({ ids }: typeof inserted) => ({
      read: (table: string) => most((account) => ask('GET', `${table}?id=eq.${ids[account]}`)),
      write: (table: string) =>
        most((account) => ask('PATCH', `${table}?id=eq.${ids[account]}`, { value: account + 1 })),
    })
    const events = await ask('GET', 'events?order=value&limit=1000')
    if (events.rows.length !== accounts)
      throw new Error(`${events.rows.length} of ${accounts} rows were found`)
    const numbered = byId({ ...inserted, ids: events.rows.map(({ id }) => id) })
    const free = byId(imported)
    return {
      'read by value': (await most((account) => ask('GET', `events?account=eq.a${account}`))).calls,
      'write by value': (
        await most((account) => ask('PATCH', `events?account=eq.a${account}`, { value: account }))
      ).calls,
      'read by routed id': (await numbered.read('events')).calls,
      'write by routed id': (await numbered.write('events')).calls,
      'read by free id': (await free.read('imports')).calls,
      'write by free id': (await free.write('imports')).calls,
      'insert, routed': inserted.calls,
      'insert, free': imported.calls,
      'write found first': (await ask('PATCH', 'imports?value=eq.1', { value: 1 })).calls,
      'read of all': events.calls,
      'count of all': (await ask('GET', 'events?select=count()')).calls,
    }
  } finally {
    await server.stop()
  }
}

/** Milliseconds to merge a thousand rows, in order on each database. */
function mergeTime(size: number): string {
  const order = [{ descending: false, nulls: 'last' }]
  const plan = { root: { order } } as unknown as ReadPlan
  const perPart = Math.ceil(1000 / size)
  const parts = Array.from({ length: size }, (_, part) =>
    Array.from({ length: perPart }, (_, i) => ({
      r: `{"value":${i * size + part}}`,
      k0: i * size + part,
      b0: null,
    })),
  )
  const merge = () => mergeParts(parts, { kind: 'rows' } as never, plan, { offset: 0, limit: null })
  for (let i = 0; i < 50; i++) merge()
  const start = performance.now()
  for (let i = 0; i < 100; i++) merge()
  return `${((performance.now() - start) / 100).toFixed(2)} ms`
}

function row(...cells: string[]): string {
  return cells
    .map((cell, i) => cell.padEnd(i === 0 ? 22 : 10))
    .join('')
    .trimEnd()
}
