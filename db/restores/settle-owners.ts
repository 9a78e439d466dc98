/**
 * Who owns which slots, after a restore: the databases themselves say it, and the map is made anew of that. Slots that two of them own by
 * now, or none, are nobody's until the operator has decided; nothing is deleted.
 * @module
 */
import type { ClusterSession } from '../cluster/session.ts'
import { parseMap, readMapText, type ShardMap, type SlotRange } from '../slots/shard-map.ts'
import { slotCount } from '../slots/slots.ts'
import { conflictsOn, noteConflict } from './conflicts.ts'
import type { RepairNote } from './repair-note.ts'

interface Owner {
  readonly database: string
  readonly epoch: number
  readonly ranges: readonly { readonly first: number; readonly last: number; readonly state: string }[]
}

/** Slots in a row that the same databases own. */
interface Segment {
  readonly first: number
  readonly last: number
  readonly owners: readonly Owner[]
}

/** A range that another database has taken since: fences refuse it. */
const disputed = 'disputed'

/**
 * @param wentBack the database that was put back in time: of two owners, it is the one whose rows are older
 * @returns whether the map has changed
 */
export async function settleOwners(
  session: ClusterSession,
  wentBack: string,
  tell: (note: RepairNote) => void,
): Promise<boolean> {
  const { cluster } = session
  const owners = await Promise.all(cluster.databases.map((database) => readOwner(session, database)))
  const [mapRows = []] = await session.primary([{ text: readMapText, parameters: [] }])
  const map = parseMap(mapRows[0])
  const segments = segmentsOf(owners)
  const uncertain = segments.filter((segment) => segment.owners.length !== 1)
  if (uncertain.some((segment) => isMoving(segment, wentBack)))
    throw new Error('slots are moving: who owns them is looked at later')
  const ranges = segments.map(({ first, last, owners }): SlotRange => {
    const rank = (owner: Owner) =>
      (stateOf(owner, first) === disputed ? 2 : 0) + Number(owner.database === wentBack)
    const [owner] = [...owners].sort((a, b) => rank(a) - rank(b) || b.epoch - a.epoch)
    return { first, last, shard: owner?.database ?? ownerBefore(map, first) ?? wentBack }
  })
  /** Databases whose answers to questions to all would lack rows, or have some twice. */
  const wrong = new Set([
    ...uncertain.flatMap((segment) => {
      const owner = ranges.find(({ first }) => first === segment.first)?.shard
      if (segment.owners.length === 0) return [owner]
      return segment.owners.map(({ database }) => database).filter((database) => database !== owner)
    }),
  ])
  const noted = (await conflictsOn(session, cluster.primary))
    .filter(({ kind }) => kind === 'slots')
    .map(({ key }) => key)
  const isNoted = JSON.stringify(noted.sort()) === JSON.stringify(uncertain.map(keyOf).sort())
  if (map && isNoted && agrees(map, ranges, owners, wrong)) return false
  const epoch = Math.max(map?.epoch ?? 0, ...owners.map((owner) => owner.epoch)) + 1
  for (const owner of owners) {
    await session.on(owner.database, [
      ...losses(owner, segments, ranges),
      { text: 'UPDATE _atoll_shard SET epoch = CAST(?1 AS INTEGER)', parameters: [String(epoch)] },
    ])
  }
  await writeMap(session, epoch, merged(ranges), owners, wrong)
  for (const segment of uncertain) {
    const { first, last } = segment
    const names = segment.owners.map(({ database }) => database)
    await noteConflict(session, cluster.primary, 'slots', names.join(', '), keyOf(segment), { owners: names })
    tell({ kind: 'slots', first, last, owners: names })
  }
  tell({ kind: 'map', epoch })
  return true
}

async function readOwner(session: ClusterSession, database: string): Promise<Owner> {
  const [ranges = [], rows = []] = await session.on(database, [
    {
      text: 'SELECT first, last, state FROM _atoll_slots ORDER BY first',
      parameters: [],
    },
    { text: 'SELECT epoch FROM _atoll_shard', parameters: [] },
  ])
  return { database, epoch: Number(rows[0]?.epoch ?? 0), ranges: ranges as unknown as Owner['ranges'] }
}

