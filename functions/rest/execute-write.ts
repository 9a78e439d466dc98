/**
 * Runs writes: on each database as one transaction and one round trip.
 * @module
 */

import { ownResults, tracked } from '../../db/changes/track-changes.ts'
import type { BoundStatement, Outcome, Part, Row, Site } from '../../db/cluster/cluster.ts'
import {
  ConstraintError,
  MovedError,
  PolicyViolation,
  RolledBack,
  rollbackPrefix,
  StaleCopyError,
  VanishedError,
} from '../../db/cluster/constraint-error.ts'
import { permitAll } from '../../db/cluster/permits.ts'
import { copyReferences, deleteCopiesText, withCopies } from '../../db/cluster/reference-copies.ts'
import { followId, skipTaken } from '../../db/cluster/sequences.ts'
import type { ClusterSession } from '../../db/cluster/session.ts'
import { slotOf } from '../../db/cluster/slots.ts'
import type { Rights } from '../access/rights.ts'
import { AtollError, errors } from '../errors.ts'
import { compileRollback, type RollbackNotes } from './compile-rollback.ts'
import { affectedRows, type CompiledWrite } from './compile-write.ts'
import { bind, siteOf } from './execute.ts'
import { type Aftermath, carryOn } from './execute-aftermath.ts'
import { runReserving, TakenError } from './execute-unique.ts'
import { type Ask, explainViolation } from './explain-violation.ts'
import { checkSeveral, type FoundRows, findWritten } from './find-written.ts'
import { idsNeeded, takeIds } from './generate-ids.ts'
import type { Payload } from './parse-payload.ts'
import type { WritePlan } from './plan.ts'
import { sortRows } from './sort-rows.ts'
import type { Bindings, Statement } from './sql.ts'
import { chunksOf, type StoredRow, storageRows } from './storage-rows.ts'

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

/** A write and what it writes. */
export interface BoundWrite extends Bindings {
  readonly plan: WritePlan
  readonly compiled: CompiledWrite
  readonly rights: Rights
  readonly payload: Payload
  readonly aftermath: Aftermath
}

/** What one database did. */
interface PartResult {
  readonly shown: readonly Row[]
  readonly affected: number
  readonly inserted: number
  readonly key: readonly string[] | null
}

/** Times that a write looks for its rows again. */
const maxFinds = 4

/** Runs a compiled write. One database's part is atomic; several parts must be asked for. */
export async function executeWrite(bound: BoundWrite, session: ClusterSession): Promise<WriteResult> {
  const { plan, payload } = bound
  const needed = idsNeeded(plan, payload)
  let mayBeTaken = needed !== null && needed.missing > 0
  for (let attempt = 1; ; attempt++) {
    const ids = await takeIds(plan, needed, session)
    const rows = plan.action === 'delete' ? [] : storageRows(plan, payload, ids)
    try {
      const result = await writeRows(bound, rows, mayBeTaken, session)
      // After the commit: what is refused or undone moves no numbers.
      if (needed !== null && needed.greatest > 0 && plan.preferences.tx !== 'rollback') {
        session.later(followId(session, plan.root.table, needed.column.name, needed.greatest))
      }
      return result
    } catch (error) {
      if (error instanceof TakenNumber) {
        mayBeTaken = false
        await skipTaken(session, plan.root.table, error.column)
      } else if (error instanceof StaleCopyError) {
        if (attempt >= maxFinds) throw errors.copiesBehind(error.database)
        await copyReferences(session, bound.rights.catalog)
      } else if (!(error instanceof VanishedError || error instanceof MovedError)) throw error
      else if (attempt >= maxFinds) throw errors.rowsChanging(plan.root.table.name)
    }
  }
}

/** Somebody has given a row by hand the number that another one was given now. */
class TakenNumber extends Error {
  readonly column: string

  constructor(column: string) {
    super(`a number of ${column} is taken`)
    this.column = column
  }
}

