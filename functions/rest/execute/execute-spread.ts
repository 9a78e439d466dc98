/**
 * Reads that several databases answer together. Each is asked for as many rows as can be in the answer. Where that is far more than
 * the answer has, since the range begins deep, rows are not sent to be thrown away: first it is found out where the range lies on
 * each database, by what rows are sorted by alone.
 * @module
 */

import type { ClusterSession } from '../../../db/cluster/session.ts'
import { AtollError } from '../../../db/errors/atoll-error.ts'
import { BoundError, MovedError, StaleCopyError } from '../../../db/errors/constraint-error.ts'
import type { Outcome, Part, Site } from '../../../db/slots/parts.ts'
import type { BoundStatement, Row } from '../../../db/sql/statement.ts'
import type { CompiledRead } from '../compile/compile-read.ts'
import type { CompiledSpread } from '../compile/compile-spread.ts'
import { bytesOf, guardAnswer } from '../compile/guard-answer.ts'
import type { ReadPlan } from '../plan/plan.ts'
import { rangeOf } from '../plan/range.ts'
import { type BoundRead, bind, type ReadResult } from './bound-read.ts'
import { type MergeRange, mergeParts } from './merge-parts.ts'
import { sortRows } from './sort-rows.ts'

/** From so many rows before a range on, it is looked for. */
const deepOffset = 1000

/** Where so many rows are before the end of a range, samples of them tell how many may be passed over unseen. */
const sampledRows = 4000

interface SpreadRead {
  readonly site: Site
  readonly plan: ReadPlan
  readonly compiled: CompiledRead
  readonly bindings: BoundRead
  readonly session: ClusterSession
  readonly boundRows: string | undefined
}

export async function readParts(read: SpreadRead): Promise<ReadResult> {
  const { plan, compiled, bindings, boundRows } = read
  const spread = compiled.spread()
  const range = rangeOf(plan.root, plan.maxRows, bindings.operands)
  const counts = compiled.count && spread.kind !== 'groups' ? [bind(compiled.count, bindings, boundRows)] : []
  const { limit } = range
  const canSeek = spread.kind === 'rows' && limit !== null
  if (canSeek && range.offset >= deepOffset) return seekRange(read, spread, { ...range, limit }, counts)
  try {
    return await readFirst(read, spread, range, counts)
  } catch (error) {
    // Rows of all parts are more than those of the answer.
    if (canSeek && error instanceof BoundError) return seekRange(read, spread, { ...range, limit }, counts)
    throw error
  }
}

/** Reads what each part has of the rows up to the end of the range. */
async function readFirst(
  { site, plan, compiled, bindings, session, boundRows }: SpreadRead,
  spread: CompiledSpread,
  range: MergeRange,
  counts: readonly BoundStatement[],
): Promise<ReadResult> {
  const { answerBytes, mergedRows } = bindings.budget
  const columns = spread.kind === 'rows' ? ['r', ...spread.sorted] : spread.names
  const statement = guardAnswer(bind(spread.rows, bindings, boundRows), {
    columns: columns.join(', '),
    size: bytesOf(spread.kind === 'rows' ? columns : spread.long),
    maxBytes: answerBytes,
    maxRows: mergedRows,
  })
  const outcomes = await session.run(site, () => [statement, ...counts])
  const { answers, missing } = answersOf(outcomes, plan)
  const parts = answers.map(([first = []]) => first)
  const { rows, merged } = mergeParts(parts, spread, plan, range)
  const total = spread.kind === 'groups' ? merged : counted(answers)
  return within({ rows, count: rows.length, total: compiled.count ? total : null, missing }, answerBytes)
}

