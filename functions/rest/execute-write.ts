/**
 * Runs writes: on each database as one transaction and one round trip.
 * @module
 */

import { ownResults, tracked } from '../../db/changes/track-changes.ts'
import type { BoundStatement, Outcome, Part, Site } from '../../db/cluster/cluster.ts'
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
import { errors } from '../errors.ts'
import { compileRollback } from './compile-rollback.ts'
import { affectedRows, type CompiledWrite } from './compile-write.ts'
import { bind, siteOf } from './execute.ts'
import { type Aftermath, carryOn } from './execute-aftermath.ts'
import { followTaken, runReserving, TakenError } from './execute-unique.ts'
import { type Ask, explainViolation } from './explain-violation.ts'
import { checkSeveral, type FoundRows, findWritten } from './find-written.ts'
import { idsNeeded, takeIds } from './generate-ids.ts'
import type { Payload } from './parse-payload.ts'
import type { WritePlan } from './plan.ts'
import type { Bindings, Statement } from './sql.ts'
import { chunksOf, type StoredRow, storageRows } from './storage-rows.ts'
import { failureOf, joined, type PartResult, readNotes, readResults, type WriteResult } from './written.ts'

/** A write and what it writes. */
export interface BoundWrite extends Bindings {
  readonly plan: WritePlan
  readonly compiled: CompiledWrite
  readonly rights: Rights
  readonly payload: Payload
  readonly aftermath: Aftermath
}

/** Times that a write looks for its rows again. */
const maxFinds = 4

/** Runs a compiled write. One database's part is atomic; several parts must be asked for. */
export async function executeWrite(bound: BoundWrite, session: ClusterSession): Promise<WriteResult> {
  const { plan, payload } = bound
  const needed = idsNeeded(plan, payload)
  const makeRows = async () =>
    plan.action === 'delete' ? [] : storageRows(plan, payload, await takeIds(plan, needed, session))
  let mayBeTaken = needed !== null && needed.missing > 0
  let rows = await makeRows()
  for (let attempt = 1; ; attempt++) {
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
        rows = await makeRows()
      } else if (error instanceof TakenError) {
        const followed = attempt < maxFinds ? await followTaken(bound, rows, error, session) : null
        if (followed === null) throw await explainTaken(error, bound, rows, session)
        rows = followed
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
  const { site, bound, pickedOn } = await placeWrite(asked, rows, session)
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
        const picked = pickedOn?.(part.database)
        const own = picked ? { ...bound, gathered: picked.gathered } : bound
        const statements = statementsFor(own, rowsOf(part), picked ? [picked.after] : [])
        return tracks ? tracked(statements) : statements
      },
      rowsOf,
    ).catch((error) => {
      if (mayBeTaken) refuseTaken(error, plan)
      throw error
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
    outcomes.map((outcome) =>
      resultOf(bound, outcome, rowsOf(outcome.part), pickedOn === null ? 0 : 1, session),
    ),
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
  if (parts.length <= 1) return { site, bound, pickedOn: null }
  const finds = plan.action === 'update' || plan.action === 'delete'
  const isLimited = bound.compiled.first !== null
  if (finds && (isLimited || plan.preferences.atomicity !== 'shard')) return findWritten(bound, session)
  checkSeveral(plan, parts.length, null)
  return { site, bound, pickedOn: null }
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
    // What has been refused is explained whatever that costs.
    const [found = []] = await session.on(database, [{ ...bind(statement, bound, chunk), isWorded: false }])
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
