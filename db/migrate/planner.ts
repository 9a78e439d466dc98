import { MigrationError } from '../errors/migration-error.ts'
import { quoteName, quoteText } from '../sql/quote.ts'
import { foldName, mentions } from '../sql/sql-tokens.ts'
import { createSearch, dropSearch, refillSearch, searchPrefix } from '../system/search-objects.ts'
import { type AttachmentsOf, isAtollTrigger } from './attachments.ts'
import type { Rename } from './rename.ts'
import type { ModelTable, SchemaModel } from './schema-model.ts'
import type { SchemaObject } from './schema-objects.ts'

/** A statement as it will be run, and the one of the migration that it is for. */
export interface Step {
  readonly sql: string
  readonly source: string | null
}

/** Source: https://developers.cloudflare.com/d1/platform/limits/ */
const maxStatementBytes = 100_000

/** Tables whose triggers were taken off. */
interface Detached {
  readonly triggers: readonly SchemaObject[]
  /** Whether rows may be others than the search index knows. */
  isRewritten: boolean
}

/** Collects the statements of one migration, and tries each on the model of the database as it will be by then. */
export class Planner {
  readonly model: SchemaModel
  readonly migration: string
  readonly steps: Step[] = []
  readonly renames: Rename[] = []
  /** Tables whose rows were written without a trigger to tell. */
  readonly rewritten = new Set<string>()
  /** Tables that statements of the migration write. */
  readonly writes = new Set<string>()
  /** The migration's statement that is being worked on. */
  source: string | null = null
  readonly #attachmentsOf: AttachmentsOf
  readonly #detached = new Map<string, Detached>()
  readonly #toCheck = new Set<string>()
  #temporary = 0

  constructor(model: SchemaModel, migration: string, attachmentsOf: AttachmentsOf) {
    this.model = model
    this.migration = migration
    this.#attachmentsOf = attachmentsOf
  }

  /** @throws MigrationError when the schema as it will be does not take it */
  run(sql: string): void {
    this.#checkSize(sql)
    const problem = this.model.problemOf(sql)
    if (problem !== null) throw this.error(problem, undefined, new Error(problem))
    try {
      this.model.run(sql)
    } catch (error) {
      throw this.error((error as Error).message, undefined, error)
    }
    this.steps.push({ sql, source: this.source })
  }

  /** A statement about rows, which the model has none of: it is only read. */
  runOnRows(sql: string): void {
    this.#checkSize(sql)
    const problem = this.model.problemOf(sql)
    if (problem !== null) throw this.error(problem)
    this.steps.push({ sql, source: this.source })
  }

