import type { Catalog } from '../catalog/catalog.ts'
import { rowsOf } from '../cluster/rows-of.ts'
import type { ClusterSession } from '../cluster/session.ts'
import { uniqueColumnsOf } from '../cluster/unique-columns.ts'
import { nameOf } from '../cluster/unique-values.ts'
import { slotOf } from '../slots/slots.ts'
import { quoteName } from '../sql/quote.ts'
import { type Conflict, conflictsOn, endConflict } from './conflicts.ts'
import { layAnew } from './lay-anew.ts'
import { settleOwners } from './settle-owners.ts'

/**
 * Looks again at what restores have left on a database, and ends what the operator has decided.
 *
 * @returns how many are left
 */
export async function sweepConflicts(
  session: ClusterSession,
  database: string,
  catalog: Catalog,
): Promise<number> {
  const writing = session.writing()
  const conflicts = await conflictsOn(writing, database)
  if (conflicts.length === 0) return 0
  for (const conflict of conflicts)
    if (conflict.kind === 'value') await lookAtValue(writing, conflict, catalog)
  if (conflicts.some(({ kind }) => kind === 'slots')) await settleOwners(writing, '', () => undefined)
  const kept = conflicts.filter(({ kind }) => kind === 'row')
  if (kept.length > 0) {
    for (const conflict of kept) await endConflict(writing, conflict)
    await layAnew(writing, database, catalog, () => undefined)
  }
  return (await conflictsOn(writing, database)).length
}

/** When one row has the value at most, its entry leads to that one again; an entry without a row is swept like others. */
async function lookAtValue(session: ClusterSession, conflict: Conflict, catalog: Catalog): Promise<void> {
  const claim = [...catalog.tables.values()]
    .flatMap(uniqueColumnsOf)
    .find((one) => nameOf(one) === conflict.name)
  const placement = claim?.table.placement
  if (!claim || placement?.kind !== 'distributed') return endConflict(session, conflict)
  const outcomes = await session.onAll(session.cluster.databases, [
    {
      text: `SELECT CAST(${quoteName(placement.by)} AS TEXT) AS by FROM ${quoteName(claim.table.name)} WHERE ${quoteName(claim.column.name)} = json_extract(?1, '$[0]')`,
      parameters: [JSON.stringify([conflict.key])],
    },
  ])
  const rows = outcomes.flatMap(rowsOf)
  const [row] = rows
  if (rows.length > 1) return
  if (row) {
    await session.on(conflict.database, [
      {
        text: 'UPDATE _atoll_unique SET slot = CAST(?1 AS INTEGER) WHERE name = ?2 AND value = ?3',
        parameters: [String(slotOf((row.by as string | null) ?? '')), conflict.name, conflict.key],
      },
    ])
  }
  await endConflict(session, conflict)
}
