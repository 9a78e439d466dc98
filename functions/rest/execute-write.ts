/**
 * Runs writes: on each database as one transaction and one round trip.
 * @module
 */

import { ownResults, tracked } from '../../db/changes/track-changes.ts'
import { withCopies } from '../../db/cluster/bring-up-copies.ts'
import type { BoundStatement, Outcome, Part, Site } from '../../db/cluster/cluster.ts'
import {
  ConstraintError,
  KeyTaken,
  MovedError,
  PolicyViolation,
  RetiringError,
  RolledBack,
  StaleCopyError,
  UnretiredError,
  VanishedError,
} from '../../db/cluster/constraint-error.ts'
import { pause } from '../../db/cluster/database.ts'
import { followReferences } from '../../db/cluster/reference-copies.ts'
import {
  giveUp,
  isReferred,
  type Retirement,
  retire,
  retireNothing,
  StillReferredError,
} from '../../db/cluster/retire.ts'
import { followId, skipTaken } from '../../db/cluster/sequences.ts'
import type { ClusterSession } from '../../db/cluster/session.ts'
import { slotOf } from '../../db/cluster/slots.ts'
import { beforeWriting } from '../../db/cluster/unknown-outcome.ts'
import { noAnswer, readAnswer } from '../../db/cluster/write-keys.ts'
import type { Rights } from '../access/rights.ts'
import { errors } from '../errors.ts'
import { compileKeyed } from './compile-keyed.ts'
import { compileRollback } from './compile-rollback.ts'
import { affectedRows, type CompiledWrite } from './compile-write.ts'
import { bind, siteOf } from './execute.ts'
import { type Aftermath, carryOn } from './execute-aftermath.ts'
import { aroundWrite, type DonePart, type Keyed, keptResult, partText, rowsLeft } from './execute-keyed.ts'
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
  /** Left out without an Idempotency-Key. */
  readonly keyed?: Keyed
}

/** Times that a write looks for its rows again. */
const maxFinds = 4
/** Times that it waits for a row that may be about to go. */
const maxWaits = 12

/** What earlier attempts have shown. */
interface Known {
  /** Whether somebody may have given a row the number that another one was given now. */
  mayBeTaken: boolean
  /** Whether shards must know of what it takes away. */
  retires: boolean
}

