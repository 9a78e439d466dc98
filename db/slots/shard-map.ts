/**
 * Which shard owns which slots. The map lies in `DB`; every database knows the slots that it owns itself, and refuses what
 * is meant for others.
 * @module
 */
import { slotCount } from './slots.ts'

/** Slots from `first` to `last`, both included. */
export interface SlotRange {
  readonly first: number
  readonly last: number
  /** Binding of the database. */
  readonly shard: string
}

/** Who owns which slots; every slot is owned once. */
export interface ShardMap {
  /** Grows with every change of the map. */
  readonly epoch: number
  /** Every slot once, in order. */
  readonly ranges: readonly SlotRange[]
  /** For each shard that owns slots, the epoch at which these last changed. */
  readonly epochs: ReadonlyMap<string, number>
}

/** Everything in one database. */
export function wholeMap(shard: string): ShardMap {
  return { epoch: 0, ranges: [{ first: 0, last: slotCount - 1, shard }], epochs: new Map([[shard, 0]]) }
}

/** Slots in equal parts, in the order of the shards. */
export function evenRanges(shards: readonly string[]): SlotRange[] {
  return shards.map((shard, i) => ({
    first: Math.floor((i * slotCount) / shards.length),
    last: Math.floor(((i + 1) * slotCount) / shards.length) - 1,
    shard,
  }))
}

/** How many slots a shard owns. */
export function slotsOwned(map: ShardMap, shard: string): number {
  return map.ranges.reduce(
    (sum, range) => sum + (range.shard === shard ? range.last - range.first + 1 : 0),
    0,
  )
}

/** The database that owns a slot, by binary search. */
export function ownerOf(map: ShardMap, slot: number): string {
  let low = 0
  let high = map.ranges.length - 1
  while (low < high) {
    const middle = (low + high) >> 1
    if ((map.ranges[middle] as SlotRange).last < slot) low = middle + 1
    else high = middle
  }
  return (map.ranges[low] as SlotRange).shard
}

/** The shards that own slots, in the order of their first. */
export function ownersIn(map: ShardMap): string[] {
  return [...new Set(map.ranges.map(({ shard }) => shard))]
}

/** Reads the map in one row: its epoch, and JSON of ranges and epochs. */
export const readMapText = `SELECT (SELECT epoch FROM _atoll_cluster) AS epoch,
 (SELECT json_group_array(json_array(first, last, shard) ORDER BY first) FROM _atoll_shard_map) AS ranges,
 (SELECT json_group_array(json_array(name, epoch)) FROM _atoll_shards) AS epochs`

/** @returns null when no map has been made */
export function parseMap(row: Readonly<Record<string, unknown>> | undefined): ShardMap | null {
  if (typeof row?.epoch !== 'number') return null
  const ranges = JSON.parse(row.ranges as string) as [number, number, string][]
  if (ranges.length === 0) return null
  return {
    epoch: row.epoch,
    ranges: ranges.map(([first, last, shard]) => ({ first, last, shard })),
    epochs: new Map(JSON.parse(row.epochs as string) as [string, number][]),
  }
}
