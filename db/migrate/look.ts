/**
 * What a database is like before anything is done to it.
 * @module
 */
import { type NotedPlacements, readNoted } from '../catalog/noted-placements.ts'
import type { MigrationDatabase } from '../sql/migration-database.ts'
import { readSchemaText, type SchemaObject } from './schema-objects.ts'

/** A migration that was applied to a database. */
export interface Applied {
  readonly name: string
  /** Of the file at that time; null for those that were applied by other tools. */
  readonly hash: string | null
}

export interface Look {
  readonly schema: readonly SchemaObject[]
  readonly applied: readonly Applied[]
  /** What the database was last brought to; see `settledMark`. */
  readonly settled: string | null
  /** Where it was noted that the tables' rows lie. */
  readonly placements: NotedPlacements
}

const listed = (query: string) => `(SELECT json_group_array(json(item)) FROM (${query}))`

/** All of it at once, of a database that Atoll has been on. */
const lookText = `SELECT
 ${listed(`SELECT json_object('type', type, 'name', name, 'of', "of", 'sql', sql) AS item FROM (${readSchemaText})`)} AS schema,
 ${listed(`SELECT json_object('name', d.name, 'hash', m.hash) AS item FROM d1_migrations AS d LEFT JOIN _atoll_migrations AS m ON m.name = d.name ORDER BY d.id`)} AS applied,
 (SELECT value FROM _atoll_state WHERE key = 'settled') AS settled,
 (SELECT json_group_array(json_array(name, placement)) FROM _atoll_placements) AS placements,
 (SELECT value FROM _atoll_state WHERE key = 'placed') AS details`

/** What a database is before it is migrated: migrations, tables, notes of the engine's own. Reads only. */
export async function lookAt(database: MigrationDatabase): Promise<Look> {
  const known = await lookAtOwn(database)
  if (known) return known
  const { results: schema } = await database.prepare(readSchemaText).all<SchemaObject>()
  const hasTable = (name: string) => schema.some((object) => object.type === 'table' && object.name === name)
  const { results: applied } = hasTable('d1_migrations')
    ? await database.prepare('SELECT name FROM d1_migrations ORDER BY id').all<{ name: string }>()
    : { results: [] }
  return {
    schema,
    applied: applied.map(({ name }) => ({ name, hash: null })),
    settled: null,
    placements: new Map(),
  }
}

interface LookRow extends Readonly<Record<keyof Look, string>> {
  readonly details: string | null
}

async function lookAtOwn(database: MigrationDatabase): Promise<Look | null> {
  try {
    const { results } = await database.prepare(lookText).all<LookRow>()
    const row = results[0] as LookRow
    return {
      schema: JSON.parse(row.schema) as SchemaObject[],
      applied: JSON.parse(row.applied) as Applied[],
      settled: row.settled,
      placements: readNoted(JSON.parse(row.placements) as [string, string][], row.details),
    }
  } catch (error) {
    // A database that is new, or that an older Atoll has made.
    if (/no such table/i.test((error as Error).message)) return null
    throw error
  }
}
