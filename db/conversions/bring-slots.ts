/**
 * Slots that come to the primary database before tables change there, and go back afterwards: by moves as any others.
 * @module
 */
import { readMap } from '../doors/read-map.ts'
import { insertMove, type Move, type Slots, turnMove } from '../moves/moves.ts'
import { both } from '../moves/pieces.ts'
import { rangesOf } from '../moves/plan-moves.ts'
import type { ShardMap } from '../slots/shard-map.ts'
import type { Conversion } from './conversion.ts'
import { type ConversionWorld, primaryOf, run } from './conversion-world.ts'

const gatherPrefix = ({ id }: Conversion) => `${id}-in-`
const spreadPrefix = ({ id }: Conversion) => `${id}-out-`

/** What has become of the moves of one direction: none was asked for yet, some are under way, all have ended, and why one has not done so well. */
export interface MovesMade {
  readonly count: number
  readonly haveEnded: boolean
  /** Of one that failed or was cancelled; null: there is none. */
  readonly stopped: string | null
}

async function madeOf(world: ConversionWorld, prefix: string): Promise<MovesMade> {
  const moves = await movesOf(world, prefix)
  const stopped = moves.find(({ state }) => state === 'failed' || state === 'cancelled')
  return {
    count: moves.length,
    haveEnded: moves.every(({ state }) => ['done', 'failed', 'cancelled'].includes(state)),
    stopped: stopped ? (stopped.error ?? stopped.state) : null,
  }
}

async function movesOf(
  world: ConversionWorld,
  prefix: string,
): Promise<Pick<Move, 'id' | 'state' | 'error'>[]> {
  const { results } = await primaryOf(world)
    .prepare('SELECT id, state, error FROM _atoll_moves WHERE substr(id, 1, length(?1)) = ?1')
    .bind(prefix)
    .all<Pick<Move, 'id' | 'state' | 'error'>>()
  return results
}

/** The moves by which slots come together. */
export const gathered = (world: ConversionWorld, conversion: Conversion) =>
  madeOf(world, gatherPrefix(conversion))

/** The moves by which they go back. */
export const spreadBack = (world: ConversionWorld, conversion: Conversion) =>
  madeOf(world, spreadPrefix(conversion))

/** Asks for moves, unless that was done before. */
async function askFor(
  world: ConversionWorld,
  prefix: string,
  moves: readonly { readonly source: string; readonly target: string; readonly ranges: readonly Slots[] }[],
): Promise<void> {
  const created = world.now()
  await run(
    primaryOf(world),
    moves.map((move, i) => {
      const { text, parameters } = insertMove({ ...move, id: `${prefix}${i}`, created })
      return { text: text.replace(/^INSERT /, 'INSERT OR IGNORE '), parameters }
    }),
  )
}

/** Asks for all slots of some shards to come to the primary database. */
export async function gatherFrom(
  world: ConversionWorld,
  conversion: Conversion,
  map: ShardMap,
  shards: readonly string[],
): Promise<void> {
  const moves = shards.map((source) => ({ source, target: 'DB', ranges: rangesOf(map, source) }))
  await askFor(world, gatherPrefix(conversion), moves)
}

/** Lets no more of them come. */
export async function stopGathering(world: ConversionWorld, conversion: Conversion): Promise<void> {
  const moves = await movesOf(world, gatherPrefix(conversion))
  await run(
    primaryOf(world),
    moves.map(({ id }) => turnMove(id, ['waiting', 'running', 'paused'], 'cancelling', world.now())),
  )
}

/** Asks for slots to go back to where they were. @returns whether there are any */
export async function spreadFromPrimary(world: ConversionWorld, conversion: Conversion): Promise<boolean> {
  const here = rangesOf(await readMap(world.databases), 'DB')
  const back = [...Map.groupBy(conversion.ranges, ({ shard }) => shard)].flatMap(([target, own]) => {
    const ranges = both(
      here,
      own.map(({ first, last }): Slots => [first, last]),
    )
    return ranges.length === 0 || !world.databases.has(target) ? [] : [{ source: 'DB', target, ranges }]
  })
  await askFor(world, spreadPrefix(conversion), back)
  return back.length > 0
}
