/**
 * Which slots should move where, as far as a map and the weights of databases say. Nothing is asked here.
 * @module
 */
import type { ShardMap } from '../slots/shard-map.ts'
import type { Slots } from './moves.ts'
import { slotsIn } from './pieces.ts'

/** A database and what it bears. */
export interface Bearing {
  readonly database: string
  /** Of all its slots together, in any unit. */
  readonly weight: number
}

/** A move that nobody has asked for yet. */
export interface PlannedMove {
  readonly source: string
  readonly target: string
  readonly ranges: readonly Slots[]
  /** What is expected to go with them. */
  readonly weight: number
}

/** The ranges of a database. */
export function rangesOf({ ranges }: ShardMap, database: string): Slots[] {
  return ranges.filter(({ shard }) => shard === database).map(({ first, last }): Slots => [first, last])
}

/** The last so many slots of some ranges. */
function lastOf(ranges: readonly Slots[], count: number): Slots[] {
  const taken: Slots[] = []
  let left = count
  for (const [first, last] of ranges.toReversed()) {
    if (left <= 0) break
    const from = Math.max(first, last - left + 1)
    taken.unshift([from, last])
    left -= last - from + 1
  }
  return taken
}

/**
 * Moves after which the given databases bear about the same. Slots of a database are taken to be alike.
 *
 * @param threshold a database is left as it is when it is not further from the mean than this part of it; as Citus' rebalancer does
 */
export function planRebalance(map: ShardMap, bearings: readonly Bearing[], threshold: number): PlannedMove[] {
  const mean = bearings.reduce((sum, { weight }) => sum + weight, 0) / Math.max(1, bearings.length)
  const isFar = ({ weight }: Bearing) => Math.abs(weight - mean) > mean * threshold
  if (mean === 0 || !bearings.some(isFar)) return []
  const over = bearings
    .filter(({ weight }) => weight > mean)
    .map((one) => ({ ...one, ranges: rangesOf(map, one.database), excess: one.weight - mean }))
    .sort((a, b) => b.excess - a.excess)
  const under = bearings
    .filter(({ weight }) => weight < mean)
    .map((one) => ({ ...one, room: mean - one.weight }))
    .sort((a, b) => b.room - a.room)
  const moves: PlannedMove[] = []
  for (const giver of over) {
    const perSlot = giver.weight / Math.max(1, slotsIn(giver.ranges))
    let ranges = giver.ranges
    for (const taker of under) {
      const weight = Math.min(giver.excess, taker.room)
      const count = Math.min(Math.round(weight / perSlot), slotsIn(ranges) - 1)
      if (count <= 0 || weight < mean * Math.min(threshold, 0.01)) continue
      const own = lastOf(ranges, count)
      ranges = lessThan(ranges, own)
      giver.excess -= weight
      taker.room -= weight
      moves.push({ source: giver.database, target: taker.database, ranges: own, weight: count * perSlot })
    }
  }
  return moves
}

/** Ranges without others, which are at their end. */
function lessThan(ranges: readonly Slots[], taken: readonly Slots[]): Slots[] {
  const begin = taken[0]?.[0] ?? Number.POSITIVE_INFINITY
  return ranges.flatMap(([first, last]): Slots[] =>
    first >= begin ? [] : [[first, Math.min(last, begin - 1)]],
  )
}

/** Moves after which a database has no slots: each other one takes as much as it can best bear. */
export function planDrain(map: ShardMap, source: string, bearings: readonly Bearing[]): PlannedMove[] {
  const takers = bearings.filter(({ database }) => database !== source)
  const ranges = rangesOf(map, source)
  const count = slotsIn(ranges)
  const own = bearings.find(({ database }) => database === source)?.weight ?? 0
  if (takers.length === 0 || count === 0) return []
  const level = (own + takers.reduce((sum, { weight }) => sum + weight, 0)) / takers.length
  const rooms = takers.map(({ weight }) => Math.max(0, level - weight) || 1e-9)
  const all = rooms.reduce((sum, room) => sum + room, 0)
  const moves: PlannedMove[] = []
  let rest: readonly Slots[] = ranges
  for (const [i, { database }] of takers.entries()) {
    const left = slotsIn(rest)
    const share =
      i === takers.length - 1 ? left : Math.min(left, Math.round((count * (rooms[i] as number)) / all))
    if (share === 0) continue
    const taken = lastOf(rest, share)
    rest = lessThan(rest, taken)
    moves.push({ source, target: database, ranges: taken, weight: (own * share) / count })
  }
  return moves
}
