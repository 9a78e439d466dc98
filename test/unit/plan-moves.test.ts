import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Move, Slots } from '../../db/moves/moves.ts'
import { both, nextPiece, rowsAfter, slotsIn, without } from '../../db/moves/pieces.ts'
import { planDrain, planRebalance, rangesOf } from '../../db/moves/plan-moves.ts'
import { evenRanges, type ShardMap } from '../../db/slots/shard-map.ts'
import { readSlots, shownMoves, shownSlots } from '../../functions/shards/shown.ts'

const mapOf = (shards: readonly string[]): ShardMap => ({
  epoch: 1,
  ranges: evenRanges(shards),
  epochs: new Map(),
})

const range = fc
  .tuple(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 0, max: 12 }))
  .map(([first, length]): Slots => [first, first + length])
const ranges = fc.array(range, { maxLength: 6 })
const setOf = (list: readonly Slots[]) =>
  new Set(list.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, i) => first + i)))

describe('ranges of slots', () => {
  it('are taken from each other as sets are', () => {
    fc.assert(
      fc.property(range, ranges, (whole, taken) => {
        const left = setOf(without([whole], taken))
        expect(left).toEqual(new Set([...setOf([whole])].filter((slot) => !setOf(taken).has(slot))))
        expect(setOf(both([whole], taken))).toEqual(
          new Set([...setOf([whole])].filter((slot) => setOf(taken).has(slot))),
        )
      }),
    )
  })

  it('are read as they are shown', () => {
    expect(readSlots('0-99, 200,16383')).toEqual([
      [0, 99],
      [200, 200],
      [16383, 16383],
    ])
    expect(
      shownSlots([
        [0, 99],
        [200, 200],
      ]),
    ).toBe('0-99,200')
    for (const text of ['', 'a', '5-4', '16384', '0-', '-1', '1;2'])
      expect([text, readSlots(text)]).toEqual([text, null])
  })
})

describe('a piece', () => {
  const staged = [3, 4, 5, 9].map((slot) => ({ slot, rows: 40, bytes: 4000 }))

  it('has no more rows than it may, but one slot at least, and empty slots with it', () => {
    expect(nextPiece([[0, 20]], staged, 100)).toEqual({ slots: [0, 4], rows: 80 })
    expect(nextPiece([[5, 20]], staged, 10)).toEqual({ slots: [5, 8], rows: 40 })
    expect(nextPiece([[10, 20]], staged, 10)).toEqual({ slots: [10, 20], rows: 0 })
    expect(nextPiece([], staged, 10)).toBeNull()
  })

  it('grows and shrinks with what the last one took', () => {
    expect(rowsAfter(500, 500, 125, 0)).toBe(1000)
    expect(rowsAfter(1000, 1000, 1000, 0)).toBe(250)
    // What is spent anyway, fewer rows do not save.
    expect(rowsAfter(1000, 1000, 400, 200)).toBe(625)
    expect(rowsAfter(500, 10, 900, 0)).toBe(500)
    expect(rowsAfter(200, 200, 60_000, 0)).toBe(200)
  })
})

describe('a plan', () => {
  const map = mapOf(['DB', 'SHARD_1', 'SHARD_2'])

  it('leaves alone what bears about the same', () => {
    const bearings = ['DB', 'SHARD_1', 'SHARD_2'].map((database, i) => ({ database, weight: 100 + 4 * i }))
    expect(planRebalance(map, bearings, 0.1)).toEqual([])
  })

  it('brings a new database its share, in slots of those that bear more', () => {
    const bearings = ['DB', 'SHARD_1', 'SHARD_2', 'SHARD_3'].map((database, i) => ({
      database,
      weight: i === 3 ? 0 : 400,
    }))
    const moves = planRebalance(map, bearings, 0.1)
    expect(moves.map(({ source, target }) => [source, target])).toEqual([
      ['DB', 'SHARD_3'],
      ['SHARD_1', 'SHARD_3'],
      ['SHARD_2', 'SHARD_3'],
    ])
    for (const { ranges, weight } of moves) {
      expect(weight).toBeCloseTo(100, 0)
      expect(slotsIn(ranges)).toBeCloseTo(16_384 / 12, -1)
    }
  })

  it('evens out any weights, and moves no slot twice or from where it is not', () => {
    const weights = fc.array(fc.integer({ min: 0, max: 1000 }), { minLength: 3, maxLength: 3 })
    fc.assert(
      fc.property(weights, (list) => {
        const bearings = ['DB', 'SHARD_1', 'SHARD_2'].map((database, i) => ({
          database,
          weight: list[i] as number,
        }))
        const after = new Map(bearings.map(({ database, weight }) => [database, weight]))
        const taken: Slots[] = []
        for (const { source, target, ranges, weight } of planRebalance(map, bearings, 0.1)) {
          expect(slotsIn(both(ranges, rangesOf(map, source)))).toBe(slotsIn(ranges))
          expect(slotsIn(both(ranges, taken))).toBe(0)
          taken.push(...ranges)
          after.set(source, (after.get(source) as number) - weight)
          after.set(target, (after.get(target) as number) + weight)
        }
        const spread = (values: readonly number[]) => Math.max(...values) - Math.min(...values)
        expect(spread([...after.values()])).toBeLessThanOrEqual(spread(list) + 1)
      }),
    )
  })

  it('drains a database to the last slot', () => {
    const bearings = ['DB', 'SHARD_1', 'SHARD_2'].map((database) => ({ database, weight: 300 }))
    const moves = planDrain(map, 'SHARD_1', bearings)
    expect(moves.map(({ target }) => target).sort()).toEqual(['DB', 'SHARD_2'])
    const ranges = moves.flatMap((move) => move.ranges)
    expect(without(rangesOf(map, 'SHARD_1'), ranges)).toEqual([])
    expect(slotsIn(ranges)).toBe(slotsIn(rangesOf(map, 'SHARD_1')))
  })
})

describe('moves that are shown', () => {
  const move: Move = {
    id: 'M',
    source: 'DB',
    target: 'SHARD_1',
    ranges: [[0, 99]],
    state: 'cancelled',
    progress: null,
    error: null,
    created: 0,
    updated: 1000,
  }
  const back: Move = { ...move, id: 'M-back', source: 'SHARD_1', target: 'DB', state: 'running' }
  const states = (moves: readonly Move[]) =>
    shownMoves(moves).map(({ id, state, phase }) => [id, state, phase])

  it('are one thing with what brings them back', () => {
    expect(states([back, move])).toEqual([['M', 'cancelling', 'going back']])
    expect(states([{ ...back, state: 'done' }, move])).toEqual([['M', 'cancelled', null]])
    expect(states([{ ...back, state: 'failed' }, move])).toEqual([['M', 'failed', null]])
    expect(shownMoves([back, move])[0]?.back).toMatchObject({ from: 'SHARD_1', to: 'DB' })
  })

  it('are themselves where nothing goes back', () => {
    expect(states([move])).toEqual([['M', 'cancelled', null]])
    expect(states([back])).toEqual([['M-back', 'running', 'waiting']])
  })
})
