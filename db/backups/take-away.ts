/**
 * Takes away rows that a backup does not have, where it is restored in the place of what is there: tables that refer to others first, some rows in
 * one transaction that no change log tells of and no trigger of the app's hears of. All of it can be done again.
 * @module
 */
import { fenceFor } from '../cluster/fence.ts'
import type { ClusterSession } from '../cluster/session.ts'
import { type UniqueColumn, uniqueColumnsOf } from '../cluster/unique-columns.ts'
import { ConstraintError } from '../errors/constraint-error.ts'
import { keyText, readShapes } from '../moves/cargo.ts'
import { quietly } from '../moves/hand-over.ts'
import { beforeAll } from '../moves/look-at.ts'
import { matches, orderOf, type Read } from '../moves/read-rows.ts'
import type { ShardMap } from '../slots/shard-map.ts'
import { slotOf } from '../slots/slots.ts'
import { quoteName } from '../sql/quote.ts'
import type { Row } from '../sql/statement.ts'
import type { BackupWorld } from './backup-world.ts'
import { releasePage } from './erase-value.ts'
import type { AskedRestore, Laid } from './plan-restore.ts'

/** How far a table has been looked through, and what came of it. */
export interface TakePlace {
  /** Of the databases that have the table; those behind them are the lookups of its unique columns. */
  readonly database: number
  readonly after: string
  /** Rows that are gone, and that stayed as others refer to them, since the first database was begun. */
  readonly gone: number
  readonly stayed: number
  /** Of earlier rounds: a row may go when what referred to it has gone. */
  readonly goneBefore: number
}

/** Rows that are looked at together. */
const rowsAtOnce = 500
export const firstTake: TakePlace = { database: 0, after: beforeAll, gone: 0, stayed: 0, goneBefore: 0 }

/**
 * Looks at the next rows of a table.
 *
 * @param kept keys of the backup's rows, as the change log writes them
 * @returns where it goes on, or what came of the whole table
 */
export async function takeAway(
  { session, catalog }: Pick<BackupWorld, 'session' | 'catalog'>,
  { table, isRouted }: Laid,
  { value }: Pick<AskedRestore, 'value'>,
  kept: ReadonlySet<string>,
  map: ShardMap,
  at: TakePlace,
): Promise<{ readonly place: TakePlace } | { readonly gone: number; readonly stayed: number }> {
  const { cluster } = session
  const databases = isRouted ? cluster.databases : [cluster.primary]
  const name = databases[at.database]
  if (name === undefined) {
    const served = catalog.tables.get(table.name)
    const lookups = (served && cluster.sharded ? uniqueColumnsOf(served) : []).flatMap((claim) =>
      cluster.databases.map((database) => [claim, database] as const),
    )
    const lookup = lookups[at.database - databases.length]
    if (lookup) return { place: await takeEntries(session, lookup, value, at) }
    const { gone, stayed, goneBefore } = at
    if (stayed > 0 && gone > 0) return { place: { ...firstTake, goneBefore: goneBefore + gone } }
    return { gone: goneBefore + gone, stayed }
  }
  const next = { ...at, database: at.database + 1, after: beforeAll }
  const [shape] = await readShapes(session, name, [table])
  if (!shape) return { place: next }
  const read: Read = { ...shape, by: isRouted ? table.by : null }
  const { order, behind } = orderOf(read, at.after)
  const place = read.hasRowid ? 'CAST(rowid AS TEXT)' : keyText(read)
  const distribution = read.by === null ? 'NULL' : `CAST(${quoteName(read.by)} AS TEXT)`
  const by = quoteName(table.by ?? '')
  const isOwn = value === null ? '' : ` AND ${by} = ?3 AND CAST(${by} AS TEXT) = ?3`
  const [rows = []] = await session.on(name, [
    {
      text: `SELECT ${place} AS at, ${keyText(read)} AS key, ${distribution} AS value FROM ${quoteName(table.name)} WHERE ${behind}${isOwn} ORDER BY ${order} LIMIT CAST(?2 AS INTEGER)`,
      parameters: [at.after, String(rowsAtOnce), ...(value === null ? [] : [value])],
    },
  ])
  if (rows.length === 0) return { place: next }
  const surplus = rows.filter(({ key }) => !kept.has(key as string))
  const gone = surplus.length === 0 ? 0 : await takeRows(session, name, read, surplus, isRouted ? map : null)
  return {
    place: {
      ...at,
      after: rows.at(-1)?.at as string,
      gone: at.gone + gone,
      stayed: at.stayed + surplus.length - gone,
    },
  }
}

/** Entries of unique values whose rows are gone, on one database. */
async function takeEntries(
  session: ClusterSession,
  [claim, database]: readonly [UniqueColumn, string],
  value: string | null,
  at: TakePlace,
): Promise<TakePlace> {
  const slot = value === null ? null : slotOf(value)
  const { after } = await releasePage(session, claim, database, slot, at.after === beforeAll ? '' : at.after)
  return after === null ? { ...at, database: at.database + 1, after: beforeAll } : { ...at, after }
}

/** @returns how many are gone; others refer to the rest */
async function takeRows(
  session: ClusterSession,
  database: string,
  read: Read,
  rows: readonly Row[],
  map: ShardMap | null,
): Promise<number> {
  const slots = new Set(rows.map(({ value }) => slotOf((value as string | null) ?? '')))
  const text = `DELETE FROM ${quoteName(read.name)} WHERE ${matches(read)}`
  const parameters = [`[${rows.map(({ key }) => key).join(',')}]`]
  try {
    await session.on(database, [
      ...(map !== null && session.cluster.sharded ? fenceFor({ database, slots }, map, session) : []),
      ...quietly([read], [{ text, parameters }]),
    ])
    return rows.length
  } catch (error) {
    if (!(error instanceof ConstraintError) || error.kind !== 'foreign-key') throw error
    if (rows.length === 1) return 0
    const half = rows.length >> 1
    const first = await takeRows(session, database, read, rows.slice(0, half), map)
    return first + (await takeRows(session, database, read, rows.slice(half), map))
  }
}
