import type { DatabasePool } from './databases.ts'
import { evolveOnce, type Migrate } from './evolve.ts'

export interface EvolutionsRun {
  readonly evolutions: number
  readonly refusals: number
  /** Steps that were played, by kind. */
  readonly counts: ReadonlyMap<string, number>
  /** First differences, each with its seed and what led to it. */
  readonly differences: readonly string[]
}

/** While one waits for its database, others work out what comes next. */
const atOnce = 3

/** Plays evolutions from a first seed on, until there are enough or some differ. */
export async function runEvolutions(
  pool: DatabasePool,
  options: {
    readonly firstSeed: number
    readonly evolutions: number
    readonly databases: 1 | 4
    readonly steps: number
    readonly migrate: Migrate
    /** Differences after which it stops. */
    readonly enough?: number
  },
): Promise<EvolutionsRun> {
  const { firstSeed, evolutions, databases, steps, migrate, enough = 1 } = options
  const counts = new Map<string, number>()
  const differences: string[] = []
  let refusals = 0
  let begun = 0
  const work = async () => {
    while (begun < evolutions && differences.length < enough) {
      begun += 1
      const evolution = await evolveOnce(firstSeed + begun - 1, {
        databases,
        steps,
        migrate,
        open: pool.open,
      })
      for (const [kind, count] of evolution.counts) counts.set(kind, (counts.get(kind) ?? 0) + count)
      refusals += evolution.refusals
      if (evolution.difference !== null) differences.push(evolution.difference)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  return { evolutions: begun, refusals, counts, differences }
}
