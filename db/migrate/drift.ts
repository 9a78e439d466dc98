/**
 * Whether the migrations that a database has are those of the files.
 * @module
 */

import { MigrationError } from '../errors/migration-error.ts'
import type { Applied } from './look.ts'
import { hashOf, type Migration } from './migration.ts'

const startOver = 'Locally, npm run dev -- --reset starts over.'

/** @throws MigrationError when a file has changed or vanished since it was applied */
export function checkDrift(
  database: string,
  applied: readonly Applied[],
  migrations: readonly Migration[],
): void {
  const byName = new Map(migrations.map((migration) => [migration.name, migration]))
  const vanished = applied.filter(({ name }) => !byName.has(name)).map(({ name }) => name)
  const isKnown = applied.some(({ name }) => byName.has(name))
  if (vanished.length > 0)
    throw new MigrationError(...vanishedReason(database, vanished, migrations, isKnown))
  for (const { name, hash } of applied) {
    if (hash === null || hash === hashOf(byName.get(name) as Migration)) continue
    throw new MigrationError(`${name} has been changed since it was applied`, {
      database,
      remedy: `Put the file back as it was, and write what is to change as a new migration (npm run db:generate). ${startOver}`,
    })
  }
}

function vanishedReason(
  database: string,
  vanished: readonly string[],
  migrations: readonly Migration[],
  isKnown: boolean,
): [string, { database: string; remedy: string }] {
  const names = vanished.join(', ')
  const last = migrations.at(-1)?.name ?? ''
  if (isKnown && vanished.every((name) => name > last))
    return [
      `the database is ahead of the code: it has ${names}, which ${vanished.length > 1 ? 'are' : 'is'} not in db/app/migrations`,
      { database, remedy: `Take up the version of the code that has it. ${startOver}` },
    ]
  if (!isKnown)
    return [
      `the database was made by another app: it has ${names}, and none of the files in db/app/migrations`,
      { database, remedy: startOver },
    ]
  return [
    `${names} ${vanished.length > 1 ? 'were' : 'was'} applied, and ${vanished.length > 1 ? 'are' : 'is'} no longer in db/app/migrations`,
    { database, remedy: `Put the ${vanished.length > 1 ? 'files' : 'file'} back. ${startOver}` },
  ]
}

/** Migrations that a database lacks, in the order of their names. */
export function pendingOf(applied: readonly Applied[], migrations: readonly Migration[]): Migration[] {
  const names = new Set(applied.map(({ name }) => name))
  return migrations.filter(({ name }) => !names.has(name))
}
