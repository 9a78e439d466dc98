import { storedColumns } from '../../db/catalog/catalog.ts'
import { quoteName } from '../../db/quote.ts'
import { columnNames, ResourceCompiler } from './compile-resource.ts'
import { type CompiledSpread, compileSpread } from './compile-spread.ts'
import type { GatherPlan, ReadPlan, ResourcePlan } from './plan.ts'
import { sortColumns } from './sort-columns.ts'
import { type Statement, writeStatement } from './sql.ts'

/** What a read needs of the database, in one batch. */
export interface CompiledRead {
  /** One row per row of the answer, in its column `r`: JSON text, or a line of CSV. */
  readonly rows: Statement
  /**
   * The same in one row: all texts joined in its column `r`, their number in `n`. Null where there is nothing to join them for, or no
   * limit, which is what keeps SQLite from taking rows in another order than the inner statement's.
   */
  readonly joined: Statement | null
  /** One row with the number of rows there are, in its column `n`. */
  readonly count: Statement | null
  /** Names of the columns, for the head line of CSV. */
  readonly columns: readonly string[]
  /** What each of several databases is asked instead; compiled when it is first needed. */
  readonly spread: () => CompiledSpread
  /** What brings in the rows that lie elsewhere, in the order of the plan's gathers. */
  readonly gathers: readonly Statement[]
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
    joined: joinedOf(plan, rows),
    count,
    columns: columnNames(plan.root),
    spread: () => {
      spread ??= compileSpread(plan)
      return spread
    },
    gathers: plan.gathers.map((gather) => compileGather(gather, plan)),
  }
}

/** What rows of an array are joined by. */
export const rowSeparator = ',\n '

/** Joining in the database is much cheaper than carrying each row as a value of its own. */
function joinedOf({ root, media, maxRows }: ReadPlan, rows: Statement): Statement | null {
  if (media.kind !== 'array' || (root.limit === null && maxRows === null)) return null
  return {
    ...rows,
    text: `SELECT group_concat(r, '${rowSeparator}') AS r, count(*) AS n FROM (${rows.text})`,
  }
}

/** Rows as JSON arrays of the columns that their table keeps. */
function compileGather(gather: GatherPlan, { media }: ReadPlan): Statement {
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
    return type === 'blob' ? `hex(${column})` : column
  })
  // Lists that nobody ordered come in the order of the key, wherever their rows lay.
  const key = gather.table.primaryKey.map((name) => `${gather.alias}.${quoteName(name)}`)
  const columns = [`json_array(${values.join(', ')}) AS r`, ...key.flatMap(sortColumns)]
  const order = key.length === 0 ? '' : ` ORDER BY ${key.join(', ')}`
  return writeStatement((parameters) => {
    const from = new ResourceCompiler(parameters, root, { media, maxRows: null }).from()
    return `SELECT ${columns.join(', ')}${from}${order} LIMIT ${maxGathered + 1}`
  })
}