/** Runs a compiled write. One database's part is atomic; several parts must be asked for. */
export async function executeWrite(bound: BoundWrite, session: ClusterSession): Promise<WriteResult> {
  const { plan, payload } = bound
  const needed = idsNeeded(plan, payload)
  const makeRows = async () =>
    plan.action === 'delete'
      ? []
      : storageRows(plan, payload, await beforeWriting(takeIds(plan, needed, session)))
  const { table, placement } = plan.root
  const copied = placement.kind === 'reference' && session.cluster.sharded
  const known = {
    mayBeTaken: needed !== null && needed.missing > 0,
    retires: copied && plan.action === 'delete' && isReferred(bound.rights.catalog, table),
  }
  const makeLeft = async () => rowsLeft(await makeRows(), bound.keyed)
  let rows = await makeLeft()
  for (let attempt = 1; ; attempt++) {
    try {
      const result = await writeRows(bound, rows, known, session)
      // After the commit: what is refused or undone moves no numbers.
      if (needed !== null && needed.greatest > 0 && plan.preferences.tx !== 'rollback') {
        session.later(followId(session, table, needed.column.name, needed.greatest))
      }
      return result
    } catch (error) {
      if (error instanceof TakenNumber) {
        known.mayBeTaken = false
        await beforeWriting(skipTaken(session, table, error.column))
        rows = await makeLeft()
      } else if (error instanceof TakenError) {
        const followed = attempt < maxFinds ? await followTaken(bound, rows, error, session) : null
        if (followed === null) throw await explainTaken(error, bound, rows, session)
        rows = followed
      } else if (error instanceof StaleCopyError) {
        if (attempt >= maxFinds) throw errors.copiesBehind(error.database)
        await beforeWriting(followReferences(session, bound.rights.catalog))
      } else if (error instanceof StillReferredError) {
        const ask = askOn(error.part, bound, session)
        throw await explainViolation(error.violation, { ...bound, chunks: ['[]'] }, ask)
      } else if (error instanceof UnretiredError && attempt < maxFinds) known.retires = true
      else if (error instanceof RetiringError) {
        if (attempt >= maxWaits) throw errors.rowRetiring(error.table)
        await pause(Math.min(300, 20 * 2 ** attempt))
      } else if (!(error instanceof VanishedError || error instanceof MovedError)) throw error
      else if (attempt >= maxFinds) throw errors.rowsChanging(table.name)
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
  { mayBeTaken, retires }: Readonly<Known>,
  session: ClusterSession,
): Promise<WriteResult> {
  const { site, bound, pickedOn } = await placeWrite(asked, rows, session)
  const { plan } = bound
  const { catalog } = bound.rights
  const copied = plan.root.placement.kind === 'reference' && session.cluster.sharded
  const rowsOf = ({ slots }: Part) =>
    slots === null ? rows : rows.filter(({ slot }) => slot === null || slots.has(slot))
  const undone = plan.preferences.tx === 'rollback'
  const tracks = bound.aftermath.tracks && !undone
  const around = retires ? await beforeWriting(retirementFor(bound, rows, session)) : null
  const run = (where: Site) =>
    runReserving(
      bound,
      rows,
      where,
      session,
      (part, planned) => {
        const picked = pickedOn?.(part.database)
        const own = picked ? { ...bound, gathered: picked.gathered } : bound
        const statements = statementsFor(own, rowsOf(part), picked ? [picked.after] : [], part, planned)
        const all = tracks ? tracked(statements) : statements
        return around === null ? all : [around.before, ...all, ...around.after]
      },
      rowsOf,
    ).catch((error) => {
      if (mayBeTaken) refuseTaken(error, plan)
      throw error
    })
  const answered =
    site === null ? [] : (await withCopies(() => run(site), session, catalog)).map(without(around))
  const outcomes = tracks ? answered.map(withOwnResults) : answered
  const [only, ...others] = outcomes
  const isTaken = outcomes.some((outcome) => 'error' in outcome && outcome.error instanceof KeyTaken)
  // What no database has committed can be looked for, or numbered, again.
  if (only && 'error' in only && others.length === 0) {
    if (around?.token) await giveUp(around.token, session, catalog)
    const { error } = only
    if (error instanceof VanishedError || error instanceof UnretiredError || error instanceof RetiringError)
      throw error
    if (mayBeTaken) refuseTaken(only.error, plan)
  }
  if (!undone) await carryOn(bound, answered, tracks, copied, session)
  // What is done of it is read anew.
  if (isTaken) throw new KeyTaken(site?.kind ?? '')
  const results = await Promise.all(
    outcomes.map((outcome) =>
      resultOf(bound, outcome, rowsOf(outcome.part), pickedOn === null ? 0 : 1, session),
    ),
  )
  const done = results.filter((result): result is PartResult => !(result instanceof Error))
  const before = partsBefore(bound, outcomes)
  if (done.length < results.length) throw failureOf(outcomes, results, before, bound.keyed !== undefined)
  if (done.length + before.length === 0 && plan.media.kind === 'object') throw errors.notSingular(0)
  return joined([...before.map(({ result }) => result), ...done], plan)
}

/** What earlier requests with the same key have written, as far as no database has answered with it again. */
function partsBefore({ plan, keyed }: BoundWrite, outcomes: readonly Outcome[]): readonly DonePart[] {
  if (!keyed) return []
  if (plan.action === 'insert' || plan.action === 'upsert') return keyed.done
  return keyed.done.filter(({ database }) => !outcomes.some(({ part }) => part.database === database))
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

/** What goes around the statements that take reference rows away; null: nothing. */
type Around = Pick<Retirement, 'before' | 'after'> & { readonly token: string | null }

/** Rows of a reference table may be referred to on every shard: these must know that they go, or refuse it. */
async function retirementFor(
  bound: BoundWrite,
  rows: readonly StoredRow[],
  session: ClusterSession,
): Promise<Around | null> {
  const { keyed: _, ...unkeyed } = bound
  const { plan, rights } = bound
  const preferences = { ...plan.preferences, tx: null }
  const part: Part = { database: session.cluster.primary, slots: null }
  const statements = statementsFor({ ...unkeyed, plan: { ...plan, preferences } }, rows, [], part, [])
  if (plan.preferences.tx !== 'rollback') return retire(statements, session, rights.catalog)
  return { before: await retireNothing(statements, session, rights.catalog), after: [], token: null }
}

/** An outcome as it would be without what went around the statements. */
const without =
  (around: Around | null) =>
  (outcome: Outcome): Outcome => {
    if (around === null || 'error' in outcome) return outcome
    return { ...outcome, results: outcome.results.slice(1, outcome.results.length - around.after.length) }
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
  part: Part,
  planned: readonly string[],
): readonly BoundStatement[] {
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
  if (bound.keyed)
    return keyedStatements({ ...bound, keyed: bound.keyed }, rows, chunks, after, part, planned)
  const statements = chunks.flatMap((chunk) => [
    ...(existing ? [bind(existing, bound, chunk)] : []),
    ...(forbid ? [bind(forbid, bound, chunk)] : []),
    ...(doomed ? [bind(doomed, bound)] : []),
    bind(write, bound, chunk),
    ...(returns ? [] : [bind(affectedRows, bound)]),
  ])
  return [...statements, ...[...after, ...guards].map((guard) => bind(guard, bound))]
}

/** The same with what its key needs around it. */
function keyedStatements(
  bound: BoundWrite & { readonly keyed: Keyed },
  rows: readonly StoredRow[],
  chunks: readonly string[],
  after: readonly Statement[],
  { database }: Part,
  planned: readonly string[],
): readonly BoundStatement[] {
  const { plan, compiled, keyed } = bound
  if (plan.action === 'update' || plan.action === 'delete') {
    const done = keyed.done.find((one) => one.database === database)
    if (done) return [readAnswer(keyed.key, done.attempt)]
    // Rows that have come since to match are not what was asked for then.
    if (keyed.done.length > 0 && !planned.includes(database)) return [noAnswer]
  }
  const noted = compileKeyed(plan, compiled, bound)
  const around = aroundWrite(keyed, partText(bound, rows, planned))
  const own = chunks.flatMap((chunk, i) =>
    [
      ...noted.beforeEach,
      compiled.write,
      // It looks at what the statement before has changed.
      ...(i === chunks.length - 1 ? after : []),
      noted.affected,
    ].map((statement) => bind(statement, bound, chunk)),
  )
  const plain = (statements: readonly Statement[]) => statements.map((statement) => bind(statement, bound))
  return [
    ...around.before,
    ...plain(noted.before),
    ...own,
    ...plain(noted.guards),
    ...plain(noted.after),
    ...around.after,
  ]
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
    if (bound.keyed) return keptResult(bound, outcome)
    return readResults(bound, outcome.results.slice(0, outcome.results.length - checks))
  }
  const { error, part } = outcome
  if (error instanceof RolledBack) return readNotes(bound, error)
  if (error instanceof ConstraintError || error instanceof PolicyViolation) {
    return explainViolation(error, { ...bound, chunks: chunksOf(rows) }, askOn(part, bound, session))
  }
  return error instanceof Error ? error : errors.internal(error)
}
