/**
 * Reading migrations from disk.
 * @module
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Migration } from './migration.ts'
import type { Snapshot } from './snapshot.ts'

/** The app's migrations. */
export const appMigrations = join(import.meta.dirname, '..', 'app', 'migrations')

/** The migrations of a folder in the order of their names, each with what drizzle-kit noted beside it. */
export function readMigrations(folder: string): Migration[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter((file) => file.endsWith('.sql'))
    .sort()
    .map((name) => ({
      name,
      sql: readFileSync(join(folder, name), 'utf8'),
      snapshot: readSnapshot(folder, name),
    }))
}

function readSnapshot(folder: string, name: string): Snapshot | null {
  const file = join(folder, 'meta', `${name.split('_')[0]}_snapshot.json`)
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Snapshot) : null
}
