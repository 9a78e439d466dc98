/**
 * What of a table travels when slots move: rows as JSON that says the same on both sides, and the statements that read and lay them.
 * @module
 */
import type { Catalog, Table } from '../catalog/catalog.ts'
import { parentsFirst } from '../catalog/parents-first.ts'
import type { ClusterSession } from '../cluster/session.ts'
import { joinBalanced } from '../sql/join-balanced.ts'
import { quoteName, quoteText } from '../sql/quote.ts'
import type { BoundStatement } from '../sql/statement.ts'

/** A table whose rows are read, carried and laid as JSON. */
export interface Imaged {
  readonly name: string
  /** Columns that are stored, in the order of a row's JSON. */
  readonly columns: readonly string[]
  /** Columns by which a row is found again, and whether the change log writes them as hexadecimal digits. */
  readonly key: readonly { readonly name: string; readonly isBlob: boolean }[]
  /** The app's own triggers on it, as the databases have them. */
  readonly triggers: readonly { readonly name: string; readonly sql: string }[]
  /** Whether its rows have rowids: others are read in the order of their keys. */
  readonly hasRowid: boolean
}

/** A distributed table as it travels. */
export interface Cargo extends Imaged {
  /** Its distribution column. */
  readonly by: string
}

/** What travels, parents before children, and a text that changes when any of it does. */
export interface Manifest {
  readonly cargo: readonly Cargo[]
  readonly shape: string
}

/** The tables whose rows move, as a database has them now: it may have columns and triggers that this code does not know. */
export async function readManifest(
  session: ClusterSession,
  database: string,
  catalog: Catalog,
): Promise<Manifest> {
  const tables = parentsFirst(distributedTables(catalog))
  const shapes = await readShapes(session, database, tables.map(keyedOf))
  const cargo = shapes.map(
    (shape, i): Cargo => ({ ...shape, by: ((tables[i] as Table).placement as { readonly by: string }).by }),
  )
  return { cargo, shape: JSON.stringify(cargo) }
}

/** A table by its name, and the columns by which its rows are found again. */
export type Keyed = Pick<Imaged, 'name' | 'key'>

/** A table by its primary key, or by its rowid when it has none. */
export function keyedOf({ name, primaryKey, columns }: Table): Keyed {
  const key = primaryKey.map((column) => ({
    name: column,
    isBlob: columns.get(column)?.type === 'blob',
  }))
  return { name, key: key.length > 0 ? key : [{ name: 'rowid', isBlob: false }] }
}

/** Tables as a database has them now, in the order that is asked for; one that it lacks has no columns. */
export async function readShapes(
  session: ClusterSession,
  database: string,
  tables: readonly Keyed[],
): Promise<Imaged[]> {
  const names = JSON.stringify(tables.map(({ name }) => name))
  const [columns = [], triggers = [], without = []] = await session.on(database, [
    {
      text: `SELECT t.value AS name, json_group_array(c.name) AS columns FROM json_each(?1) AS t, pragma_table_xinfo(t.value) AS c WHERE c.hidden = 0 GROUP BY t.value`,
      parameters: [names],
    },
    {
      text: `SELECT name, tbl_name AS of, sql FROM sqlite_schema WHERE type = 'trigger' AND name NOT GLOB '_atoll_*' AND tbl_name IN (SELECT value FROM json_each(?1)) ORDER BY name`,
      parameters: [names],
    },
    {
      text: 'SELECT l.name FROM pragma_table_list AS l WHERE l.wr = 1 AND l.name IN (SELECT value FROM json_each(?1))',
      parameters: [names],
    },
  ])
  return tables.map((table): Imaged => {
    const found = columns.find(({ name }) => name === table.name)
    return {
      ...table,
      columns: JSON.parse((found?.columns as string | undefined) ?? '[]') as string[],
      triggers: triggers
        .filter(({ of }) => of === table.name)
        .map(({ name, sql }) => ({ name: name as string, sql: sql as string })),
      hasRowid: !without.some(({ name }) => name === table.name),
    }
  })
}

/** The tables whose rows lie by slots. */
export function distributedTables(catalog: Catalog): Table[] {
  return [...catalog.tables.values()].filter(
    ({ kind, placement }) => kind === 'table' && placement.kind === 'distributed',
  )
}

