/**
 * The scratch copy: a Durable Object's own SQLite, with the schema and a sample of the rows of the databases. What is tried there
 * costs the databases nothing but reading the sample.
 * @module
 */
import { DurableObject } from 'cloudflare:workers'
import { type CoreEnv, databasesOf } from '../../core/context.ts'
import type { ShapeDelta } from '../../meter/area.ts'
import { type Advice, type ExistingIndex, findAdvice, type Scratch } from './find-advice.ts'
import { tablesRead } from './statement-columns.ts'

export interface AdvisorAccess {
  advise(shapes: readonly ShapeDelta[]): Promise<Advice>
}

export interface AdvisorObject extends AdvisorAccess, Rpc.DurableObjectBranded {}

/** Rows of a table that are copied at most, and so many at a time. */
const sampleRows = 20_000
const rowsAtOnce = 2000

interface SchemaRow {
  readonly type: string
  readonly name: string
  readonly tbl_name: string
  readonly sql: string | null
}

/** The class that `wrangler.toml` names. */
export class Advisor extends DurableObject<CoreEnv> implements AdvisorAccess {
  async advise(shapes: readonly ShapeDelta[]): Promise<Advice> {
    await this.ctx.storage.deleteAll()
    try {
      const wanted = new Set(
        shapes.flatMap(({ statement }) => tablesRead(statement?.text ?? '').map(({ table }) => table)),
      )
      await this.#copy(wanted)
      this.ctx.storage.sql.exec('ANALYZE')
      return findAdvice(this.#scratch(), shapes)
    } finally {
      await this.ctx.storage.deleteAll()
    }
  }

  /** Every database has the same schema; a table's rows are taken from where most of them are. */
  async #copy(wanted: ReadonlySet<string>): Promise<void> {
    const databases = databasesOf(this.env)
    const primary = databases.get('DB') as D1Database
    const { results } = await primary
      .prepare(
        "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '_cf_%' AND name NOT LIKE '_atoll_%' AND name NOT LIKE 'd1_%'",
      )
      .all<SchemaRow>()
    const { sql } = this.ctx.storage
    const tables = results.filter(({ type }) => type === 'table')
    for (const table of tables) sql.exec(withoutForeignKeys(table.sql as string))
    for (const { type, tbl_name: table, sql: text } of results)
      if (type === 'index' && !table.startsWith('_')) sql.exec(text as string)
    for (const { name } of tables) if (wanted.has(name)) await this.#copyRows(name, [...databases.values()])
    for (const { type, sql: text } of results) if (type === 'view') sql.exec(text as string)
  }

  async #copyRows(table: string, databases: readonly D1Database[]): Promise<void> {
    const quoted = `"${table.replaceAll('"', '""')}"`
    const sizes = await Promise.all(
      databases.map((database) =>
        database
          .prepare(`SELECT max(rowid) AS n FROM ${quoted}`)
          .first<number>('n')
          .catch(() => null),
      ),
    )
    const largest = sizes.indexOf(sizes.reduce((a, b) => ((b ?? 0) > (a ?? 0) ? b : a), null))
    const source = databases[Math.max(0, largest)] as D1Database
    for (let offset = 0; offset < sampleRows; offset += rowsAtOnce) {
      const rows = await source
        .prepare(`SELECT * FROM ${quoted} LIMIT ${rowsAtOnce} OFFSET ${offset}`)
        .raw<unknown[]>()
      this.ctx.storage.transactionSync(() => {
        for (const row of rows) {
          const marks = row.map(() => '?').join(',')
          const values = row.map((value) => (Array.isArray(value) ? new Uint8Array(value) : value))
          this.ctx.storage.sql.exec(`INSERT OR IGNORE INTO ${quoted} VALUES (${marks})`, ...values)
        }
      })
      if (rows.length < rowsAtOnce) return
    }
  }

  #scratch(): Scratch {
    const { sql } = this.ctx.storage
    const { storage } = this.ctx
    return {
      measure(text, parameters) {
        let read = 0
        // Whatever it writes is undone.
        const undo = new Error('undone')
        try {
          storage.transactionSync(() => {
            const cursor = sql.exec(text, ...parameters)
            for (const _ of cursor);
            read = cursor.rowsRead
            throw undo
          })
        } catch (error) {
          if (error !== undo) throw error
        }
        return read
      },
      indexesUsed: (text, parameters) =>
        [...sql.exec<{ detail: string }>(`EXPLAIN QUERY PLAN ${text}`, ...parameters)].flatMap(
          ({ detail }) => {
            const [, name] = /USING (?:COVERING )?INDEX (\S+)/.exec(detail) ?? []
            return name === undefined ? [] : [name]
          },
        ),
      run: (text) => void sql.exec(text),
      indexes: readIndexes(sql),
    }
  }
}

/** A sample has children without their parents. */
function withoutForeignKeys(text: string): string {
  const actions = String.raw`(?:\s+(?:ON\s+(?:UPDATE|DELETE)\s+(?:NO\s+ACTION|RESTRICT|CASCADE|SET\s+NULL|SET\s+DEFAULT)|(?:NOT\s+)?DEFERRABLE(?:\s+INITIALLY\s+\w+)?))*`
  const target = String.raw`REFERENCES\s+(?:"[^"]+"|\x60[^\x60]+\x60|\w+)\s*(?:\([^)]*\))?${actions}`
  const constraint = new RegExp(
    String.raw`,\s*(?:CONSTRAINT\s+\S+\s+)?FOREIGN\s+KEY\s*\([^)]*\)\s*${target}`,
    'gi',
  )
  return text.replace(constraint, '').replace(new RegExp(target, 'gi'), '')
}

function readIndexes(sql: SqlStorage): readonly ExistingIndex[] {
  const rows = sql.exec<{ name: string; tbl_name: string; sql: string }>(
    "SELECT name, tbl_name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL",
  )
  return [...rows].map(({ name, tbl_name: table, sql: text }) => ({
    name,
    table,
    isUnique: /^CREATE UNIQUE/i.test(text),
    columns: (/\(([^()]*)\)/.exec(text)?.[1] ?? '')
      .split(',')
      .map((column) => column.trim().replace(/^[`"]|[`"]$/g, '')),
  }))
}
