/**
 * `npm run load -- scale`: how many calls to databases a request makes when there are 1, 4, 16 and 64 of them, and what
 * merging their answers costs. Calls are counted, not timed; requests come one after another.
 * @module
 */
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import { migrateCluster } from '../../db/migrate/migrate-cluster.ts'
import { startLocal } from '../../functions/local/serve.ts'
import { mergeParts } from '../../functions/rest/merge-parts.ts'
import type { ReadPlan } from '../../functions/rest/plan.ts'
import tables, { migrations } from './scale-tables.ts'

const accounts = 40

export async function runScale(): Promise<void> {
  console.log(
    row(
      'databases',
      'keyed read',
      'keyed write',
      'write undone',
      'read of all',
      'count of all',
      'merge of 1000 rows',
    ),
  )
  for (const size of [1, 4, 16, 64])
    console.log(row(String(size), ...(await callsWith(size)), mergeTime(size)))
}

async function callsWith(size: number): Promise<string[]> {
  const databases = ['DB', ...Array.from({ length: size - 1 }, (_, i) => `SHARD_${i + 1}`)]
  const server = await startLocal({
    port: 0,
    persistTo: null,
    databases,
    entry: new URL('scale-worker.ts', import.meta.url).pathname,
    variables: { ATOLL_SECRET_KEY: 'sb_secret_test', ATOLL_RATE_LIMITS: 'off' },
  })
  try {
    await migrateCluster(await server.databases(), buildCatalog(tables), migrations)
    const ask = async (path: string, init: RequestInit = {}) => {
      const headers = { apikey: 'sb_secret_test', 'Content-Type': 'application/json', ...init.headers }
      const response = await fetch(new URL(`/rest/v1/${path}`, server.url), { ...init, headers })
      const text = await response.text()
      if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`)
      return {
        calls: Number(response.headers.get('x-database-calls')),
        rows: text === '' ? 0 : JSON.parse(text).length,
      }
    }
    const write = (account: number, prefer = '') =>
      ask('events', {
        method: 'POST',
        headers: { Prefer: prefer },
        body: JSON.stringify({ id: account + 1, account: `a${account}`, value: account }),
      })
    // The first request of an isolate reads the map, and the first numbered row the sequence.
    for (let account = 0; account < accounts; account++) await write(account)
    const most = async (requests: readonly (() => Promise<{ calls: number }>)[]) => {
      const calls: number[] = []
      for (const request of requests) calls.push((await request()).calls)
      return String(Math.max(...calls))
    }
    const each = <T>(work: (account: number) => T) =>
      Array.from({ length: accounts }, (_, i) => () => work(i))
    const all = await ask('events?order=value&limit=1000')
    if (all.rows !== accounts) throw new Error(`${all.rows} of ${accounts} rows were found`)
    return [
      await most(each((account) => ask(`events?account=eq.a${account}`))),
      await most(
        each((account) =>
          ask(`events?account=eq.a${account}`, {
            method: 'PATCH',
            body: JSON.stringify({ value: account + 1 }),
          }),
        ),
      ),
      await most(
        each((account) =>
          ask(`events?account=eq.a${account}`, { method: 'DELETE', headers: { Prefer: 'tx=rollback' } }),
        ),
      ),
      String(all.calls),
      String((await ask('events?select=count()')).calls),
    ]
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
    .map((cell) => cell.padEnd(18))
    .join('')
    .trimEnd()
}
