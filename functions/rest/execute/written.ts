/**
 * What a write has done, read from what its databases answered.
 * @module
 */

import { isUnknown } from '../../../db/cluster/unknown-outcome.ts'
import { AtollError } from '../../../db/errors/atoll-error.ts'
import type { RolledBack } from '../../../db/errors/constraint-error.ts'
import type { Outcome } from '../../../db/slots/parts.ts'
import type { Row } from '../../../db/sql/statement.ts'
import type { NotedRow, RollbackNotes } from '../compile/compile-rollback.ts'
import type { CompiledWrite } from '../compile/compile-write.ts'
import { errors } from '../errors.ts'
import type { WritePlan } from '../plan/plan.ts'
import { sortRows } from './sort-rows.ts'

/** A write as far as its answers depend on it. */
interface CompiledPlan {
  readonly plan: WritePlan
  readonly compiled: CompiledWrite
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

/** What one database did. */
export interface PartResult {
  readonly shown: readonly Row[]
  readonly affected: number
  readonly inserted: number
  readonly key: readonly string[] | null
}

/** What a database answered to its part of a write. */
export function readResults(
  { plan, compiled }: CompiledPlan,
  answered: readonly (readonly Row[])[],
): PartResult {
  const { existing, forbid, doomed, measured, returns, guards } = compiled
  const results = measured ? answered.slice(1) : answered
  const statements = results.length - guards.length
  const own = 1 + [existing, forbid, doomed].filter((part) => part !== null).length
  // One new row tells of itself.
  const tells = returns || statements === own
  const perChunk = own + (tells ? 0 : 1)
  let existed = 0
  let affected = 0
  const written: Row[] = []
  for (let i = 0; i < statements; i += perChunk) {
    if (existing) existed += numberIn(results[i])
    const last = results[i + perChunk - 1] ?? []
    affected += tells ? last.length : numberIn(last)
    if (returns) written.push(...last)
  }
  const [only] = written
  return {
    shown: doomed ? (results[0] ?? []) : sortRows(written, plan.root.order),
    affected,
    inserted: affected - existed,
    key: written.length === 1 && only ? keyOf(only) : null,
  }
}

/** What a transaction had done that undid itself; see `compile-rollback.ts`. */
export function readNotes({ plan, compiled }: CompiledPlan, { notes }: RolledBack): PartResult {
  const { rows, existing } = JSON.parse(notes) as RollbackNotes
  const noted = rows.map(rowOfNote)
  return {
    shown: compiled.doomed ? noted : sortRows(noted, plan.root.order),
    affected: rows.length,
    inserted: rows.length - existing,
    key: null,
  }
}

/** What is kept of a part that was written with an Idempotency-Key, as JSON: see `db/cluster/write-keys.ts`. */
interface KeptNotes {
  readonly rows: readonly NotedRow[]
  readonly affected: number
  readonly existing: number
  readonly key: readonly (string | null)[] | null
}

/** What a part had answered that is done. */
export function readKept({ plan, compiled }: CompiledPlan, text: string): PartResult {
  const { rows, affected, existing, key } = JSON.parse(text) as KeptNotes
  const noted = rows.map(rowOfNote)
  const end = key?.indexOf(null) ?? -1
  return {
    shown: compiled.doomed ? noted : sortRows(noted, plan.root.order),
    affected,
    inserted: affected - existing,
    key: key === null ? null : ((end < 0 ? key : key.slice(0, end)) as readonly string[]),
  }
}

function rowOfNote({ text, keys }: NotedRow): Row {
  return { r: text, ...Object.fromEntries((keys ?? []).map((key, i) => [`k${i}`, key])) }
}

/**
 * One part's failure is the write's; of several, it is told what each has done.
 *
 * @param before parts that an earlier request with the same key has written
 * @param keyed whether the write has a key, so that it may be sent again as it is
 */
export function failureOf(
  outcomes: readonly Outcome[],
  results: readonly (PartResult | Error)[],
  before: readonly { readonly database: string; readonly result: PartResult }[],
  keyed: boolean,
): Error {
  const failures = results.filter((result): result is Error => result instanceof Error)
  const parts = [
    ...before.map(({ database, result }) => told(database, result)),
    ...results.map((result, i) => told(outcomes[i]?.part.database ?? '', result)),
  ]
  if (failures.length < parts.length) return errors.partlyWritten(parts, keyed)
  const unknown = failures.find(isUnknown)
  if (unknown === undefined) return failures[0] as Error
  const database = parts.find(({ written }) => written === null)?.shard ?? ''
  const details = parts.length > 1 ? parts : unknown.body.details
  return errors.outcomeUnknown(database, unknown, { keyed, details })
}

function told(shard: string, result: PartResult | Error) {
  if (!(result instanceof Error)) {
    return { shard, written: result.affected, error: null }
  }
  const { body } = result instanceof AtollError ? result : errors.internal(result)
  return isUnknown(result)
    ? { shard, outcome: 'unknown' as const, written: null, error: body }
    : { shard, written: 0, error: body }
}

export function joined(parts: readonly PartResult[], plan: WritePlan): WriteResult {
  const rows = parts.flatMap(({ shown }) => shown)
  const sorted = parts.length > 1 ? sortRows(rows, plan.root.order) : rows
  const sum = (of: (part: PartResult) => number) => parts.reduce((total, part) => total + of(part), 0)
  return {
    rows: sorted.flatMap((row) => (typeof row.r === 'string' ? [row.r] : [])),
    affected: sum(({ affected }) => affected),
    inserted: sum(({ inserted }) => inserted),
    key: parts.length === 1 ? (parts[0]?.key ?? null) : null,
  }
}

function numberIn(rows: readonly Row[] | undefined): number {
  return Number(rows?.[0]?.n ?? 0)
}

function keyOf(row: Row): string[] {
  const key: string[] = []
  for (let i = 0; (row[`l${i}`] ?? null) !== null; i++) key.push(String(row[`l${i}`]))
  return key
}
