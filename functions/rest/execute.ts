/**
 * The only stage that does I/O.
 * @module
 */
import type { BoundStatement, Cluster, Row } from '../../db/cluster/cluster.ts'
import { ConstraintError, RolledBack } from '../../db/cluster/constraint-error.ts'
import { errors } from '../errors.ts'
import type { CompiledRead } from './compile-read.ts'
import { compileRollback, type RollbackNotes } from './compile-rollback.ts'
import { affectedRows, type CompiledWrite } from './compile-write.ts'
import { type Ask, explainViolation } from './explain-violation.ts'
import type { Payload } from './parse-payload.ts'
import type { WritePlan } from './plan.ts'
import { sortRows } from './sort-rows.ts'
import { bindParameters, type Statement } from './sql.ts'

/** What a read found. */
export interface ReadResult {
  /** JSON text, or a line of CSV, for each row. */
  readonly rows: readonly string[]
  /** How many rows there are without limit and offset; null when nobody asked. */
  readonly total: number | null
}

/** What a write did. */
export interface WriteResult {
  /** JSON text, or a line of CSV, for each row that is shown. */
  readonly rows: readonly string[]
  /** Rows that were written. */
  readonly affected: number
  /** Of those, rows that were not there before. */
  readonly inserted: number
  /** The primary key of the one row that was written, as text; null when there are none or several. */
  readonly key: readonly string[] | null
}

/**
 * Runs a compiled read in one round trip.
 *
 * @param boundRows rows that the statement reads instead of a table's
 */
export async function executeRead(
  compiled: CompiledRead,
  operands: readonly string[],
  cluster: Cluster,
  boundRows?: string,
): Promise<ReadResult> {
  const statements = [compiled.rows, ...(compiled.count ? [compiled.count] : [])]
  const [rows = [], count] = await cluster.batch(
    statements.map((statement) => bind(statement, operands, boundRows)),
  )
  return {
    rows: rows.map((row) => row.r as string),
    total: count ? (count[0]?.n as number) : null,
  }
}

/** A write and what it writes. */
export interface BoundWrite {
  readonly plan: WritePlan
  readonly compiled: CompiledWrite
  /** The payload's rows, as `storage-rows.ts` makes them. */
  readonly chunks: readonly string[]
  readonly operands: readonly string[]
  readonly payload: Payload
}

/** Runs a compiled write in one round trip and one transaction. */
export async function executeWrite(bound: BoundWrite, cluster: Cluster): Promise<WriteResult> {
  const ask: Ask = async (statement, rows) => {
    const [found = []] = await cluster.batch([bind(statement, bound.operands, rows)])
    return found
  }
  try {
    return await (bound.plan.preferences.tx === 'rollback'
      ? runAndUndo(bound, cluster)
      : runWrite(bound, cluster))
  } catch (error) {
    if (error instanceof ConstraintError) throw await explainViolation(error, bound, ask)
    throw error
  }
}

async function runWrite(
  { plan, compiled, chunks, operands, payload }: BoundWrite,
  cluster: Cluster,
): Promise<WriteResult> {
  const { existing, doomed, write, returns, guards } = compiled
  // Guards see the last statement only; rows that take several statements are not one row.
  if (chunks.length > 1 && plan.media.kind === 'object') throw errors.notSingular(payload.rows.length)
  const statements = chunks.flatMap((chunk) => [
    ...(existing ? [bind(existing, operands, chunk)] : []),
    ...(doomed ? [bind(doomed, operands)] : []),
    bind(write, operands, chunk),
    ...(returns ? [] : [bind(affectedRows, operands)]),
  ])
  const results = await cluster.batch([...statements, ...guards.map((guard) => bind(guard, operands))])
  const perChunk = statements.length / chunks.length
  let existed = 0
  let affected = 0
  const written: Row[] = []
  for (let i = 0; i < statements.length; i += perChunk) {
    if (existing) existed += numberIn(results[i])
    const last = results[i + perChunk - 1] ?? []
    affected += returns ? last.length : numberIn(last)
    if (returns) written.push(...last)
  }
  const [only] = written
  const shown = doomed ? (results[0] ?? []) : sortRows(written, plan.root.order)
  return {
    rows: shown.flatMap((row) => (row.r === null ? [] : [row.r as string])),
    affected,
    inserted: affected - existed,
    key: written.length === 1 && only ? keyOf(only) : null,
  }
}

/** Does the write and undoes it; see `compile-rollback.ts`. */
async function runAndUndo(
  { plan, compiled, chunks, operands }: BoundWrite,
  cluster: Cluster,
): Promise<WriteResult> {
  const { before, after } = compileRollback(plan, compiled, operands)
  const [chunk = '[]', ...others] = chunks
  if (others.length > 0) throw errors.rollbackTooLarge()
  const statements = [...before, compiled.write, ...compiled.guards, after]
  try {
    await cluster.batch(statements.map((statement) => bind(statement, operands, chunk)))
  } catch (error) {
    if (!(error instanceof RolledBack)) throw error
    const { rows, existing } = JSON.parse(error.notes) as RollbackNotes
    const noted = rows.map(({ text, keys }) => ({
      r: text,
      ...Object.fromEntries((keys ?? []).map((key, i) => [`k${i}`, key])),
    }))
    const sorted = compiled.doomed ? noted : sortRows(noted, plan.root.order)
    const shown = sorted.flatMap((row) => (typeof row.r === 'string' ? [row.r] : []))
    return { rows: shown, affected: rows.length, inserted: rows.length - existing, key: null }
  }
  throw errors.internal(new Error('the transaction was not rolled back'))
}

function bind(statement: Statement, operands: readonly string[], rows?: string): BoundStatement {
  return { text: statement.text, parameters: bindParameters(statement, operands, rows) }
}

function numberIn(rows: readonly Row[] | undefined): number {
  return Number(rows?.[0]?.n ?? 0)
}

function keyOf(row: Row): string[] {
  const key: string[] = []
  for (let i = 0; row[`l${i}`] !== undefined; i++) key.push(String(row[`l${i}`]))
  return key
}
