import { errors } from '../errors/errors.ts'
import type { Payer } from './watchdog.ts'

/** What one invocation of the Worker asks of databases, counted over all of its sessions and those of the functions that it calls. */
export class Account {
  /** Null: whoever asks is not watched. */
  readonly payer: Payer | null
  readonly #maxStatements: number | null
  readonly #maxRowsRead: number | null
  statements = 0
  rowsRead = 0

  /** @param bounds of statements and rows; null: none */
  constructor(
    payer: Payer | null,
    bounds: { readonly maxStatements: number | null; readonly maxRowsRead: number | null },
  ) {
    this.payer = payer
    this.#maxStatements = bounds.maxStatements
    this.#maxRowsRead = bounds.maxRowsRead
  }

  /**
   * Before statements run that may still be refused. The platform would end the invocation at the statement that is one too many, when
   * others have been committed.
   *
   * @throws 400 `BOUND021` for too many statements, `BOUND022` when too many rows were read
   */
  check(statements: number): void {
    const [max, maxRows] = [this.#maxStatements, this.#maxRowsRead]
    if (max !== null && this.statements + statements > max) throw errors.tooManyStatements(max)
    if (maxRows !== null && this.rowsRead > maxRows) throw errors.tooManyRowsRead(maxRows)
  }
}
