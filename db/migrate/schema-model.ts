/**
 * A database's schema without its rows, in a SQLite of this process: statements are tried on it, and it tells what they lead to.
 * @module
 */
import { DatabaseSync } from 'node:sqlite'
import { quoteName, quoteText } from '../sql/quote.ts'
import { foldName, tokensOf } from '../sql/sql-tokens.ts'
import type { SchemaObject } from './schema-objects.ts'

export interface ModelColumn {
  readonly name: string
  /** As it is declared. */
  readonly type: string
  readonly notNull: boolean
  readonly default: string | null
  /** Its position in the primary key, from 1; 0: it is not part of it. */
  readonly keyPosition: number
  readonly generated: 'virtual' | 'stored' | null
}

export interface ModelForeignKey {
  readonly columns: readonly string[]
  readonly parent: string
  /** Empty when it refers to the primary key without naming it. */
  readonly parentColumns: readonly string[]
  readonly onUpdate: string
  readonly onDelete: string
}

/** Whether a foreign key's action changes rows, rather than refusing. */
export const acts = (action: string) => !/^(NO ACTION|RESTRICT)$/i.test(action)

export interface ModelIndex {
  readonly name: string
  readonly isUnique: boolean
  readonly isPartial: boolean
  /** Null for expressions. */
  readonly columns: readonly (string | null)[]
  /** Null for those that constraints make. */
  readonly sql: string | null
}

export interface ModelTable {
  readonly name: string
  readonly sql: string
  readonly isVirtual: boolean
  readonly hasRowid: boolean
  /** The column that is the rowid, when one is. */
  readonly rowidColumn: string | null
  readonly isAutoincrement: boolean
  readonly columns: readonly ModelColumn[]
  readonly foreignKeys: readonly ModelForeignKey[]
  readonly indexes: readonly ModelIndex[]
}

/** Columns of a table, at most, on D1. Source: https://developers.cloudflare.com/d1/platform/limits/ */
export const maxColumns = 100

