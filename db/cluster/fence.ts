/**
 * Fences: the first statement of every batch that touches distributed rows. It fails, and the batch with it, when the
 * database does not own what the router believes that it does. A statement that only reads, so that replicas can run it.
 * @module
 */
import type { Part } from './cluster.ts'
import { movedMark } from './constraint-error.ts'
import type { BoundStatement } from './database.ts'
import type { ShardMap } from './shard-map.ts'

const refuse = `json_extract('{}','${movedMark}')`

const ownsSlots = `SELECT CASE WHEN NOT EXISTS (SELECT 1 FROM json_each(?1) AS wanted WHERE NOT EXISTS (SELECT 1 FROM _atoll_slots WHERE first <= wanted.value AND last >= wanted.value AND state = 'open')) THEN 1 ELSE ${refuse} END`

const isUnchanged = `SELECT CASE WHEN (SELECT epoch FROM _atoll_shard) = CAST(?1 AS INTEGER) THEN 1 ELSE ${refuse} END`

/** Of a part that names slots, that these are owned and open; of any other, that nothing has changed since the map was read. */
export function fenceFor(part: Part, map: ShardMap): BoundStatement {
  if (part.slots !== null) return { text: ownsSlots, parameters: [JSON.stringify([...part.slots])] }
  return { text: isUnchanged, parameters: [String(map.epochs.get(part.database) ?? -1)] }
}
