import type { Cluster } from '../../db/cluster/cluster.ts'
import type { CompiledRead } from './compile-plan.ts'
import { bindParameters } from './sql.ts'

/** What the database answered. */
export interface Result {
  /** JSON text, or a line of CSV, for each row. */
  readonly rows: readonly string[]
  /** How many rows there are without limit and offset; null when nobody asked. */
  readonly total: number | null
}

/** Runs a compiled request in one round trip. The only stage that does I/O. */
export async function execute(
  compiled: CompiledRead,
  operands: readonly string[],
  cluster: Cluster,
): Promise<Result> {
  const statements = [compiled.rows, ...(compiled.count ? [compiled.count] : [])]
  const [rows = [], count] = await cluster.batch(
    statements.map((statement) => ({
      text: statement.text,
      parameters: bindParameters(statement, operands),
    })),
  )
  return {
    rows: rows.map((row) => row.r as string),
    total: count ? (count[0]?.n as number) : null,
  }
}
