/**
 * What the rows must be. For each database there is one made from nothing by the snapshot's meaning, with the rows that live
 * on put into it, value by value; no ALTER TABLE and no rebuild ever happens there. What such a database refuses (a NOT NULL,
 * a CHECK, a unique key, a foreign key), a migration must refuse as well.
 * @module
 */
import { DatabaseSync } from 'node:sqlite'
import { quoteName, quoteText } from '../../../db/sql/quote.ts'
import type { Snapshot } from './drizzle-kit.ts'
import { columnOf, isVolatile, type Model, type TableModel, tableOf, writtenColumns } from './model.ts'
import { referenceStatements } from './reference-schema.ts'

export type References = ReadonlyMap<string, DatabaseSync>

export type Outcome =
  | { readonly kind: 'applied'; readonly references: References }
  /** `either`: whether it is refused is left to the migrator, with the rows that are there nothing is lost. */
  | { readonly kind: 'refused'; readonly why: string }
  /** No schema that SQLite can have: not a step. */
  | { readonly kind: 'invalid'; readonly why: string }

export function emptyReferences(names: readonly string[]): References {
  return new Map(names.map((name) => [name, new DatabaseSync(':memory:')]))
}

/** Literals of a table's columns, a row each, in the order in which they were written. */
export function literalRows(database: DatabaseSync, table: string, columns: readonly string[]): string[][] {
  const list = columns.map((name) => `quote(${quoteName(name)})`).join(', ')
  const text = `SELECT json_array(${list}) AS r FROM ${quoteName(table)} ORDER BY rowid`
  return database
    .prepare(text)
    .all()
    .map((row) => JSON.parse(row.r as string) as string[])
}

export function evolveReferences(old: References, before: Model, after: Model, snapshot: Snapshot): Outcome {
  const references = new Map<string, DatabaseSync>()
  const [ghost] = after.ghosts
  if (ghost) return { kind: 'refused', why: `foreign keys lead to ${ghost.name}, which is dropped` }
  for (const [name, database] of old) {
    const fresh = new DatabaseSync(':memory:')
    references.set(name, fresh)
    try {
      for (const statement of referenceStatements(snapshot)) fresh.exec(statement)
      fresh.prepare('PRAGMA foreign_key_check').all()
      for (const view of after.views) fresh.prepare(`SELECT * FROM ${quoteName(view.name)}`).all()
    } catch (error) {
      return { kind: 'invalid', why: (error as Error).message }
    }
    try {
      putRows(database, fresh, before, after)
      makeTriggers(fresh, after)
    } catch (error) {
      return { kind: 'refused', why: `${name}: ${(error as Error).message}` }
    }
  }
  return { kind: 'applied', references }
}

function putRows(old: DatabaseSync, fresh: DatabaseSync, before: Model, after: Model): void {
  fresh.exec('BEGIN')
  fresh.exec('PRAGMA defer_foreign_keys = ON')
  for (const table of after.tables) {
    const was = before.tables.find(({ id }) => id === table.id)
    if (!was) continue
    const kept = writtenColumns(table).filter(({ id }) => was.columns.some((column) => column.id === id))
    const rows = literalRows(old, was.name, [
      ...kept.map(({ id }) => columnOf(was, id).name),
      ...noColumns(kept),
    ])
    for (const row of rows)
      fresh.exec(
        insertText(
          table.name,
          kept.map(({ name }) => name),
          row,
        ),
      )
    if (table.autoincrement && was.autoincrement) keepSequence(old, fresh, was, table)
  }
  fresh.exec('COMMIT')
  // SQLite looks for the parent before it converts a value to its column's type, so a key may not hold once it is stored.
  const broken = fresh.prepare('PRAGMA foreign_key_check').all()
  if (broken.length > 0) throw new Error(`foreign keys do not hold: ${JSON.stringify(broken[0])}`)
}

/** A table of which no column stays still has as many rows as before. */
const noColumns = (kept: readonly unknown[]) => (kept.length > 0 ? [] : ['rowid'])

function insertText(table: string, columns: readonly string[], row: readonly string[]): string {
  return columns.length === 0
    ? `INSERT INTO ${quoteName(table)} DEFAULT VALUES`
    : `INSERT INTO ${quoteName(table)} (${columns.map(quoteName).join(', ')}) VALUES (${row.join(', ')})`
}

/** Numbers that were given out once are not given out again. */
function keepSequence(old: DatabaseSync, fresh: DatabaseSync, was: TableModel, table: TableModel): void {
  const row = old.prepare('SELECT CAST(seq AS TEXT) AS seq FROM sqlite_sequence WHERE name = ?').get(was.name)
  if (!row) return
  const name = quoteText(table.name)
  fresh.exec(`INSERT INTO sqlite_sequence (name, seq) SELECT ${name}, 0 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = ${name});
   UPDATE sqlite_sequence SET seq = max(seq, ${row.seq}) WHERE name = ${name}`)
}

/** The app's triggers, as the migration that made them wrote them. */
export function triggerText(
  model: Model,
  { name, event, table, log, noteColumn, reads }: Model['triggers'][number],
): string {
  const on = tableOf(model, table)
  const into = tableOf(model, log)
  const row = event === 'DELETE' ? 'old' : 'new'
  const value = reads === null ? '' : ` || ifnull(${row}.${quoteName(columnOf(on, reads).name)}, '; END')`
  return `CREATE TRIGGER ${quoteName(name)} AFTER ${event} ON ${quoteName(on.name)} BEGIN
  -- notes it; END
  INSERT INTO ${quoteName(into.name)} (${quoteName(columnOf(into, noteColumn).name)}) VALUES ('${event.toLowerCase()}; '${value});
END`
}

export function makeTriggers(database: DatabaseSync, model: Model): void {
  for (const trigger of model.triggers) database.exec(triggerText(model, trigger))
}

/**
 * Columns that a step adds with a default that is another each time, or at each moment: their values are taken from the
 * database, when they are such as the default makes.
 */
export function volatileColumns(before: Model, after: Model): Map<number, Set<string>> {
  return new Map(
    after.tables.flatMap((table) => {
      const was = before.tables.find(({ id }) => id === table.id)
      if (!was) return []
      const added = table.columns.filter(
        (column) => isVolatile(column) && !was.columns.some(({ id }) => id === column.id),
      )
      return added.length > 0 ? [[table.id, new Set(added.map(({ name }) => name))] as const] : []
    }),
  )
}

/** Gives a table exactly these rows. */
export function adoptRows(
  database: DatabaseSync,
  table: TableModel,
  rows: readonly (readonly string[])[],
): void {
  const columns = writtenColumns(table).map(({ name }) => name)
  const triggers = database.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").all() as {
    name: string
    sql: string
  }[]
  database.exec('PRAGMA foreign_keys = OFF')
  for (const { name } of triggers) database.exec(`DROP TRIGGER ${quoteName(name)}`)
  database.exec(`DELETE FROM ${quoteName(table.name)}`)
  for (const row of rows) database.exec(insertText(table.name, columns, row))
  for (const { sql } of triggers) database.exec(sql)
  database.exec('PRAGMA foreign_keys = ON')
}
