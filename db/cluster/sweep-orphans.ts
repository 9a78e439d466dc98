/**
 * The sweep of the lookup tables of unique values: entries of writers that died go, and tokens that nobody can show any more.
 * @module
 */
import type { Table } from '../catalog/catalog.ts'
import type { ClusterSession } from './session.ts'
import { uniqueColumnsOf } from './unique-columns.ts'
import { entryColumns, type Held, heldOf, nameOf, release } from './unique-values.ts'

/** Orphans are looked for among entries that are older than this, in milliseconds. */
const sweepAfterMs = 60_000
/** Entries that one sweep of a database looks at. */
const sweptAtOnce = 500
/** How long tokens are remembered: no writer lives so long. */
const tokensMs = 3_600_000

/**
 * Looks at some entries on a database, and takes away those that no row has.
 *
 * @param after where the last sweep ended; null: at the beginning
 * @returns where this one ended; null when it came to the end
 */
export async function sweepOrphans(
  session: ClusterSession,
  database: string,
  tables: readonly Table[],
  after: string | null,
): Promise<{ readonly after: string | null; readonly released: number }> {
  const writing = session.writing()
  const [name, value] = after === null ? ['', ''] : (JSON.parse(after) as [string, string])
  const now = Date.now()
  const [rows = []] = await writing.on(database, [
    {
      text: `SELECT ${entryColumns} FROM _atoll_unique AS u WHERE (name, value) > (?1, ?2) ORDER BY name, value LIMIT ${sweptAtOnce}`,
      parameters: [name as string, value as string],
    },
    {
      text: 'DELETE FROM _atoll_unique_tokens WHERE at < CAST(?1 AS INTEGER)',
      parameters: [String(now - tokensMs)],
    },
  ])
  const known = tables.flatMap(uniqueColumnsOf)
  const held = rows.flatMap((row): Held[] => {
    const of = known.find((claim) => nameOf(claim) === row.name)
    return of && Number(row.at) < now - sweepAfterMs ? [heldOf(row, [of])] : []
  })
  const last = rows.at(-1)
  return {
    after: last && rows.length === sweptAtOnce ? JSON.stringify([last.name, last.value]) : null,
    released: await release(session, held),
  }
}
