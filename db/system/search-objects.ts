/**
 * Full-text indexes: an FTS5 table for each table with searchable columns, which keeps words and row ids only, and the
 * triggers that keep it in step. Source: https://www.sqlite.org/fts5.html#external_content_tables
 * @module
 */
import type { Catalog, SearchIndex } from '../catalog/catalog.ts'
import type { MigrationDatabase } from '../sql/migration-database.ts'
import { quoteName, quoteText } from '../sql/quote.ts'

/** Begins the names of search indexes; the table follows. */
export const searchPrefix = '_atoll_search_'
/** Begins the names of what tells where words stand. Another beginning: what follows may be any table's name. */
const placesPrefix = '_atoll_places_'

/** Tokenizers of FTS5. PostgreSQL's `simple` leaves accents as they are. */
const tokenizers = {
  english: 'porter unicode61 remove_diacritics 2',
  simple: 'unicode61 remove_diacritics 0',
} as const

/** Makes the indexes that the catalog wants and drops those it does not; an index of other columns is made anew. */
export async function reconcileSearch(database: MigrationDatabase, catalog: Catalog): Promise<string[]> {
  const wanted = [...catalog.tables.values()].flatMap(({ search }) => (search ? [search] : []))
  const { results } = await database
    .prepare(
      `SELECT name, type, sql FROM sqlite_schema WHERE (name GLOB '${searchPrefix}*' OR name GLOB '${placesPrefix}*') AND (type = 'trigger' OR sql LIKE 'CREATE VIRTUAL%')`,
    )
    .all<{ name: string; type: string; sql: string }>()
  const present = new Map(results.map(({ name, sql }) => [name, sql]))
  const done: string[] = []
  for (const { name, type } of results) {
    if (type !== 'table' || name.startsWith(placesPrefix)) continue
    const search = wanted.find((candidate) => candidate.index === name)
    if (search && present.get(name) === createIndex(search)) continue
    await run(database, dropSearch(name))
    present.delete(name)
    present.delete(placesOf(name))
    done.push(`dropped ${name}`)
  }
  for (const search of wanted) {
    const { places } = search
    // Indexes that an earlier version made have none.
    if (present.has(search.index) && present.get(places) !== createPlaces(search)) {
      await run(database, [dropTable(places), createPlaces(search)])
      done.push(`made ${places}`)
    }
    const triggers = searchTriggers(search)
    if (!present.has(search.index)) {
      await run(database, [dropTable(search.places), ...createSearch(search)])
      done.push(`made ${search.index}`)
    } else if ([...triggers].some(([name, sql]) => present.get(name) !== sql)) {
      // Rows have changed without it: it is filled anew.
      const stale = [...triggers.keys()].map((name) => `DROP TRIGGER IF EXISTS ${quoteName(name)}`)
      await run(database, [...stale, ...triggers.values(), refillSearch(search.index)])
      done.push(`mended ${search.index}`)
    }
  }
  return done
}

async function run(database: MigrationDatabase, statements: readonly string[]): Promise<void> {
  await database.batch(statements.map((statement) => database.prepare(statement)))
}

function createIndex({ index, of, columns, config }: SearchIndex): string {
  return `CREATE VIRTUAL TABLE ${quoteName(index)} USING fts5(${columns.map(quoteName).join(', ')}, content=${quoteText(of)}, content_rowid='rowid', tokenize='${tokenizers[config]}')`
}

/** Keeps nothing of its own. Source: https://www.sqlite.org/fts5.html#the_fts5vocab_virtual_table_module */
function createPlaces({ index, places }: SearchIndex): string {
  return `CREATE VIRTUAL TABLE ${quoteName(places)} USING fts5vocab(${quoteText(index)}, 'instance')`
}

function placesOf(index: string): string {
  return placesPrefix + index.slice(searchPrefix.length)
}

/** The triggers that keep an index in step, by name. */
export function searchTriggers({ index, of, columns }: SearchIndex): Map<string, string> {
  const names = columns.map(quoteName).join(', ')
  const values = (row: 'old' | 'new') => columns.map((column) => `${row}.${quoteName(column)}`).join(', ')
  const add = `INSERT INTO ${quoteName(index)} (rowid, ${names}) VALUES (new.rowid, ${values('new')});`
  const remove = `INSERT INTO ${quoteName(index)} (${quoteName(index)}, rowid, ${names}) VALUES ('delete', old.rowid, ${values('old')});`
  const trigger = (event: string, body: string): [string, string] => {
    const name = `${index}_${event.toLowerCase()}`
    return [name, `CREATE TRIGGER ${quoteName(name)} AFTER ${event} ON ${quoteName(of)} BEGIN ${body} END`]
  }
  return new Map([trigger('INSERT', add), trigger('DELETE', remove), trigger('UPDATE', `${remove} ${add}`)])
}

/** Fills an index from its table. */
export function refillSearch(index: string): string {
  return `INSERT INTO ${quoteName(index)} (${quoteName(index)}) VALUES ('rebuild')`
}

/** Makes an index with its triggers, and fills it. */
export function createSearch(search: SearchIndex): string[] {
  return [
    createIndex(search),
    createPlaces(search),
    ...searchTriggers(search).values(),
    refillSearch(search.index),
  ]
}

/** Statements that take a search index and its triggers away. */
export function dropSearch(index: string): string[] {
  return [
    ...['insert', 'delete', 'update'].map(
      (event) => `DROP TRIGGER IF EXISTS ${quoteName(`${index}_${event}`)}`,
    ),
    dropTable(placesOf(index)),
    dropTable(index),
  ]
}

function dropTable(name: string): string {
  return `DROP TABLE IF EXISTS ${quoteName(name)}`
}
