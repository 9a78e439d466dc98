import type { MigrationDatabase } from '../sql/migration-database.ts'
import { quoteName } from '../sql/quote.ts'

/** Makes the triggers that are wanted, by name and text, and drops all others whose name begins with one of the prefixes. */
export async function reconcileTriggers(
  database: MigrationDatabase,
  prefixes: readonly string[],
  wanted: ReadonlyMap<string, string>,
): Promise<void> {
  const { results } = await database
    .prepare(
      `SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND (${prefixes.map((prefix) => `name GLOB '${prefix}*'`).join(' OR ')})`,
    )
    .all<{ name: string; sql: string }>()
  const present = new Map(results.map(({ name, sql }) => [name, sql]))
  const changes = [
    ...[...present]
      .filter(([name, sql]) => wanted.get(name) !== sql)
      .map(([name]) => `DROP TRIGGER ${quoteName(name)}`),
    ...[...wanted].filter(([name, sql]) => present.get(name) !== sql).map(([, sql]) => sql),
  ]
  if (changes.length > 0) await database.batch(changes.map((statement) => database.prepare(statement)))
}
