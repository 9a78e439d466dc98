import type { BoundStatement } from '../../../db/sql/statement.ts'
import type { Budget } from '../ask/budget.ts'
import { bindParameters, type Statement } from '../compile/sql.ts'
import type { Bindings } from '../plan/bindings.ts'

/** What a read is run with. */
export interface BoundRead extends Bindings {
  readonly budget: Budget
}

/** What a read found. */
export interface ReadResult {
  /** JSON text, or a line of CSV, for each row; or one text of all rows, joined as an array's are. */
  readonly rows: readonly string[]
  /** How many rows that is. */
  readonly count: number
  /** How many rows there are without limit and offset; null when nobody asked. */
  readonly total: number | null
  /** Shards that did not answer, and that the request allows to be missing. */
  readonly missing: readonly string[]
}

/** A statement with the parameters of a request, whose wording made it. */
export function bind(statement: Statement, bindings: Bindings, rows?: string): BoundStatement {
  return { text: statement.text, parameters: bindParameters(statement, bindings, rows), isWorded: true }
}