async function writeRows(
  asked: BoundWrite,
  rows: readonly StoredRow[],
  mayBeTaken: boolean,
  session: ClusterSession,
): Promise<WriteResult> {
  const { site, bound, after } = await placeWrite(asked, rows, session)
  const { plan, compiled } = bound
  const copied = plan.root.placement.kind === 'reference' && session.cluster.sharded
  if (copied && compiled.keys) await tryOnCopies(bound, compiled.keys, session)
  const rowsOf = ({ slots }: Part) =>
    slots === null ? rows : rows.filter(({ slot }) => slot === null || slots.has(slot))
  const undone = plan.preferences.tx === 'rollback'
  const tracks = bound.aftermath.tracks && !undone
  const run = (where: Site) =>
    runReserving(
      bound,
      rows,
      where,
      session,
      (part) => {
        const statements = statementsFor(bound, rowsOf(part), after)
        return tracks ? tracked(statements) : statements
      },
      rowsOf,
    ).catch(async (error) => {
      if (mayBeTaken) refuseTaken(error, plan)
      throw error instanceof TakenError ? await explainTaken(error, bound, rows, session) : error
    })
  const answered = site === null ? [] : await withCopies(() => run(site), session, bound.rights.catalog)
  const outcomes = tracks ? answered.map(withOwnResults) : answered
  const [only, ...others] = outcomes
  // What no database has committed can be looked for, or numbered, again.
  if (only && 'error' in only && others.length === 0) {
    if (only.error instanceof VanishedError) throw only.error
    if (mayBeTaken) refuseTaken(only.error, plan)
  }
  if (!undone) await carryOn(bound, answered, tracks, copied, session)
  const results = await Promise.all(
    outcomes.map((outcome) => resultOf(bound, outcome, rowsOf(outcome.part), after.length, session)),
  )
  const done = results.filter((result): result is PartResult => !(result instanceof Error))
  if (done.length < results.length) throw failureOf(outcomes, results)
  if (done.length === 0 && plan.media.kind === 'object') throw errors.notSingular(0)
  return joined(done, plan)
}

/** Where a write goes: to the place that it names, or to where its rows are found. */
async function placeWrite(
  bound: BoundWrite,
  rows: readonly StoredRow[],
  session: ClusterSession,
): Promise<FoundRows> {
  const { plan } = bound
  const site = await siteOfWrite(bound, rows, session)
  const parts = await session.cluster.partsOf(site, session)
  if (parts.length <= 1) return { site, bound, after: [] }
  const finds = plan.action === 'update' || plan.action === 'delete'
  if (finds && plan.preferences.atomicity !== 'shard') return findWritten(bound, session)
  checkSeveral(plan, parts.length, null)
  return { site, bound, after: [] }
}

function refuseTaken(error: unknown, { numbered }: WritePlan): void {
  if (!(error instanceof ConstraintError) || error.kind !== 'unique') return
  const [column, ...others] = error.columns
  if (column !== undefined && others.length === 0 && column === numbered?.name) throw new TakenNumber(column)
}

function withOwnResults(outcome: Outcome): Outcome {
  return 'error' in outcome ? outcome : { part: outcome.part, results: ownResults(outcome.results) }
}

/**
 * Rows of a reference table are referred to on every shard. A delete is tried on all copies before it is made, so that
 * their foreign keys can refuse it.
 */
async function tryOnCopies(bound: BoundWrite, keys: Statement, session: ClusterSession): Promise<void> {
  const { table } = bound.plan.root
  const [rows = []] = await session.primary([bind(keys, bound)])
  if (rows.length === 0) return
  const list = `[${rows.map((row) => row.k as string).join(',')}]`
  const attempt: readonly BoundStatement[] = [
    permitAll,
    { text: deleteCopiesText(table), parameters: [list] },
    { text: `INSERT INTO _atoll_guard VALUES ('${rollbackPrefix}{}')`, parameters: [] },
  ]
  for (const outcome of await session.onAll(session.cluster.shards, attempt)) {
    if (!('error' in outcome) || outcome.error instanceof RolledBack) continue
    if (!(outcome.error instanceof ConstraintError)) throw outcome.error
    const ask = askOn(outcome.part, bound, session)
    throw await explainViolation(outcome.error, { ...bound, chunks: ['[]'] }, ask)
  }
}

/** Says that a row on another shard has a value, unless the write would have been denied in any case. */
async function explainTaken(
  error: TakenError,
  bound: BoundWrite,
  rows: readonly StoredRow[],
  session: ClusterSession,
): Promise<Error> {
  const [part] = await session.cluster.partsOf({ kind: 'slots', slots: [error.slot] }, session)
  const chunks = chunksOf(error.row === null ? rows : [error.row])
  return explainViolation(error, { ...bound, chunks }, askOn(part as Part, bound, session))
}

/** Asks the database that refused a write why it did. */
function askOn({ database }: Part, bound: BoundWrite, session: ClusterSession): Ask {
  return async (statement, chunk) => {
    const [found = []] = await session.on(database, [bind(statement, bound, chunk)])
    return found
  }
}

