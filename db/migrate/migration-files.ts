/**
 * Reading migrations from disk.
 * @module
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { UsageError } from '../doors/usage-error.ts'
import type { Migration } from './migration.ts'
import type { Snapshot } from './snapshot.ts'

/** The app's migrations. */
export const appMigrations = join(import.meta.dirname, '..', 'app', 'migrations')

/**
 * The migrations of a folder in the order of their names, each with what drizzle-kit noted beside it.
 *
 * @throws UsageError when drizzle-kit's journal names a file that is not there: the Worker would ask for it
 */
export function readMigrations(folder: string): Migration[] {
  if (!existsSync(folder)) return []
  const files = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.sql'))
    .map(({ name }) => name)
    .sort()
  const tags = readJournal(folder)
  const missing = tags?.find((tag) => !files.includes(`${tag}.sql`))
  if (missing !== undefined)
    throw new UsageError(
      `meta/_journal.json names ${missing}.sql, which is not in db/app/migrations: put the file back, or take it out of the journal`,
    )
  return files.map((name) => ({
    name,
    sql: readFileSync(join(folder, name), 'utf8'),
    snapshot: readSnapshot(folder, name, tags),
  }))
}

/** Files that drizzle-kit does not know: the Worker does not ask whether they are applied. */
export function unjournaled(folder: string): string[] {
  const tags = readJournal(folder)
  return tags === null
    ? []
    : readMigrations(folder).flatMap(({ name }) => (tags.includes(name.slice(0, -4)) ? [] : [name]))
}

/** Names without `.sql`; null when there is no journal. */
function readJournal(folder: string): string[] | null {
  const journal = readJson<{ entries: readonly { tag: string }[] }>(join(folder, 'meta', '_journal.json'))
  return journal?.entries.map(({ tag }) => tag) ?? null
}

/** Of two branches that were merged, the journal says whose snapshot has the number. */
function readSnapshot(folder: string, name: string, tags: readonly string[] | null): Snapshot | null {
  if (tags !== null && !tags.includes(name.slice(0, -4))) return null
  return readJson(join(folder, 'meta', `${name.split('_')[0]}_snapshot.json`))
}

function readJson<Content>(file: string): Content | null {
  if (!existsSync(file)) return null
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Content
  } catch (error) {
    throw new UsageError(`${file} cannot be read: ${(error as Error).message}`)
  }
}
