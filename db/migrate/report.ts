/**
 * What migrations did, or would do, in lines for people.
 * @module
 */
import { stayingText } from './as-rows-lie.ts'
import type { MigrationReport } from './migrate-cluster.ts'
import type { PlannedMigration } from './plan-migration.ts'

/** What was done to each database, a line each. */
export function reportText(reports: readonly MigrationReport[]): string[] {
  return reports.flatMap(({ database, applied, done, staying }) => {
    const lines = [...applied.map((name) => `applied ${name}`), ...done, ...staying.map(stayingText)]
    return (lines.length === 0 ? ['nothing to do'] : lines).map((line) => `${database}: ${line}`)
  })
}

/** Of each migration: which databases lack it, what it does, and whether the version that runs can bear it. */
export function planText(reports: readonly MigrationReport[]): string[] {
  const planned = Map.groupBy(
    reports.flatMap(({ database, planned: own }) => own.map((one) => ({ database, one }))),
    ({ one }) => one.migration.name,
  )
  const staying = reports.flatMap((report) => report.staying.map(stayingText))
  if (planned.size === 0) return ['Nothing to do: every database has all migrations.', ...staying]
  const lines = [...planned].flatMap(([name, entries]) => {
    const { one } = entries[0] as { one: PlannedMigration }
    return [
      `${name}, on ${entries.map(({ database }) => database).join(', ')}: ${verdictOf(one)}`,
      ...one.effects.map(({ kind, text }) => `  ${kind.padEnd(8)} ${text}`),
    ]
  })
  return [...lines, ...staying]
}

function verdictOf({ effects }: PlannedMigration): string {
  const contracts = effects.some(({ kind }) => kind === 'contract')
  return contracts
    ? 'contract (deploy the version that does not need what goes before you apply it)'
    : 'expand (apply it before you deploy; the version that runs goes on)'
}
