import type { BoundStatement } from '../sql/statement.ts'

/** What a request has cost its databases so far. */
export class Usage {
  calls = 0
  /** Milliseconds; of calls at the same time, the sum. */
  ms = 0
  rowsRead = 0
  rowsWritten = 0
  /** The statement that read most. */
  worst: { readonly statement: BoundStatement; readonly rowsRead: number } | null = null

  call(ms: number): void {
    this.calls++
    this.ms += ms
  }

  statement(statement: BoundStatement, rowsRead: number, rowsWritten: number): void {
    this.rowsRead += rowsRead
    this.rowsWritten += rowsWritten
    if (this.worst === null || rowsRead > this.worst.rowsRead) this.worst = { statement, rowsRead }
  }
}
