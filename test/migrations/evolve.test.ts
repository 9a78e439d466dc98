import { afterAll, describe, expect, it } from 'vitest'
import { migrateCluster } from '../../db/migrate/migrate-cluster.ts'
import { createDatabasePool } from '../support/evolve/databases.ts'
import type { Migrate } from '../support/evolve/evolve.ts'
import { runEvolutions } from '../support/evolve/run-evolutions.ts'

/** Evolutions on one database; on four, which take three times as long, it is a third. */
const evolutions = Number(process.env.ATOLL_EVOLUTIONS ?? 6)
const firstSeed = Number(process.env.ATOLL_EVOLUTION_SEED ?? 1)
const pool = createDatabasePool()
const timeoutMs = 120_000 + evolutions * 10_000

afterAll(() => pool.close())

const migrate: Migrate = (databases, catalog, migrations) =>
  migrateCluster(databases, catalog, migrations as never)

async function evolve(databases: 1 | 4, count: number): Promise<void> {
  const run = await runEvolutions(pool, { firstSeed, evolutions: count, databases, steps: 6, migrate })
  const kinds = [...run.counts].sort().map(([kind, number]) => `  ${kind}: ${number}`)
  console.info(
    `${run.evolutions} evolutions on ${databases} from seed ${firstSeed}, ${run.refusals} steps refused as they must be\n${kinds.join('\n')}`,
  )
  expect(run.differences.join('\n\n')).toBe('')
}

describe('a schema that changes step by step, with rows in its tables', () => {
  it('has every row afterwards on one database', () => evolve(1, evolutions), timeoutMs)

  it('has every row afterwards on four databases', () => evolve(4, Math.ceil(evolutions / 3)), timeoutMs)
})
