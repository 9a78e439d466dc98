/**
 * The only stage that does I/O: reads. Writes are in `execute-write.ts`, and together they are the stage.
 * @module
 */

import type { Catalog } from '../../../db/catalog/catalog.ts'
import { followReferences } from '../../../db/cluster/reference-copies.ts'
import { rowsOf } from '../../../db/cluster/rows-of.ts'
import type { ClusterSession } from '../../../db/cluster/session.ts'
import { locate } from '../../../db/cluster/unique-values.ts'
import { AtollError } from '../../../db/errors/atoll-error.ts'
import { BoundError, MovedError, StaleCopyError } from '../../../db/errors/constraint-error.ts'
import type { Site } from '../../../db/slots/parts.ts'
import type { BoundStatement } from '../../../db/sql/statement.ts'
import { byteLength } from '../../core/byte-length.ts'
import type { Budget } from '../ask/budget.ts'
import { type CompiledGather, type CompiledRead, joinedOf, maxGathered } from '../compile/compile-read.ts'
import { bytesOf, guardAnswer, guardRows } from '../compile/guard-answer.ts'
import { maxParameterBytes } from '../compile/sql.ts'
import { type BoundName, errors } from '../errors.ts'
import type { Bindings } from '../plan/bindings.ts'
import { lookedUp, slotsOf } from '../plan/place.ts'
import type { ReadPlan, RoutePlan } from '../plan/plan.ts'
import { type BoundRead, bind, type ReadResult } from './bound-read.ts'
import { answersOf, readParts } from './execute-spread.ts'
import { sortRows } from './sort-rows.ts'

/** Times that a read follows slots that moved away under it. */
const maxMoves = 4

/**
 * Runs a compiled read: in one round trip, on one database or on several at the same time.
 *
 * @param boundRows rows that the statement reads instead of a table's
 */
export async function executeRead(
  plan: ReadPlan,
  compiled: CompiledRead,
  bindings: BoundRead,
  session: ClusterSession,
  catalog: Catalog,
  boundRows?: string,
): Promise<ReadResult> {
  for (let moves = 1; ; moves++) {
    try {
      const gathered = await gatherRows(plan, compiled, bindings, session)
      return await readRows(plan, compiled, { ...bindings, gathered }, session, boundRows)
    } catch (error) {
      if (error instanceof BoundError) throw beyond(error, bindings.budget)
      if (error instanceof StaleCopyError) {
        if (moves >= maxMoves) throw errors.copiesBehind(error.database)
        await followReferences(session, catalog)
        continue
      }
      // Where rows lie decides which statements are run, so all of it is decided anew.
      if (!(error instanceof MovedError)) throw error
      if (session.moves.isOver)
        throw await session.cluster.whyMoved([{ database: error.database, slots: null }], session)
    }
  }
}

export function beyond({ bound }: BoundError, budget: Budget): AtollError {
  const name = bound as Extract<BoundName, keyof Budget>
  return errors.beyondBudget(name, null, budget[name])
}

async function readRows(
  plan: ReadPlan,
  compiled: CompiledRead,
  bindings: BoundRead,
  session: ClusterSession,
  boundRows?: string,
): Promise<ReadResult> {
  const site = await siteOf(plan.route, bindings, session)
  const parts = await session.cluster.partsOf(site, session)
  if (parts.length > 1) return readParts({ site, plan, compiled, bindings, session, boundRows })
  const counts = compiled.count ? [compiled.count] : []
  // What it shows is bounded in the statement: more than may be shown never leaves the database.
  const main = bind(compiled.rows, bindings, boundRows)
  const ask = async (first: BoundStatement) => {
    const statements = [first, ...counts.map((statement) => bind(statement, bindings, boundRows))]
    const { answers, missing } = answersOf(await session.run(site, () => statements), plan)
    const [rows = [], counted] = answers[0] ?? []
    return { rows, total: counted ? Number(counted[0]?.n ?? 0) : null, missing }
  }
  const { answerBytes } = bindings.budget
  if (compiled.isJoined && !tooLong.has(compiled)) {
    try {
      const { rows, ...rest } = await ask(joinedWithin(compiled, main, Math.min(maxJoinedBytes, answerBytes)))
      const { r: text, n } = rows[0] ?? { r: null, n: 0 }
      return { ...rest, rows: text === null ? [] : [text as string], count: Number(n) }
    } catch (error) {
      const isLong =
        error instanceof BoundError || (error instanceof AtollError && error.body.code === '54001')
      if (!isLong || answerBytes <= maxJoinedBytes) throw error
      tooLong.add(compiled)
    }
  }
  const { rows, ...rest } = await ask(guardRows(main, answerBytes))
  return { ...rest, rows: rows.map((row) => row.r as string), count: rows.length }
}

/** Texts made last: one and the same string each time is neither written nor hashed anew by those who know statements by their text. */
const joinedTexts = new WeakMap<CompiledRead, { readonly maxBytes: number; readonly text: string }>()

function joinedWithin(compiled: CompiledRead, main: BoundStatement, maxBytes: number): BoundStatement {
  const known = joinedTexts.get(compiled)
  if (known?.maxBytes === maxBytes) return { ...main, text: known.text }
  const joined = joinedOf(guardRows(main, maxBytes))
  joinedTexts.set(compiled, { maxBytes, text: joined.text })
  return joined
}

/** Most bytes of an answer that the database joins to one text: D1 allows 2,000,000. */
const maxJoinedBytes = 1_900_000

/** What is longer is read row by row from then on. */
const tooLong = new WeakSet<CompiledRead>()

/** Reads the rows that lie elsewhere, each gather as one JSON array. */
async function gatherRows(
  { gathers }: ReadPlan,
  compiled: CompiledRead,
  bindings: Bindings,
  session: ClusterSession,
): Promise<string[]> {
  return Promise.all(
    gathers.map(async ({ route, table }, i) => {
      const { columns, statement: gather } = compiled.gathers[i] as CompiledGather
      const bounds = {
        columns: columns.join(', '),
        size: bytesOf(['r']),
        maxBytes: maxParameterBytes,
        maxRows: null,
      }
      const statement = guardAnswer(bind(gather, bindings), bounds)
      const outcomes = await session.run(await siteOf(route, bindings, session), () => [statement])
      const isTooMuch = outcomes.some((outcome) => 'error' in outcome && outcome.error instanceof BoundError)
      if (isTooMuch) throw errors.tooManyToGather(table.name, maxGathered)
      const rows = outcomes.flatMap(rowsOf)
      const byKey = table.primaryKey.map(() => ({ descending: false, nulls: 'first' as const }))
      const sorted = outcomes.length > 1 ? sortRows(rows, byKey) : rows
      const text = `[${sorted.map((row) => row.r as string).join(',')}]`
      if (rows.length > maxGathered || byteLength(text) > maxParameterBytes) {
        throw errors.tooManyToGather(table.name, maxGathered)
      }
      return text
    }),
  )
}

/** The databases that a route means for a request. */
export async function siteOf(route: RoutePlan, bindings: Bindings, session: ClusterSession): Promise<Site> {
  if (route.kind === 'lookup') {
    if (!session.cluster.sharded) return { kind: 'primary' }
    const held = await locate(session, route.table, route.column, lookedUp(route, bindings))
    // What is in no entry is in no row: any database can say so.
    return { kind: 'slots', slots: held.length === 0 ? [0] : [...new Set(held.map(({ slot }) => slot))] }
  }
  if (route.kind !== 'pinned') return route
  return { kind: 'slots', slots: slotsOf(route, bindings) }
}
