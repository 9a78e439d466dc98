/**
 * Fences: the first statement of every batch that touches distributed rows. It fails, and the batch with it, when the
 * database does not own what the router believes that it does. A statement that only reads, so that replicas can run it.
 * @module
 */

import { movedMark, staleCopyMark } from '../errors/constraint-error.ts'
import type { Part } from '../slots/parts.ts'
import type { ShardMap } from '../slots/shard-map.ts'
import type { BoundStatement, Fence, Row } from '../sql/statement.ts'
import type { ClusterSession } from './session.ts'

const refuse = `json_extract('{}','${movedMark}')`

const lostSlots = `FROM json_each(?1) AS wanted WHERE NOT EXISTS (SELECT 1 FROM _atoll_slots WHERE first <= wanted.value AND last >= wanted.value AND state = 'open')`

const ownsSlots = `SELECT CASE WHEN NOT EXISTS (SELECT 1 ${lostSlots}) THEN 1 ELSE ${refuse} END`

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
  const { slots } = part
  const epoch = map.epochs.get(part.database) ?? -1
  const owns: BoundStatement =
    slots === null
      ? {
          text: session.reads ? isUnchanged : isUnchangedAndOpen,
          parameters: [String(epoch)],
          fence: { kind: 'epoch', epoch },
        }
      : {
          text: ownsSlots,
          parameters: [JSON.stringify([...slots])],
          fence: { kind: 'slots', slots: [...slots] },
        }
  const seen = session.bookmarks.get(referencePosition)
  if (seen === undefined || part.database === 'DB') return [owns]
  const sequence = Number(seen)
  return [owns, { text: hasCopied, parameters: [String(sequence)], fence: { kind: 'copies', sequence } }]
}

const states = `SELECT (SELECT epoch FROM _atoll_shard) AS epoch, (SELECT reference_sequence FROM _atoll_shard) AS copied, (SELECT json_group_array(wanted.value) ${lostSlots}) AS lost`

/**
 * The fences of several reads that share a transaction, as one statement that does not fail: each read is held against what it tells
 * (`isOwned`), so that one's refusal is none of the others'.
 */
export function gatheredFence(fences: readonly Fence[]): BoundStatement {
  const slots = new Set(fences.flatMap((fence) => (fence.kind === 'slots' ? fence.slots : [])))
  return { text: states, parameters: [JSON.stringify([...slots])] }
}

/** Whether a fence lets its read pass. @param told the row of `gatheredFence` */
export function isOwned(fence: Fence, told: Row | undefined): boolean {
  if (told === undefined) return false
  if (fence.kind === 'epoch') return told.epoch === fence.epoch
  if (fence.kind === 'copies') return Number(told.copied ?? -1) >= fence.sequence
  if (told.lost === '[]') return true
  const lost = new Set(JSON.parse(told.lost as string) as number[])
  return !fence.slots.some((slot) => lost.has(slot))
}
