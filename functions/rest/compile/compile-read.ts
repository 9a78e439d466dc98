import { storedColumns } from '../../../db/catalog/catalog.ts'
import { quoteName } from '../../../db/sql/quote.ts'
import type { BoundStatement } from '../../../db/sql/statement.ts'
import type { GatherPlan, ReadPlan, ResourcePlan } from '../plan/plan.ts'
import { columnNames, ResourceCompiler } from './compile-resource.ts'
import { type CompiledSpread, compileSpread } from './compile-spread.ts'
import { sortColumns, sortNames } from './sort-columns.ts'
import { type Statement, writeStatement } from './sql.ts'

/** What a read needs of the database, in one batch. */
export interface CompiledRead {
  /** One row per row of the answer, in its column `r`: JSON text, or a line of CSV. */
  readonly rows: Statement
  /** Whether the rows may come as one text (`joinedOf`): of an array. */
  readonly isJoined: boolean
  /** One row with the number of rows there are, in its column `n`. */
  readonly count: Statement | null
  /** Names of the columns, for the head line of CSV. */
  readonly columns: readonly string[]
  /** What each of several databases is asked instead; compiled when it is first needed. */
  readonly spread: () => CompiledSpread
  /** What brings in the rows that lie elsewhere, in the order of the plan's gathers. */
  readonly gathers: readonly CompiledGather[]
}

/** Rows of a gather, each a JSON array in `r`, and the columns that they are sorted by. */
export interface CompiledGather {
  readonly statement: Statement
  readonly columns: readonly string[]
}

/** Most rows of one table that are brought together for a request. */
export const maxGathered = 10_000

/** Turns a plan into statements. Pure: text, and where each parameter comes from. */
export function compileRead(plan: ReadPlan): CompiledRead {
  const rows = writeStatement((parameters) => new ResourceCompiler(parameters, plan.root, plan).rows())
  const count = plan.preferences.count
    ? writeStatement((parameters) => new ResourceCompiler(parameters, plan.root, plan).count())
    : null
  let spread: CompiledSpread | undefined
  return {
    rows,
    isJoined: plan.media.kind === 'array',
    count,
    columns: columnNames(plan.root),
    spread: () => {
      spread ??= compileSpread(plan)
      return spread
    },
    gathers: plan.gathers.map((gather) => compileGather(gather, plan)),
  }
}

/** What rows of an array are joined by, as PostgreSQL's json_agg does. */
export const rowSeparator = ', \n '

/**
 * All rows in one: their texts joined in its column `r`, their number in `n`. Joining in the database is much cheaper than carrying
 * each row as a value of its own.
 */
export function joinedOf(statement: BoundStatement): BoundStatement {
  const text = `SELECT group_concat(r, '${rowSeparator}') AS r, count(*) AS n FROM (${statement.text})`
  return { ...statement, text }
}

/** Rows as JSON arrays of the columns that their table keeps. */
function compileGather(gather: GatherPlan, { media }: ReadPlan): CompiledGather {
  const root: ResourcePlan = {
    ...gather,
    source: 'table',
    placement: gather.table.placement,
    output: [],
    order: [],
    limit: null,
    offset: null,
    aggregated: false,
  }
  const values = storedColumns(gather.table).map(({ name, type }) => {
    const column = `${gather.alias}.${quoteName(name)}`
    // Of null, hex() makes no bytes.
    return type === 'blob' ? `iif(${column} IS NULL,NULL,hex(${column}))` : column
  })
  // Lists that nobody ordered come in the order of the key, wherever their rows lay.
  const key = gather.table.primaryKey.map((name) => `${gather.alias}.${quoteName(name)}`)
  const columns = [`json_array(${values.join(', ')}) AS r`, ...key.flatMap(sortColumns)]
  const names = ['r', ...key.flatMap((_, i) => sortNames(i))]
  const order = key.length === 0 ? '' : ` ORDER BY ${key.join(', ')}`
  const statement = writeStatement((parameters) => {
    const from = new ResourceCompiler(parameters, root, { media, maxRows: null }).from()
    return `SELECT ${columns.join(', ')}${from}${order} LIMIT ${maxGathered + 1}`
  })
  return { statement, columns: names }
}
