/**
 * Enters the values of all rows into their lookup again, while it is used: each row reserves its value, as a writer would. An entry that leads to
 * a row which is not there any more is taken over; two rows that have the same value by now are listed, and stay.
 * @module
 */
import type { Column, Table } from '../catalog/catalog.ts'
import type { ClusterSession } from '../cluster/session.ts'
import { type Claim, nameOf, reserve } from '../cluster/unique-values.ts'
import { keySlot, slotOf } from '../slots/slots.ts'
import { quoteName } from '../sql/quote.ts'
import { noteConflict } from './conflicts.ts'
import type { RepairNote } from './repair-note.ts'

const rowsAtOnce = 500

/**
 * Looks at some rows of one database.
 *
 * @param at where it has come to; null: at the beginning
 * @returns where it has come to now; null when all databases are through
 */
export async function refillLookup(
  session: ClusterSession,
  { table, column }: { readonly table: Table; readonly column: Column },
  at: string | null,
  tell: (note: RepairNote) => void,
): Promise<string | null> {
  const { databases } = session.cluster
  const { placement } = table
  if (placement.kind !== 'distributed') return null
  const [database = '', after] = at === null ? [databases[0]] : (JSON.parse(at) as [string, string])
  const value = `CAST(${quoteName(column.name)} AS TEXT)`
  const [rows = []] = await session.on(database, [
    {
      text: `SELECT CAST(rowid AS TEXT) AS n, ${value} AS value, CAST(${quoteName(placement.by)} AS TEXT) AS by FROM ${quoteName(table.name)} WHERE ${value} IS NOT NULL AND (?1 IS NULL OR rowid > CAST(?1 AS INTEGER)) ORDER BY rowid LIMIT ${rowsAtOnce}`,
      parameters: [after ?? null],
    },
  ])
  const claims = rows.map(
    (row): Claim => ({
      table,
      column,
      value: row.value as string,
      slot: slotOf((row.by as string | null) ?? ''),
    }),
  )
  const { taken, contended, unproven } = await reserve(
    session,
    claims,
    `filled:${crypto.randomUUID()}`,
    false,
    true,
  )
  const [unasked] = unproven
  if (unasked) throw unasked.cause
  if (contended) throw new Error(`values of ${nameOf({ table, column })} are being written by others`)
  for (const claim of taken) {
    const name = nameOf(claim)
    await noteConflict(
      session,
      { kind: 'slots', slots: [keySlot(claim.value)] },
      'value',
      name,
      claim.value,
      {
        slot: claim.slot,
      },
    )
    tell({ kind: 'value-twice', name, value: claim.value })
  }
  if (rows.length === rowsAtOnce) return JSON.stringify([database, rows.at(-1)?.n])
  const next = databases[databases.indexOf(database) + 1]
  return next === undefined ? null : JSON.stringify([next, null])
}