/** Where the rows lie that are written: new ones by their distribution value, others by the filters. */
async function siteOfWrite(
  bound: BoundWrite,
  rows: readonly StoredRow[],
  session: ClusterSession,
): Promise<Site> {
  const { plan } = bound
  if (!session.cluster.sharded || plan.root.placement.kind !== 'distributed') return { kind: 'primary' }
  if (plan.action === 'update' || plan.action === 'delete') return siteOf(plan.route, bound, session)
  return { kind: 'slots', slots: [...new Set(rows.map(({ slot }) => slot ?? slotOf('')))] }
}

function statementsFor(
  bound: BoundWrite,
  rows: readonly StoredRow[],
  after: readonly Statement[],
): BoundStatement[] {
  const { plan, compiled, payload } = bound
  const chunks = plan.action === 'delete' ? ['[]'] : chunksOf(rows)
  const { existing, forbid, doomed, write, returns, guards } = compiled
  if (plan.preferences.tx === 'rollback') {
    const { before, after: undo } = compileRollback(plan, compiled, bound)
    const [chunk = '[]', ...others] = chunks
    if (others.length > 0) throw errors.rollbackTooLarge()
    return [...before, write, ...after, ...guards, undo].map((statement) => bind(statement, bound, chunk))
  }
  // Guards see the last statement only; rows that take several statements are not one row.
  if (chunks.length > 1 && plan.media.kind === 'object') throw errors.notSingular(payload.rows.length)
  const statements = chunks.flatMap((chunk) => [
    ...(existing ? [bind(existing, bound, chunk)] : []),
    ...(forbid ? [bind(forbid, bound, chunk)] : []),
    ...(doomed ? [bind(doomed, bound)] : []),
    bind(write, bound, chunk),
    ...(returns ? [] : [bind(affectedRows, bound)]),
  ])
  return [...statements, ...[...after, ...guards].map((guard) => bind(guard, bound))]
}

/** Reads what a database answered, or explains why it did not. */
async function resultOf(
  bound: BoundWrite,
  outcome: Outcome,
  rows: readonly StoredRow[],
  checks: number,
  session: ClusterSession,
): Promise<PartResult | Error> {
  if ('results' in outcome) {
    if (bound.plan.preferences.tx === 'rollback') {
      return errors.internal(new Error('the transaction was not rolled back'))
    }
    return readResults(bound, outcome.results.slice(0, outcome.results.length - checks))
  }
  const { error, part } = outcome
  if (error instanceof RolledBack) return readNotes(bound, error)
  if (error instanceof ConstraintError || error instanceof PolicyViolation) {
    return explainViolation(error, { ...bound, chunks: chunksOf(rows) }, askOn(part, bound, session))
  }
  return error instanceof Error ? error : errors.internal(error)
}

function readResults({ plan, compiled }: BoundWrite, results: readonly (readonly Row[])[]): PartResult {
  const { existing, forbid, doomed, returns, guards } = compiled
  const statements = results.length - guards.length
  const perChunk = 1 + [existing, forbid, doomed].filter((part) => part !== null).length + (returns ? 0 : 1)
  let existed = 0
  let affected = 0
  const written: Row[] = []
  for (let i = 0; i < statements; i += perChunk) {
    if (existing) existed += numberIn(results[i])
    const last = results[i + perChunk - 1] ?? []
    affected += returns ? last.length : numberIn(last)
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
function readNotes({ plan, compiled }: BoundWrite, { notes }: RolledBack): PartResult {
  const { rows, existing } = JSON.parse(notes) as RollbackNotes
  const noted = rows.map(({ text, keys }) => ({
    r: text,
    ...Object.fromEntries((keys ?? []).map((key, i) => [`k${i}`, key])),
  }))
  return {
    shown: compiled.doomed ? noted : sortRows(noted, plan.root.order),
    affected: rows.length,
    inserted: rows.length - existing,
    key: null,
  }
}

/** One part's failure is the write's; of several, it is told what each has done. */
function failureOf(outcomes: readonly Outcome[], results: readonly (PartResult | Error)[]): Error {
  const failures = results.filter((result): result is Error => result instanceof Error)
  if (failures.length === results.length) return failures[0] as Error
  return errors.partlyWritten(
    results.map((result, i) => ({
      shard: outcomes[i]?.part.database ?? '',
      written: result instanceof Error ? 0 : result.affected,
      error:
        result instanceof Error
          ? (result instanceof AtollError ? result : errors.internal(result)).body
          : null,
    })),
  )
}

function joined(parts: readonly PartResult[], plan: WritePlan): WriteResult {
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
