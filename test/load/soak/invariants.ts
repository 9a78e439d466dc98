/**
 * What must hold when all is quiet, looked up in the databases themselves.
 * @module
 */
import type { Catalog } from '../../../db/catalog/catalog.ts'
import { referenceTables } from '../../../db/system/reference-triggers.ts'
import type { Ledger } from './ledger.ts'
import { type RowOracle, versionOf } from './row-oracle.ts'

type Databases = ReadonlyMap<string, D1Database>

async function everywhere<Row>(
  databases: Databases,
  text: string,
): Promise<(Row & { readonly on: string })[]> {
  const parts = await Promise.all(
    [...databases].map(async ([on, database]) =>
      (await database.prepare(text).all<Row>()).results.map((row) => ({ ...row, on })),
    ),
  )
  return parts.flat()
}

/** What keeps a state from being one that rests: work that relays have not done yet. */
export async function unrest(databases: Databases, catalog: Catalog): Promise<string[]> {
  const waiting = await everywhere<{ n: number }>(databases, 'SELECT count(*) AS n FROM _atoll_retiring')
  const found = waiting
    .filter(({ n }) => n > 0)
    .map(({ on, n }) => `${on} has ${n} rows that are about to be deleted`)
  for (const { name } of referenceTables(catalog)) {
    const copies = await Promise.all(
      [...databases].map(async ([on, database]) => [on, await contentOf(database, name)] as const),
    )
    const [, home] = copies[0] as (typeof copies)[0]
    for (const [on, copy] of copies) if (copy !== home) found.push(`${on} has another copy of ${name}`)
  }
  return found
}

async function contentOf(database: D1Database, table: string): Promise<string> {
  const { results } = await database.prepare(`SELECT * FROM "${table}"`).all()
  return JSON.stringify(results.map((row) => JSON.stringify(row)).toSorted())
}

/** What clients were told against what is there. */
export async function broken(databases: Databases, oracle: RowOracle, ledger: Ledger): Promise<string[]> {
  const found: string[] = []
  const now = performance.now()
  for (const row of oracle.rows) {
    const [table, id] = row.split(' ')
    const column = table === 'genres' ? 'name' : 'fax'
    const rows = await everywhere<{ value: string }>(
      databases,
      `SELECT ${column} AS value FROM ${table} WHERE id = ${id}`,
    )
    if (rows.length !== (table === 'genres' ? databases.size : 1))
      found.push(`${row} is there ${rows.length} times`)
    for (const { value } of rows) {
      const wrong = oracle.judge(row, versionOf(value), now, 0)
      if (wrong !== null) found.push(`in the end ${wrong}`)
    }
  }
  const invoices = await everywhere<{ mark: string }>(
    databases,
    "SELECT billing_address AS mark FROM invoices WHERE billing_address LIKE 'mark %'",
  )
  const artists = await (databases.get('DB') as D1Database)
    .prepare("SELECT name AS mark FROM artists WHERE name LIKE 'mark %'")
    .all<{ mark: string }>()
  found.push(...marksOff(ledger.invoices, invoices), ...marksOff(ledger.artists, artists.results))

  const holders = await everywhere<{ id: number; email: string }>(
    databases,
    "SELECT id, email FROM customers WHERE email LIKE '%@soak.test'",
  )
  for (const [email, rows] of Map.groupBy(holders, (row) => row.email)) {
    if (rows.length > 1) found.push(`${rows.length} rows have ${email}: ${JSON.stringify(rows)}`)
  }
  for (const [email, { id, isLeaving }] of ledger.holders) {
    if (!isLeaving && !holders.some((row) => row.id === id && row.email === email))
      found.push(`${id} has ${email} no more`)
  }
  const entries = await everywhere<{ value: string }>(
    databases,
    "SELECT value FROM _atoll_unique WHERE name = 'customers.email'",
  )
  const known = new Set(entries.map(({ value }) => value))
  for (const { email } of holders) if (!known.has(email)) found.push(`${email} is in no lookup`)

  for (const row of await everywhere(databases, 'PRAGMA foreign_key_check'))
    found.push(`dangling: ${JSON.stringify(row)}`)
  const items = await everywhere<{ id: number; track: number }>(
    databases,
    'SELECT id, track_id AS track FROM invoice_items WHERE track_id >= 500000',
  )
  const tracks = await everywhere<{ id: number }>(databases, 'SELECT id FROM tracks WHERE id >= 500000')
  const home = new Set(tracks.filter(({ on }) => on === 'DB').map(({ id }) => id))
  for (const { id, track } of items)
    if (!home.has(track)) found.push(`item ${id} refers to track ${track}, which is gone`)
  const there = new Set(items.map(({ id }) => id))
  for (const { track, item, made, gone } of ledger.referrals) {
    if (made === 'done' && !there.has(item)) found.push(`item ${item} was acknowledged, and is not there`)
    if (made === 'refused' && there.has(item)) found.push(`item ${item} was refused, and is there`)
    if (gone === 'done' && home.has(track)) found.push(`track ${track} was deleted, and is there`)
    if (gone === 'refused' && !home.has(track))
      found.push(`track ${track} was not to be deleted, and is gone`)
  }
  return found
}

/** Rows that were acknowledged must be there once, those that were refused not at all, the others once at most. */
function marksOff(told: Ledger['invoices'], rows: readonly { readonly mark: string }[]): string[] {
  const counts = new Map<string, number>()
  for (const { mark } of rows) counts.set(mark, (counts.get(mark) ?? 0) + 1)
  return [...told].flatMap(([mark, outcome]) => {
    const count = counts.get(mark) ?? 0
    const isRight = outcome === 'unknown' ? count <= 1 : count === (outcome === 'done' ? 1 : 0)
    return isRight ? [] : [`${mark} is there ${count} times, and was told to be ${outcome}`]
  })
}