  #checkSize(sql: string): void {
    const bytes = Buffer.byteLength(sql)
    if (bytes > maxStatementBytes)
      throw this.error(`the statement has ${bytes} bytes, and D1 takes ${maxStatementBytes}`, 'Divide it.')
  }

  error(reason: string, remedy?: string, cause?: unknown): MigrationError {
    return new MigrationError(
      reason,
      {
        migration: this.migration,
        ...(this.source === null ? {} : { statement: this.source }),
        ...(remedy === undefined ? {} : { remedy }),
      },
      cause,
    )
  }

  /** Has foreign keys of a table looked at when the migration is through. */
  willCheck(table: string): void {
    this.#toCheck.add(foldName(table))
  }

  checkForeignKeys(): void {
    this.source = null
    for (const name of this.#toCheck) {
      const table = this.model.table(name)
      if (table && table.foreignKeys.length > 0) this.#checkKeysOf(table.name)
    }
  }

  /** Fails, and the transaction with it, when a row of a table refers to nothing. */
  #checkKeysOf(table: string): void {
    const found = `pragma_foreign_key_check(${quoteText(table)})`
    this.steps.push({
      sql: `SELECT CASE WHEN NOT EXISTS (SELECT 1 FROM ${found}) THEN 1 ELSE json_extract('{}', ${quoteText(`atoll/foreign-key/${table}/`)} || (SELECT "parent" FROM ${found} LIMIT 1)) END`,
      source: this.source,
    })
  }

  /** A name for an index that lives only while the migration runs. */
  temporaryIndex(table: string, columns: readonly string[]): string {
    const name = `_atoll_temporary_${this.#temporary++}`
    this.run(`CREATE INDEX ${quoteName(name)} ON ${quoteName(table)} (${columns.map(quoteName).join(', ')})`)
    return name
  }

  /** Takes Atoll's own triggers off a table until the migration ends. */
  detach(table: string): void {
    const own = this.model.triggersOn(table).filter(({ name }) => isAtollTrigger(name))
    for (const { name } of own) this.run(`DROP TRIGGER ${quoteName(name)}`)
    const known = this.#detached.get(foldName(table))
    this.#detached.set(foldName(table), {
      triggers: known?.triggers ?? own,
      isRewritten: known?.isRewritten ?? false,
    })
  }

  /** Notes that a table's rows are copied; `exactly` when each keeps its rowid and its values. */
  rewrote(table: string, exactly: boolean): void {
    this.rewritten.add(table)
    const detached = this.#detached.get(foldName(table))
    if (detached && !exactly) detached.isRewritten = true
  }

  /** Takes away a table's search index when it knows this column; of any column when none is named. */
  dropSearchOf(table: string, column?: string): void {
    const index = this.model.table(`${searchPrefix}${table}`)
    if (!index || (column !== undefined && !mentions(index.sql, column))) return
    for (const sql of dropSearch(index.name)) this.run(sql)
  }

  /** What was noted of a table goes on under another name. */
  renamed(table: string, to: string): void {
    if (this.#toCheck.delete(foldName(table))) this.#toCheck.add(foldName(to))
    const detached = this.#detached.get(foldName(table))
    this.#detached.delete(foldName(table))
    if (detached) this.#detached.set(foldName(to), detached)
  }

  /** Puts back what was taken off, as the tables are now. */
  attach(): void {
    const { source } = this
    this.source = null
    for (const [name, { triggers, isRewritten }] of this.#detached) {
      const table = this.model.table(name)
      if (table) this.#attachTo(table, triggers, isRewritten)
    }
    this.#detached.clear()
    this.source = source
  }

  #attachTo(table: ModelTable, old: readonly SchemaObject[], isRewritten: boolean): void {
    const wanted = this.#attachmentsOf(table)
    if (!wanted) {
      // Nobody says what it should have: the last version's triggers stay for as long as they can.
      for (const { sql } of old) if (this.#fits(sql, table)) this.run(sql)
      return
    }
    const { search, triggers } = wanted
    const index = search && this.model.table(search.index)
    const [wantedIndex] = search ? createSearch(search) : []
    // An index of other columns is another index.
    if (index && index.sql !== wantedIndex) for (const sql of dropSearch(index.name)) this.run(sql)
    if (search && !this.model.has(search.index)) {
      for (const sql of createSearch(search)) this.run(sql)
    } else if (search && isRewritten) {
      this.run(refillSearch(search.index))
    }
    for (const [name, sql] of triggers) if (!this.model.has(name)) this.run(sql)
  }

  /** Whether a trigger can be made and would not make writes fail. */
  #fits(sql: string, table: ModelTable): boolean {
    const trial = 'SAVEPOINT fits'
    this.model.run(trial)
    try {
      this.model.run(sql)
      return problemsOfWrites(this.model, table).length === 0
    } catch {
      return false
    } finally {
      this.model.run('ROLLBACK TO fits')
      this.model.run('RELEASE fits')
    }
  }
}

/** Why rows of a table could not be inserted, updated or deleted: its triggers are compiled along. */
export function problemsOfWrites(model: SchemaModel, { name, columns }: ModelTable): string[] {
  const [writable] = columns.filter(({ generated }) => generated === null)
  const sets = writable ? `${quoteName(writable.name)} = ${quoteName(writable.name)}` : 'rowid = rowid'
  const writes = [
    `INSERT INTO ${quoteName(name)} DEFAULT VALUES`,
    `UPDATE ${quoteName(name)} SET ${sets}`,
    `DELETE FROM ${quoteName(name)}`,
  ]
  return writes.flatMap((sql) => model.problemOf(sql) ?? [])
}