function segmentsOf(owners: readonly Owner[]): Segment[] {
  const begins = new Set([0])
  for (const { ranges } of owners) for (const { first, last } of ranges) begins.add(first).add(last + 1)
  const sorted = [...begins].filter((first) => first < slotCount).sort((a, b) => a - b)
  return sorted.map((first, i) => ({
    first,
    last: (sorted[i + 1] ?? slotCount) - 1,
    owners: owners.filter((owner) => stateOf(owner, first) !== undefined),
  }))
}

/** What a database says of a slot; undefined when it does not own it. */
function stateOf({ ranges }: Owner, slot: number): string | undefined {
  return ranges.find(({ first, last }) => first <= slot && last >= slot)?.state
}

const keyOf = ({ first, last }: Segment) => `${first}-${last}`

/** Whether it is a move that goes on, and no trace of a restore. */
function isMoving({ first, owners }: Segment, wentBack: string): boolean {
  return owners.some((owner) => {
    const state = stateOf(owner, first)
    return state === 'arriving' || (owner.database !== wentBack && state === 'closed')
  })
}

function ownerBefore(map: ShardMap | null, slot: number): string | undefined {
  return map?.ranges.find(({ first, last }) => first <= slot && last >= slot)?.shard
}

/** Neighbours of one owner as one range. */
function merged(ranges: readonly SlotRange[]): SlotRange[] {
  const found: SlotRange[] = []
  for (const range of ranges) {
    const last = found.at(-1)
    if (last?.shard === range.shard) found[found.length - 1] = { ...last, last: range.last }
    else found.push(range)
  }
  return found
}

function agrees(
  map: ShardMap,
  ranges: readonly SlotRange[],
  owners: readonly Owner[],
  wrong: ReadonlySet<string | undefined>,
): boolean {
  const same = JSON.stringify(merged(map.ranges)) === JSON.stringify(merged(ranges))
  return (
    same &&
    owners.every(({ database, epoch }) => map.epochs.get(database) === (wrong.has(database) ? -1 : epoch))
  )
}

/** What a database claims and does not own any more. */
function losses(owner: Owner, segments: readonly Segment[], ranges: readonly SlotRange[]) {
  const own = segments.filter(({ owners }) => owners.includes(owner))
  const isLost = ({ first }: Segment) =>
    ranges.find((range) => range.first === first)?.shard !== owner.database
  if (!own.some(isLost)) return []
  const states = own.map((segment) => [
    segment.first,
    segment.last,
    isLost(segment) ? disputed : (stateOf(owner, segment.first) ?? 'open'),
  ])
  return [
    { text: 'DELETE FROM _atoll_slots', parameters: [] },
    {
      text: 'INSERT INTO _atoll_slots (first, last, state) SELECT value->>0, value->>1, value->>2 FROM json_each(?1)',
      parameters: [JSON.stringify(states)],
    },
  ]
}

async function writeMap(
  session: ClusterSession,
  epoch: number,
  ranges: readonly SlotRange[],
  owners: readonly Owner[],
  wrong: ReadonlySet<string | undefined>,
): Promise<void> {
  // No database is ever at epoch -1: questions to all shards are refused.
  const epochs = owners.map(({ database }) => [database, wrong.has(database) ? -1 : epoch])
  await session.primary([
    { text: 'DELETE FROM _atoll_shard_map', parameters: [] },
    {
      text: 'INSERT INTO _atoll_shard_map (first, last, shard) SELECT value->>0, value->>1, value->>2 FROM json_each(?1)',
      parameters: [JSON.stringify(ranges.map(({ first, last, shard }) => [first, last, shard]))],
    },
    {
      text: 'INSERT OR REPLACE INTO _atoll_shards (name, epoch) SELECT value->>0, value->>1 FROM json_each(?1)',
      parameters: [JSON.stringify(epochs)],
    },
    { text: "DELETE FROM _atoll_conflicts WHERE kind = 'slots'", parameters: [] },
    {
      text: 'INSERT OR REPLACE INTO _atoll_cluster VALUES (1, CAST(?1 AS INTEGER))',
      parameters: [String(epoch)],
    },
  ])
}
