/**
 * Runs writes: on each database as one transaction and one round trip.
 * @module
 */

import { withCopies } from '../../../db/cluster/bring-up-copies.ts'
import { followReferences } from '../../../db/cluster/reference-copies.ts'
import { giveUp, StillReferredError, waitForRetiring } from '../../../db/cluster/retire.ts'
import { followId, giveBack, skipTaken } from '../../../db/cluster/sequences.ts'
import type { ClusterSession } from '../../../db/cluster/session.ts'
import { ownResults, tracked } from '../../../db/cluster/track-changes.ts'
import { beforeWriting } from '../../../db/cluster/unknown-outcome.ts'
import { AtollError } from '../../../db/errors/atoll-error.ts'
import {
  BoundError,
  ConstraintError,
  KeyTaken,
  MovedError,
  PolicyViolation,
  RetiringError,
  RolledBack,
  StaleCopyError,
  UnretiredError,
  VanishedError,
} from '../../../db/errors/constraint-error.ts'
import type { Outcome, Part, Site } from '../../../db/slots/parts.ts'
import { slotOf } from '../../../db/slots/slots.ts'
import { isReferred } from '../../../db/system/referrers.ts'
import { chunksOf, type StoredRow, storageRows } from '../compile/storage-rows.ts'
import { errors } from '../errors.ts'
import type { WritePlan } from '../plan/plan.ts'
import { bind } from './bound-read.ts'
import type { BoundWrite } from './bound-write.ts'
import { beyond, siteOf } from './execute.ts'
import { carryOn } from './execute-aftermath.ts'
import { keptResult, partsBefore, rowsLeft } from './execute-parts.ts'
import { retirementFor, without } from './execute-retiring.ts'
import { followTaken, runReserving, TakenError } from './execute-unique.ts'
import { type Ask, explainViolation } from './explain-violation.ts'
import { checkSeveral, type FoundRows, findWritten } from './find-written.ts'
import { idsNeeded, takeIds } from './generate-ids.ts'
import { statementsFor } from './write-statements.ts'
import { failureOf, joined, type PartResult, readNotes, readResults, type WriteResult } from './written.ts'

/** Times that a write looks for its rows again. */
const maxFinds = 4

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
  let numbers: readonly number[] = []
  const makeRows = async () => {
    if (plan.action === 'delete') return []
    numbers = await beforeWriting(takeIds(plan, needed, session))
    return storageRows(plan, payload, numbers)
  }
  const { table, placement } = plan.root
  // What triggers of a view write may be anything.
  const copied = (placement.kind === 'reference' || table.kind === 'view') && session.cluster.sharded
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
      if (plan.preferences.tx === 'rollback') giveBack(session, table, numbers)
      else if (needed !== null && needed.greatest > 0) {
        session.later(followId(session, table, needed.column.name, needed.greatest))
      }
      return result
    } catch (error) {
      if (isRefusal(error)) giveBack(session, table, numbers)
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
        await waitForRetiring(error, attempt)
      } else if (error instanceof MovedError) {
        if (session.moves.isOver)
          throw await session.cluster.whyMoved([{ database: error.database, slots: null }], session)
      } else if (!(error instanceof VanishedError)) throw error
      else if (attempt >= maxFinds) throw errors.rowsChanging(table.name)
    }
  }
}

/** Whether a transaction was undone for what its rows are, so that none of them is there. */
function isRefusal(error: unknown): boolean {
  return error instanceof AtollError && /^(?:42501|23\w{3})$/.test(error.body.code)
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
        return around === null ? all : [...around.before, ...all, ...around.after]
      },
      rowsOf,
    ).catch((error) => {
      if (mayBeTaken) refuseTaken(error, plan)
      throw error
    })
  const ran = site === null ? [] : await withCopies(() => run(site), session, catalog)
  const answered = ran.map((outcome) => without(around, outcome))
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
  if (error instanceof BoundError) return beyond(error, bound.budget)
  if (error instanceof ConstraintError || error instanceof PolicyViolation) {
    return explainViolation(error, { ...bound, chunks: chunksOf(rows) }, askOn(part, bound, session))
  }
  return error instanceof Error ? error : errors.internal(error)
}
