/**
 * Fences: the first statement of every batch that touches distributed rows. It fails, and the batch with it, when the
 * database does not own what the router believes that it does. A statement that only reads, so that replicas can run it.
 * @module
 */

import { movedMark, staleCopyMark } from '../errors/constraint-error.ts'
import type { Part } from '../slots/parts.ts'
import type { ShardMap } from '../slots/shard-map.ts'
import type { BoundStatement } from '../sql/statement.ts'
import type { ClusterSession } from './session.ts'

const refuse = `json_extract('{}','${movedMark}')`

const ownsSlots = `SELECT CASE WHEN NOT EXISTS (SELECT 1 FROM json_each(?1) AS wanted WHERE NOT EXISTS (SELECT 1 FROM _atoll_slots WHERE first <= wanted.value AND last >= wanted.value AND state = 'open')) THEN 1 ELSE ${refuse} END`

const isUnchanged = `SELECT CASE WHEN (SELECT epoch FROM _atoll_shard) = CAST(?1 AS INTEGER) THEN 1 ELSE ${refuse} END`

/** Of a write, too, that no slot is about to leave: what it changed there would stay behind. */
const isUnchangedAndOpen = `SELECT CASE WHEN (SELECT epoch FROM _atoll_shard) = CAST(?1 AS INTEGER) AND NOT EXISTS (SELECT 1 FROM _atoll_slots WHERE state <> 'open') THEN 1 ELSE ${refuse} END`

const hasCopied = `SELECT CASE WHEN reference_sequence >= CAST(?1 AS INTEGER) THEN 1 ELSE json_extract('{}','${staleCopyMark}') END FROM _atoll_shard`

/** Where a session keeps, beside its bookmarks, how far the log of reference tables was when it wrote one. */
export const referencePosition = 'references'

/** Where it keeps the epoch of the map that it was answered by: an older one leads to replicas that know less. */
export const mapPosition = 'map'

/** A position as text that compares like the number. */
export function positionText(sequence: number): string {
  return String(sequence).padStart(16, '0')
}

/**
 * Of a part that names slots, that these are owned and open; of any other, that nothing has changed since the map was read.
 * Of a shard in a session that wrote a reference table, that its copies are as new.
 */
export function fenceFor(part: Part, map: ShardMap, session: ClusterSession): BoundStatement[] {
  const owns =
    part.slots === null
      ? {
          text: session.reads ? isUnchanged : isUnchangedAndOpen,
          parameters: [String(map.epochs.get(part.database) ?? -1)],
        }
      : { text: ownsSlots, parameters: [JSON.stringify([...part.slots])] }
  const seen = session.bookmarks.get(referencePosition)
  if (seen === undefined || part.database === 'DB') return [owns]
  return [owns, { text: hasCopied, parameters: [String(Number(seen))] }]
}
