import { columnNames, ResourceCompiler } from './compile-resource.ts'
import type { ReadPlan } from './plan.ts'
import { type Statement, writeStatement } from './sql.ts'

/** What a read needs of the database, in one batch. */
export interface CompiledRead {
  /** One row per row of the answer, in its column `r`: JSON text, or a line of CSV. */
  readonly rows: Statement
  /** One row with the number of rows there are, in its column `n`. */
  readonly count: Statement | null
  /** Names of the columns, for the head line of CSV. */
  readonly columns: readonly string[]
}

/** Turns a plan into statements. Pure: text, and where each parameter comes from. */
export function compileRead(plan: ReadPlan): CompiledRead {
  const rows = writeStatement((parameters) => new ResourceCompiler(parameters, plan.root, plan).rows())
  const count = plan.preferences.count
    ? writeStatement((parameters) => new ResourceCompiler(parameters, plan.root, plan).count())
    : null
  return { rows, count, columns: columnNames(plan.root) }
}