/** A range of rows that begins deep: where it lies on each part is found out first, and then no others are sent. */
async function seekRange(
  { site, plan, compiled, bindings, session, boundRows }: SpreadRead,
  spread: Extract<CompiledSpread, { kind: 'rows' }>,
  { offset, limit }: { readonly offset: number; readonly limit: number },
  counts: readonly BoundStatement[],
): Promise<ReadResult> {
  const { order } = plan.root
  const { answerBytes } = bindings.budget
  const keys = bind(spread.keys, bindings, boundRows)
  const sorted = spread.sorted.length === 0 ? ['r'] : spread.sorted
  const guarded = (statement: BoundStatement, columns: readonly string[]) =>
    guardAnswer(statement, {
      columns: columns.join(', '),
      size: bytesOf(columns),
      maxBytes: answerBytes,
      maxRows: null,
    })
  const missing = new Set<string>()
  /** Rows of each part, with its name; of those that have failed before, none. */
  const ask = async (statementOf: (part: Part) => BoundStatement, others: readonly BoundStatement[] = []) => {
    const outcomes = await session.run(site, (part) => [statementOf(part), ...others])
    const found = answersOf(
      outcomes.filter(({ part }) => !missing.has(part.database)),
      plan,
    )
    for (const database of found.missing) missing.add(database)
    const rows = found.answers.flatMap(([first = []], i) =>
      first.map((row): Row => ({ ...row, part: found.databases[i] })),
    )
    return { ...found, rows: sortRows(rows, order) }
  }

  const skips = new Map<string, number>()
  const skipOf = ({ database }: { readonly database: string }) => skips.get(database) ?? 0
  let skipped = 0
  let total: number | null = null
  const end = offset + limit
  if (end > sampledRows) {
    const shards = (await session.cluster.partsOf(site, session)).length
    const step = Math.ceil(Math.sqrt(end / (shards + 1)))
    const sampled: BoundStatement = {
      ...keys,
      text: `SELECT * FROM (SELECT *, row_number() OVER (ROWS UNBOUNDED PRECEDING) AS _i FROM (${keys.text} LIMIT ${end})) WHERE _i % ${step} = 0`,
    }
    const { rows, answers } = await ask(() => guarded(sampled, sorted), counts)
    if (counts.length > 0) total = counted(answers)
    // Of each part, up to `step` rows before a sample may come after those that are passed over: so many parts, so many samples.
    const passed = rows.slice(0, Math.max(0, Math.floor(offset / step) - shards))
    for (const { part } of passed) skips.set(part as string, (skips.get(part as string) ?? 0) + step)
    skipped = passed.length * step
  }
  const rest = offset - skipped
  const near = await ask(
    (part) => guarded({ ...keys, text: `${keys.text} LIMIT ${rest + limit} OFFSET ${skipOf(part)}` }, sorted),
    total === null ? counts : [],
  )
  if (counts.length > 0) total ??= counted(near.answers)
  // The rows of a part that are in the range stand side by side: its order is the answer's.
  const chosen = Map.groupBy(near.rows.slice(rest, rest + limit), ({ part }) => part as string)
  const before = Map.groupBy(near.rows.slice(0, rest), ({ part }) => part as string)
  const ordered = bind(spread.ordered, bindings, boundRows)
  const columns = ['r', ...spread.sorted]
  const shown = await ask(({ database }) => {
    const rows = chosen.get(database)?.length ?? 0
    if (rows === 0) return { text: 'SELECT NULL AS r WHERE 0', parameters: [] }
    const first = skipOf({ database }) + (before.get(database)?.length ?? 0)
    return guarded({ ...ordered, text: `${ordered.text} LIMIT ${rows} OFFSET ${first}` }, columns)
  })
  const rows = shown.rows.map((row) => row.r as string)
  const result = { rows, count: rows.length, total: compiled.count ? total : null, missing: [...missing] }
  return within(result, answerBytes)
}

/** @throws BoundError when the rows of all parts together are more than one answer may have */
function within(result: ReadResult, answerBytes: number): ReadResult {
  // A character has at least a byte; the parts' own bounds have counted bytes.
  const length = result.rows.reduce((sum, row) => sum + row.length, 0)
  if (length > answerBytes) throw new BoundError('answerBytes')
  return result
}

function counted(answers: readonly (readonly (readonly Row[])[])[]): number {
  return answers.reduce((sum, results) => sum + Number(results[1]?.[0]?.n ?? 0), 0)
}

/** What the parts answered; those that failed are left out when the request allows it, and any part is left. */
export function answersOf(outcomes: readonly Outcome[], { preferences }: ReadPlan) {
  const answers: (readonly (readonly Row[])[])[] = []
  const databases: string[] = []
  const missing: string[] = []
  let failure: unknown
  for (const outcome of outcomes) {
    if ('results' in outcome) {
      answers.push(outcome.results)
      databases.push(outcome.part.database)
    } else {
      if (
        outcome.error instanceof MovedError ||
        outcome.error instanceof StaleCopyError ||
        !isUnavailable(outcome.error)
      )
        throw outcome.error
      failure ??= outcome.error
      missing.push(outcome.part.database)
    }
  }
  if (missing.length > 0 && (preferences.partial !== 'allow' || answers.length === 0)) throw failure
  return { answers, databases, missing }
}

function isUnavailable(error: unknown): boolean {
  return error instanceof AtollError && error.status === 503
}
