/**
 * One Miniflare with all contenders in it, each with a socket and a database of its own, and the same rows.
 * @module
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Beside } from '../../../functions/local/serve.ts'
import { prepareFixture, secretKey, startTestServer, type TestServer } from '../../support/local-server.ts'

const here = import.meta.dirname

/** The tables that are asked and written, parents first. */
const copied = [
  'artists',
  'albums',
  'genres',
  'media_types',
  'tracks',
  'employees',
  'customers',
  'invoices',
  'invoice_items',
]

/** Workers in the same Miniflare, by name: where their code is, and whose rows they read. */
const workers = {
  /** The app as it is, with answers in the isolate's memory. */
  memory: { entry: 'memory-worker.ts', isAtoll: true },
  /** The app as it is, with a Redis. */
  redis: { entry: '../../fixture-app/worker.ts', isAtoll: true },
  uncached: { entry: 'uncached-worker.ts', isAtoll: true },
  hand: { entry: 'hand-worker.ts', isAtoll: false },
  lite: { entry: 'lite-worker.ts', isAtoll: false, needsNode: true },
  bknd: { entry: 'bknd-worker.ts', isAtoll: false, needsNode: true },
} as const

export type PeerName = keyof typeof workers

/** Installs the other data APIs beside this file, once: they are large, and nothing else needs them. */
export function installPeers(): void {
  if (existsSync(join(here, 'node_modules', '.package-lock.json'))) return
  console.log('Installing @supabase/lite and bknd for the comparison, once')
  const { status } = spawnSync('npm', ['ci'], { cwd: here, stdio: ['ignore', 'inherit', 'inherit'] })
  if (status !== 0) throw new Error('The other data APIs could not be installed; see above.')
}

/** @param redis variables of a Redis for the one that has one */
export async function startPeers(redis: Readonly<Record<string, string>>): Promise<TestServer> {
  const entries = Object.entries(workers) as [PeerName, (typeof workers)[PeerName]][]
  const beside = entries.map(
    ([name, of]): Beside => ({
      name,
      entry: join(here, of.entry),
      databases: { DB: name },
      isWhole: of.isAtoll,
      needsNode: 'needsNode' in of,
      variables: name === 'redis' ? redis : {},
    }),
  )
  const server = await startTestServer({ databases: ['DB'], beside, isQuiet: true })
  const source = await server.database('DB')
  for (const [name, { isAtoll }] of entries) {
    const database = await server.database(name)
    if (isAtoll) {
      await prepareFixture(new Map([['DB', database]]))
    } else await copyTables(source, database)
  }
  return server
}

/** Gives all tracks one price: each run writes others. */
export async function resetPrices(
  server: TestServer,
  addresses: Readonly<Record<PeerName, string>>,
): Promise<void> {
  for (const [name, { isAtoll }] of Object.entries(workers) as [PeerName, (typeof workers)[PeerName]][]) {
    if (!isAtoll) {
      await (await server.database(name)).prepare('UPDATE tracks SET unit_price = 1').run()
      continue
    }
    const answer = await fetch(`${addresses[name]}/rest/v1/tracks?id=gte.1`, {
      method: 'PATCH',
      headers: { apikey: secretKey, 'content-type': 'application/json' },
      body: '{"unit_price":1}',
    })
    if (!answer.ok) throw new Error(`${name}: ${answer.status} ${await answer.text()}`)
  }
}

/** The app's tables as they are without Atoll: no triggers, no search index, nothing of its own. */
async function copyTables(from: D1Database, to: D1Database): Promise<void> {
  const { results: parts } = await from
    .prepare(
      `SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND type IN ('table', 'index')
       AND tbl_name IN (SELECT value FROM json_each(?))`,
    )
    .bind(JSON.stringify(copied))
    .all<{ type: string; name: string; sql: string }>()
  const tables = copied.map((name) => parts.find((part) => part.name === name && part.type === 'table'))
  const indexes = parts.filter(({ type }) => type === 'index')
  for (const part of [...tables, ...indexes]) if (part) await to.prepare(part.sql).run()
  for (const table of copied) {
    const { results: rows } = await from.prepare(`SELECT * FROM ${table}`).all<Record<string, unknown>>()
    const columns = Object.keys(rows[0] ?? {})
    const values = columns.map((_, i) => `json_extract(value, '$[${i}]')`)
    await to
      .prepare(`INSERT INTO ${table} (${columns}) SELECT ${values} FROM json_each(?)`)
      .bind(JSON.stringify(rows.map((row) => columns.map((column) => row[column]))))
      .run()
  }
}
