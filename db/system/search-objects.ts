/**
 * Full-text indexes: an FTS5 table for each table with searchable columns, which keeps words and row ids only, and the
 * triggers that keep it in step. Source: https://www.sqlite.org/fts5.html#external_content_tables
 * @module
 */
import type { Catalog, SearchIndex } from '../catalog/catalog.ts'
import { quoteName, quoteText } from '../quote.ts'
import type { MigrationDatabase } from '../wrangler-database.ts'

/** Makes the indexes that the catalog wants and drops those it does not; an index of other columns is made anew. */
export async function reconcileSearch(database: MigrationDatabase, catalog: Catalog): Promise<string[]> {
  const wanted = [...catalog.tables.values()].flatMap(({ search }) => (search ? [search] : []))
  const { results } = await database
    .prepare(
      "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name GLOB '_atoll_search_*' AND sql LIKE 'CREATE VIRTUAL%'",
    )
    .all<{ name: string; sql: string }>()
  const present = new Map(results.map(({ name, sql }) => [name, sql]))
  const done: string[] = []
  for (const name of present.keys()) {
    const search = wanted.find((candidate) => candidate.index === name)
    if (search && present.get(name) === createIndex(search)) continue
    await database.batch(dropStatements(name).map((statement) => database.prepare(statement)))
    present.delete(name)
    done.push(`dropped ${name}`)
  }
  for (const search of wanted) {
    if (present.has(search.index)) continue
    await database.batch(createStatements(search).map((statement) => database.prepare(statement)))
    done.push(`made ${search.index}`)
  }
  return done
}

function createIndex({ index, of, columns }: SearchIndex): string {
  return `CREATE VIRTUAL TABLE ${quoteName(index)} USING fts5(${columns.map(quoteName).join(', ')}, content=${quoteText(of)}, content_rowid='rowid', tokenize='porter unicode61 remove_diacritics 2')`
}

function createStatements(search: SearchIndex): string[] {
  const { index, of, columns } = search
  const names = columns.map(quoteName).join(', ')
  const values = (row: 'old' | 'new') => columns.map((column) => `${row}.${quoteName(column)}`).join(', ')
  const add = `INSERT INTO ${quoteName(index)} (rowid, ${names}) VALUES (new.rowid, ${values('new')});`
  const remove = `INSERT INTO ${quoteName(index)} (${quoteName(index)}, rowid, ${names}) VALUES ('delete', old.rowid, ${values('old')});`
  const trigger = (event: string, body: string) =>
    `CREATE TRIGGER ${quoteName(`${index}_${event.toLowerCase()}`)} AFTER ${event} ON ${quoteName(of)} BEGIN ${body} END`
  return [
    createIndex(search),
    trigger('INSERT', add),
    trigger('DELETE', remove),
    trigger('UPDATE', `${remove} ${add}`),
    `INSERT INTO ${quoteName(index)} (${quoteName(index)}) VALUES ('rebuild')`,
  ]
}

function dropStatements(index: string): string[] {
  return [
    ...['insert', 'delete', 'update'].map(
      (event) => `DROP TRIGGER IF EXISTS ${quoteName(`${index}_${event}`)}`,
    ),
    `DROP TABLE IF EXISTS ${quoteName(index)}`,
  ]
}
