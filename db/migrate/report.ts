/**
 * What migrations did, or would do, in lines for people.
 * @module
 */
import type { MigrationReport } from './migrate-cluster.ts'
import type { PlannedMigration } from './plan-migration.ts'

/** What was done to each database, a line each. */
export function reportText(reports: readonly MigrationReport[]): string[] {
  return reports.flatMap(({ database, applied, done }) => {
    const lines = [...applied.map((name) => `applied ${name}`), ...done]
    return (lines.length === 0 ? ['nothing to do'] : lines).map((line) => `${database}: ${line}`)
  })
}

/** Of each migration: which databases lack it, what it does, and whether the version that runs can bear it. */
export function planText(reports: readonly MigrationReport[]): string[] {
  const planned = Map.groupBy(
    reports.flatMap(({ database, planned: own }) => own.map((one) => ({ database, one }))),
    ({ one }) => one.migration.name,
  )
  if (planned.size === 0) return ['Nothing to do: every database has all migrations.']
  return [...planned].flatMap(([name, entries]) => {
    const { one } = entries[0] as { one: PlannedMigration }
    return [
      `${name}, on ${entries.map(({ database }) => database).join(', ')}: ${verdictOf(one)}`,
      ...one.effects.map(({ kind, text }) => `  ${kind.padEnd(8)} ${text}`),
    ]
  })
}

function verdictOf({ effects }: PlannedMigration): string {
  const contracts = effects.some(({ kind }) => kind === 'contract')
  return contracts
    ? 'contract (deploy the version that does not need what goes before you apply it)'
    : 'expand (apply it before you deploy; the version that runs goes on)'
}
