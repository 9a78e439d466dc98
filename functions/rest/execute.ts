/**
 * The only stage that does I/O.
 * @module
 */
import type { BoundStatement, Cluster, Row } from '../../db/cluster/cluster.ts'
import { ConstraintError, PolicyViolation, RolledBack } from '../../db/cluster/constraint-error.ts'
import type { Rights } from '../access/rights.ts'
import { errors } from '../errors.ts'
import type { CompiledRead } from './compile-read.ts'
import { compileRollback, type RollbackNotes } from './compile-rollback.ts'
import { affectedRows, type CompiledWrite } from './compile-write.ts'
import { type Ask, explainViolation } from './explain-violation.ts'
import type { Payload } from './parse-payload.ts'
import type { WritePlan } from './plan.ts'
import { sortRows } from './sort-rows.ts'
import { type Bindings, bindParameters, type Statement } from './sql.ts'

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
  bindings: Bindings,
  cluster: Cluster,
  boundRows?: string,
): Promise<ReadResult> {
  const statements = [compiled.rows, ...(compiled.count ? [compiled.count] : [])]
  const [rows = [], count] = await cluster.batch(
    statements.map((statement) => bind(statement, bindings, boundRows)),
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
  readonly rights: Rights
  readonly payload: Payload
}

/** Runs a compiled write in one round trip and one transaction. */
export async function executeWrite(bound: BoundWrite, cluster: Cluster): Promise<WriteResult> {
  const ask: Ask = async (statement, rows) => {
    const [found = []] = await cluster.batch([bind(statement, bound, rows)])
    return found
  }
  try {
    return await (bound.plan.preferences.tx === 'rollback'
      ? runAndUndo(bound, cluster)
      : runWrite(bound, cluster))
  } catch (error) {
    if (error instanceof ConstraintError || error instanceof PolicyViolation) {
      throw await explainViolation(error, bound, ask)
    }
    throw error
  }
}

async function runWrite(bound: BoundWrite, cluster: Cluster): Promise<WriteResult> {
  const { plan, compiled, chunks, payload } = bound
  const { existing, forbid, doomed, write, returns, guards } = compiled
  // Guards see the last statement only; rows that take several statements are not one row.
  if (chunks.length > 1 && plan.media.kind === 'object') throw errors.notSingular(payload.rows.length)
  const statements = chunks.flatMap((chunk) => [
    ...(existing ? [bind(existing, bound, chunk)] : []),
    ...(forbid ? [bind(forbid, bound, chunk)] : []),
    ...(doomed ? [bind(doomed, bound)] : []),
    bind(write, bound, chunk),
    ...(returns ? [] : [bind(affectedRows, bound)]),
  ])
  const results = await cluster.batch([...statements, ...guards.map((guard) => bind(guard, bound))])
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
async function runAndUndo(bound: BoundWrite, cluster: Cluster): Promise<WriteResult> {
  const { plan, compiled, chunks } = bound
  const { before, after } = compileRollback(plan, compiled, bound)
  const [chunk = '[]', ...others] = chunks
  if (others.length > 0) throw errors.rollbackTooLarge()
  const statements = [...before, compiled.write, ...compiled.guards, after]
  try {
    await cluster.batch(statements.map((statement) => bind(statement, bound, chunk)))
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

function bind(statement: Statement, bindings: Bindings, rows?: string): BoundStatement {
  return { text: statement.text, parameters: bindParameters(statement, bindings, rows) }
}

function numberIn(rows: readonly Row[] | undefined): number {
  return Number(rows?.[0]?.n ?? 0)
}

function keyOf(row: Row): string[] {
  const key: string[] = []
  for (let i = 0; (row[`l${i}`] ?? null) !== null; i++) key.push(String(row[`l${i}`]))
  return key
}