/** JSON holds neither blobs nor zero characters: those go as objects of hexadecimal digits. */
function valueText(column: string): string {
  const value = quoteName(column)
  const isOdd = `(typeof(${value}) = 'blob' OR (typeof(${value}) = 'text' AND instr(${value}, char(0)) > 0))`
  return `iif(${isOdd}, json('{"' || typeof(${value}) || '":"' || hex(CAST(${value} AS BLOB)) || '"}'), json_quote(iif(${isOdd}, NULL, ${value})))`
}

/** An expression for a row as JSON, the same for the same values. */
export function imageText({ columns }: Pick<Imaged, 'columns'>): string {
  const values = columns.map((column, i) => `${i === 0 ? '' : "',' || "}${valueText(column)}`)
  return `('[' || ${joinBalanced(values, ' || ')} || ']')`
}

/** A value out of a row's JSON. */
export function laidValue(row: string, i: number): string {
  const odd = (type: string) => `${row} ->> '$[${i}].${type}'`
  return `iif(json_type(${row}, '$[${i}]') = 'object', iif(${odd('blob')} IS NULL, CAST(unhex(${odd('text')}) AS TEXT), unhex(${odd('blob')})), ${row} ->> ${i})`
}

/** A row's values out of its JSON. */
function laidText({ columns }: Pick<Imaged, 'columns'>, row: string): string {
  return columns.map((_, i) => laidValue(row, i)).join(', ')
}

/** A row's key as the change log writes it. @param rowid what the rowid is called where it is read */
export function keyText({ key }: Keyed, rowid = 'rowid'): string {
  const text = (name: string) => (name === 'rowid' ? rowid : quoteName(name))
  return `json_array(${key.map(({ name, isBlob }) => (isBlob ? `hex(${text(name)})` : text(name))).join(', ')})`
}

const columnText = (name: string) => (name === 'rowid' ? 'rowid' : quoteName(name))

/** That a row's key is what a JSON array says. */
export function hasKey({ key }: Keyed, row: string, json: string): string {
  return key
    .map(({ name, isBlob }, i) => {
      const value = isBlob ? `unhex(${json} ->> ${i})` : `${json} ->> ${i}`
      return `${row}.${columnText(name)} = ${value}`
    })
    .join(' AND ')
}

/** Puts rows of staging, of slots in a range, into the table. Parameters: the move, the first slot, the last. */
export function layText(cargo: Cargo): string {
  const columns = cargo.columns.map(quoteName).join(', ')
  return `INSERT INTO ${quoteName(cargo.name)} (${columns}) SELECT ${laidText(cargo, 'i.row')} FROM _atoll_incoming AS i WHERE i.move = ?1 AND i.slot BETWEEN CAST(?2 AS INTEGER) AND CAST(?3 AS INTEGER) AND i.name = ${quoteText(cargo.name)}`
}

/** Whether rows of staging are in the table as they are there. Parameters as of `layText`. */
export function laidRight(cargo: Cargo): string {
  const same = `SELECT 1 FROM (SELECT * FROM ${quoteName(cargo.name)} AS t WHERE ${hasKey(cargo, 't', 'i.key')}) WHERE ${imageText(cargo)} = i.row`
  return `NOT EXISTS (SELECT 1 FROM _atoll_incoming AS i WHERE i.move = ?1 AND i.slot BETWEEN CAST(?2 AS INTEGER) AND CAST(?3 AS INTEGER) AND i.name = ${quoteText(cargo.name)} AND NOT EXISTS (${same}))`
}

/** A row without a key of its own has another rowid where it comes to, so that it is not found by it. */
export function hasOwnKey({ key }: Keyed): boolean {
  return key[0]?.name !== 'rowid'
}

/** Takes away rows with some distribution values, a JSON array of texts. */
export function takeAwayText({ name, by }: Cargo): string {
  return `DELETE FROM ${quoteName(name)} WHERE ${quoteName(by)} IN (SELECT value FROM json_each(?1))`
}

/** Statements around others, so that the app's own triggers do not take a row that moves for one that is written. */
export function withoutTriggers(
  cargo: readonly Pick<Imaged, 'triggers'>[],
  statements: readonly BoundStatement[],
): BoundStatement[] {
  const triggers = cargo.flatMap((one) => one.triggers)
  return [
    ...triggers.map(({ name }) => plain(`DROP TRIGGER ${quoteName(name)}`)),
    ...statements,
    ...triggers.map(({ sql }) => plain(sql)),
  ]
}

/** A statement without parameters. */
export const plain = (text: string): BoundStatement => ({ text, parameters: [] })
