/**
 * Carries planned migrations out, and tries them before.
 * @module
 */

import type { MigrationDatabase } from '../sql/migration-database.ts'
import { permitAllText, permittedTexts } from '../system/permits.ts'
import { hashOf } from './migration.ts'
import type { PlannedMigration } from './plan-migration.ts'
import type { Step } from './planner.ts'
import { isUntold, untold } from './untold.ts'

/** Lets parents come after their children, and lets nothing be left open when the transaction ends. */
const deferred = 'PRAGMA defer_foreign_keys = ON'

/** What a trial ends with: a path that JSON does not have, so that all is undone. */
const triedMark = 'atoll/tried'
const undo = `SELECT json_extract('{}', '${triedMark}')`

/** Applies a migration, as one transaction with the notes that it is done. */
export async function applyMigration(database: MigrationDatabase, planned: PlannedMigration): Promise<void> {
  const { name, sql: text } = planned.migration
  const steps = planned.steps.map(({ sql }) => sql)
  const told = isUntold(text) ? [untold.before, ...steps, ...untold.after] : steps
  await database.batch([
    database.prepare(deferred),
    // First, so that of two who apply it at the same time one fails before it has worked.
    database.prepare('INSERT INTO d1_migrations (name) VALUES (?)').bind(name),
    database
      .prepare('INSERT OR REPLACE INTO _atoll_migrations (name, hash) VALUES (?, ?)')
      .bind(name, hashOf(planned.migration)),
    ...permittedTexts(told).map((sql) => database.prepare(sql)),
  ])
}

/** Where a trial failed. */
export interface Failure {
  readonly planned: PlannedMigration
  readonly step: Step
  /** What the database said. */
  readonly reason: string
}

/**
 * Does all that planned migrations would do, and undoes it.
 *
 * @param before statements that make what the migrations stand on
 * @returns what fails, or null
 */
export async function tryMigrations(
  database: MigrationDatabase,
  migrations: readonly PlannedMigration[],
  before: readonly string[],
): Promise<Failure | null> {
  const steps = migrations.flatMap((planned) => planned.steps.map((step) => ({ planned, step })))
  const run = async (count: number): Promise<string | null> => {
    const texts = [
      deferred,
      ...before,
      permitAllText,
      ...steps.slice(0, count).map(({ step }) => step.sql),
      undo,
    ]
    try {
      await database.batch(texts.map((text) => database.prepare(text)))
    } catch (error) {
      const reason = (error as Error).message
      return reason.includes(triedMark) ? null : reason
    }
    throw new Error('a trial was not undone')
  }
  let reason = await run(steps.length)
  if (reason === null) return null
  // D1 does not say which statement of a batch has failed: it is the last of the shortest beginning that fails.
  let [low, high] = [0, steps.length]
  while (high - low > 1) {
    const middle = (low + high) >> 1
    const found = await run(middle)
    if (found === null) low = middle
    else {
      high = middle
      reason = found
    }
  }
  const { planned, step } = steps[high - 1] as (typeof steps)[number]
  return { planned, step, reason }
}