export class SchemaModel {
  readonly #database = new DatabaseSync(':memory:', {
    enableForeignKeyConstraints: false,
    // As D1 has it: a name in double quotes that nothing has is text.
    enableDoubleQuotedStringLiterals: true,
  })
  #tables: ReadonlyMap<string, ModelTable> | null = null

  constructor(objects: readonly SchemaObject[]) {
    const isVirtual = ({ sql }: SchemaObject) => /^\s*CREATE\s+VIRTUAL/i.test(sql)
    // Virtual tables make their shadow tables themselves, which are in the schema as well.
    for (const { sql } of objects.filter(isVirtual)) this.#database.exec(sql)
    for (const type of ['table', 'index', 'view', 'trigger'] as const) {
      for (const object of objects) {
        if (object.type !== type || isVirtual(object) || this.has(object.name)) continue
        this.#database.exec(object.sql)
      }
    }
  }

  close(): void {
    this.#database.close()
  }

  /** Runs a statement. @throws what SQLite says */
  run(sql: string): void {
    this.#tables = null
    this.#database.exec(sql)
  }

  /** Why SQLite would not take a statement; null when it would. */
  problemOf(sql: string): string | null {
    try {
      // What SQLite has read of the text; behind it, another statement may stand.
      const { sourceSQL } = this.#database.prepare(sql)
      const rest = tokensOf(sql.slice(sourceSQL.length)).filter(({ text }) => text !== ';')
      return rest.length === 0
        ? null
        : `more than one statement: ${rest
            .map(({ text }) => text)
            .join(' ')
            .slice(0, 80)}`
    } catch (error) {
      return (error as Error).message
    }
  }

  /** What SQLite says of foreign keys that fit no key of their parent; null when all do. */
  mismatch(): string | null {
    try {
      this.#rows('PRAGMA foreign_key_check')
      return null
    } catch (error) {
      return (error as Error).message
    }
  }

  has(name: string): boolean {
    const [found] = this.#rows(`SELECT 1 FROM sqlite_schema WHERE name = ${quoteText(name)} COLLATE NOCASE`)
    return found !== undefined
  }

  objects(type: SchemaObject['type']): SchemaObject[] {
    return this.#rows<SchemaObject>(
      `SELECT type, name, tbl_name AS "of", sql FROM sqlite_schema WHERE type = ${quoteText(type)} AND sql IS NOT NULL`,
    )
  }

  triggersOn(table: string): SchemaObject[] {
    return this.objects('trigger').filter(({ of }) => foldName(of) === foldName(table))
  }

  table(name: string): ModelTable | undefined {
    return this.tables.get(foldName(name))
  }

  /** By their folded names, without virtual tables' shadows. */
  get tables(): ReadonlyMap<string, ModelTable> {
    this.#tables ??= new Map(
      this.#rows<{ name: string; type: string; wr: number }>('PRAGMA table_list')
        .filter(({ name, type }) => type !== 'view' && type !== 'shadow' && !name.startsWith('sqlite_'))
        .map((entry) => [foldName(entry.name), this.#readTable(entry)]),
    )
    return this.#tables
  }

  #rows<Row>(sql: string): Row[] {
    return this.#database.prepare(sql).all() as Row[]
  }

  #readTable({ name, type, wr }: { name: string; type: string; wr: number }): ModelTable {
    const [{ sql = '' } = {}] = this.#rows<{ sql: string }>(
      `SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ${quoteText(name)}`,
    )
    const columns = this.#readColumns(name)
    const keys = columns.filter(({ keyPosition }) => keyPosition > 0)
    // `INTEGER PRIMARY KEY DESC` is an ordinary key, with an index. Source: https://www.sqlite.org/lang_createtable.html#rowid
    const hasIndex = this.#rows<{ origin: string }>(`PRAGMA index_list(${quoteName(name)})`).some(
      ({ origin }) => origin === 'pk',
    )
    const isRowid = keys.length === 1 && wr === 0 && !hasIndex && /^integer$/i.test(keys[0]?.type ?? '')
    const rowidColumn = isRowid ? keys[0] : null
    return {
      name,
      sql,
      isVirtual: type === 'virtual',
      hasRowid: wr === 0,
      rowidColumn: rowidColumn?.name ?? null,
      isAutoincrement: /\bAUTOINCREMENT\b/i.test(sql),
      columns,
      foreignKeys: this.#readForeignKeys(name),
      indexes: this.#readIndexes(name),
    }
  }

  #readColumns(table: string): ModelColumn[] {
    const rows = this.#rows<{
      name: string
      type: string
      notnull: number
      dflt_value: string | null
      pk: number
      hidden: number
    }>(`PRAGMA table_xinfo(${quoteName(table)})`)
    return rows.map(({ name, type, notnull, dflt_value, pk, hidden }) => ({
      name,
      type,
      notNull: notnull === 1,
      default: dflt_value,
      keyPosition: pk,
      generated: hidden === 2 ? 'virtual' : hidden === 3 ? 'stored' : null,
    }))
  }

  #readForeignKeys(table: string): ModelForeignKey[] {
    const rows = this.#rows<{
      id: number
      seq: number
      table: string
      from: string
      to: string | null
      on_update: string
      on_delete: string
    }>(`PRAGMA foreign_key_list(${quoteName(table)})`)
    return [...Map.groupBy(rows, ({ id }) => id).values()].map((own) => {
      const ordered = own.sort((a, b) => a.seq - b.seq)
      const [first] = ordered as [(typeof rows)[number]]
      return {
        columns: ordered.map(({ from }) => from),
        parent: first.table,
        parentColumns: ordered.flatMap(({ to }) => (to === null ? [] : [to])),
        onUpdate: first.on_update,
        onDelete: first.on_delete,
      }
    })
  }

  #readIndexes(table: string): ModelIndex[] {
    const rows = this.#rows<{ name: string; unique: number; partial: number }>(
      `PRAGMA index_list(${quoteName(table)})`,
    )
    return rows.map(({ name, unique, partial }) => ({
      name,
      isUnique: unique === 1,
      isPartial: partial === 1,
      columns: this.#rows<{ name: string | null }>(`PRAGMA index_info(${quoteName(name)})`).map(
        (column) => column.name,
      ),
      sql:
        this.#rows<{ sql: string | null }>(
          `SELECT sql FROM sqlite_schema WHERE type = 'index' AND name = ${quoteText(name)}`,
        )[0]?.sql ?? null,
    }))
  }
}

/** A table as its CREATE TABLE has it; null when it cannot be made by itself. */
export function readTable(sql: string): ModelTable | null {
  const model = new SchemaModel([])
  try {
    model.run(sql)
    return [...model.tables.values()][0] ?? null
  } catch {
    return null
  } finally {
    model.close()
  }
}

/** Whether an index begins with these columns, in whatever order, so that rows are found by them. */
export function isIndexed(table: ModelTable, columns: readonly string[]): boolean {
  const folded = columns.map(foldName)
  const covers = (names: readonly (string | null)[]) => {
    const first = names.slice(0, folded.length).map((name) => foldName(name ?? ''))
    return first.length === folded.length && folded.every((name) => first.includes(name))
  }
  if (columns.length === 1 && table.rowidColumn !== null && covers([table.rowidColumn])) return true
  return table.indexes.some(({ isPartial, columns: own }) => !isPartial && covers(own))
}
