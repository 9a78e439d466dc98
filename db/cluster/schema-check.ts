/**
 * What a Worker asks a database before its first batch: whether it is what the app was made for. Asked along with that batch, as one
 * more statement.
 * @module
 */
import { placementsOf } from '../catalog/placements.ts'
import { behindMark, hiddenMark, unboundMark } from '../errors/constraint-error.ts'
import type { BoundStatement, Row } from '../sql/statement.ts'
import type { ClusterOptions } from './cluster-options.ts'

const fail = (mark: string, what: string) => `json_extract('{}', '${mark}/' || ${what})`

const lacking = 'SELECT value FROM json_each(?1) WHERE value NOT IN (SELECT name FROM d1_migrations)'
const elsewhere =
  'SELECT p.name FROM json_each(?2) AS w JOIN _atoll_placements AS p ON p.name = w.value->>0 WHERE p.placement <> w.value->>1'
const unbound = 'SELECT shard FROM _atoll_shard_map WHERE shard NOT IN (SELECT value FROM json_each(?3))'

/** Fails with a mark that says why; else tells the migrations that the app does not know. */
const text = (isPrimary: boolean) => `SELECT CASE
 WHEN EXISTS (${lacking}) THEN ${fail(behindMark, `(${lacking} LIMIT 1)`)}
 WHEN EXISTS (${elsewhere}) THEN ${fail(hiddenMark, `(${elsewhere} LIMIT 1)`)}
 ${isPrimary ? `WHEN EXISTS (${unbound}) THEN ${fail(unboundMark, `(${unbound} LIMIT 1)`)}` : ''}
 ELSE (SELECT json_group_array(name) FROM d1_migrations WHERE name NOT IN (SELECT value FROM json_each(?1)) AND ?3 IS NOT NULL) END AS ahead`

export class SchemaCheck {
  readonly #database: string
  readonly #statement: BoundStatement
  readonly #onAhead: ClusterOptions['onAhead']
  readonly #asks: boolean
  readonly #asksAlways: boolean
  #isPassed: boolean
  /** Whether the database has migrations that the app does not know; null as long as nobody has asked. */
  isAhead: boolean | null = null

  constructor(database: string, bindings: readonly string[], options: ClusterOptions) {
    const { migrations, catalog, onAhead } = options
    const placements = catalog ? placementsOf(catalog) : []
    this.#database = database
    this.#onAhead = onAhead
    this.#asks = migrations.length > 0
    this.#asksAlways = options.isConverting ?? false
    this.#isPassed = !this.#asks
    this.#statement = {
      text: text(database === 'DB'),
      parameters: [migrations, [...placements], bindings].map((list) => JSON.stringify(list)),
    }
  }

  /** The statement that is still to be asked. */
  get statements(): readonly BoundStatement[] {
    return this.#isPassed && !this.#asksAlways ? [] : [this.#statement]
  }

  /** The statement, for a database that has passed and lacks something since: it may have been put back in time. */
  get again(): readonly BoundStatement[] {
    return this.#asks ? [this.#statement] : []
  }

  /** Takes up what the database answered to it, if it was asked. */
  passed(rows: readonly Row[] | undefined): void {
    if (this.#isPassed || rows === undefined) return
    this.#isPassed = true
    const ahead = JSON.parse((rows[0]?.ahead as string | undefined) ?? '[]') as string[]
    this.isAhead = ahead.length > 0
    if (this.isAhead) this.#onAhead?.(this.#database, ahead)
  }
}
