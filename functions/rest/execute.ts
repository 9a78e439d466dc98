/**
 * The only stage that does I/O: reads. Writes are in `execute-write.ts`, and together they are the stage.
 * @module
 */

import type { Catalog } from '../../db/catalog/catalog.ts'
import type { BoundStatement, Outcome, Row, Site } from '../../db/cluster/cluster.ts'
import { MovedError, StaleCopyError } from '../../db/cluster/constraint-error.ts'
import { copyReferences } from '../../db/cluster/reference-copies.ts'
import { rowsOf } from '../../db/cluster/rows-of.ts'
import type { ClusterSession } from '../../db/cluster/session.ts'
import { locate } from '../../db/cluster/unique-values.ts'
import { AtollError, errors } from '../errors.ts'
import { byteLength } from './byte-length.ts'
import { rangeOf } from './compile-range.ts'
import { type CompiledRead, maxGathered } from './compile-read.ts'
import { mergeParts } from './merge-parts.ts'
import { lookedUp, slotsOf } from './place.ts'
import type { ReadPlan, RoutePlan } from './plan.ts'
import { sortRows } from './sort-rows.ts'
import { type Bindings, bindParameters, maxParameterBytes, type Statement } from './sql.ts'

/** What a read found. */
export interface ReadResult {
  /** JSON text, or a line of CSV, for each row; or one text of all rows, joined as an array's are. */
  readonly rows: readonly string[]
  /** How many rows that is. */
  readonly count: number
  /** How many rows there are without limit and offset; null when nobody asked. */
  readonly total: number | null
  /** Shards that did not answer, and that the request allows to be missing. */
  readonly missing: readonly string[]
}

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
  bindings: Bindings,
  session: ClusterSession,
  catalog: Catalog,
  boundRows?: string,
): Promise<ReadResult> {
  for (let moves = 1; ; moves++) {
    try {
      const gathered = await gatherRows(plan, compiled, bindings, session)
      return await readRows(plan, compiled, { ...bindings, gathered }, session, boundRows)
    } catch (error) {
      if (error instanceof StaleCopyError) {
        if (moves >= maxMoves) throw errors.copiesBehind(error.database)
        await copyReferences(session, catalog)
        continue
      }
      // Where rows lie decides which statements are run, so all of it is decided anew.
      if (!(error instanceof MovedError)) throw error
      if (moves >= maxMoves)
        throw await session.cluster.whyMoved([{ database: error.database, slots: null }], session)
    }
  }
}

async function readRows(
  plan: ReadPlan,
  compiled: CompiledRead,
  bindings: Bindings,
  session: ClusterSession,
  boundRows?: string,
): Promise<ReadResult> {
  const site = await siteOf(plan.route, bindings, session)
  const parts = await session.cluster.partsOf(site, session)
  if (parts.length > 1) return readParts(site, plan, compiled, bindings, session, boundRows)
  const counts = compiled.count ? [compiled.count] : []
  const ask = async (main: Statement) => {
    const statements = [main, ...counts].map((statement) => bind(statement, bindings, boundRows))
    const { answers, missing } = answersOf(await session.run(site, () => statements), plan)
    const [rows = [], counted] = answers[0] ?? []
    return { rows, total: counted ? Number(counted[0]?.n ?? 0) : null, missing }
  }
  if (compiled.joined && !tooLong.has(compiled)) {
    try {
      const { rows, ...rest } = await ask(compiled.joined)
      const { r: text, n } = rows[0] ?? { r: null, n: 0 }
      return { ...rest, rows: text === null ? [] : [text as string], count: Number(n) }
    } catch (error) {
      if (!(error instanceof AtollError && error.body.code === '54001')) throw error
      tooLong.add(compiled)
    }
  }
  const { rows, ...rest } = await ask(compiled.rows)
  return { ...rest, rows: rows.map((row) => row.r as string), count: rows.length }
}

/** What is longer in one text than D1 allows (2 MB) is read row by row from then on. */
const tooLong = new WeakSet<CompiledRead>()

async function readParts(
  site: Site,
  plan: ReadPlan,
  compiled: CompiledRead,
  bindings: Bindings,
  session: ClusterSession,
  boundRows?: string,
): Promise<ReadResult> {
  const spread = compiled.spread()
  const counts = compiled.count && spread.kind !== 'groups' ? [compiled.count] : []
  const statements = [spread.rows, ...counts].map((statement) => bind(statement, bindings, boundRows))
  const { answers, missing } = answersOf(await session.run(site, () => statements), plan)
  const range = rangeOf(plan.root, plan.maxRows, bindings.operands)
  const { rows, merged } = mergeParts(
    answers.map(([first = []]) => first),
    spread,
    plan,
    range,
  )
  const counted = answers.reduce((sum, results) => sum + Number(results[1]?.[0]?.n ?? 0), 0)
  const total = spread.kind === 'groups' ? merged : counted
  return { rows, count: rows.length, total: compiled.count ? total : null, missing }
}

/** What the parts answered; those that failed are left out when the request allows it, and any part is left. */
function answersOf(outcomes: readonly Outcome[], { preferences }: ReadPlan) {
  const answers: (readonly (readonly Row[])[])[] = []
  const missing: string[] = []
  let failure: unknown
  for (const outcome of outcomes) {
    if ('results' in outcome) answers.push(outcome.results)
    else {
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
  return { answers, missing }
}

function isUnavailable(error: unknown): boolean {
  return error instanceof AtollError && error.status === 503
}

/** Reads the rows that lie elsewhere, each gather as one JSON array. */
async function gatherRows(
  { gathers }: ReadPlan,
  compiled: CompiledRead,
  bindings: Bindings,
  session: ClusterSession,
): Promise<string[]> {
  return Promise.all(
    gathers.map(async ({ route, table }, i) => {
      const statement = bind(compiled.gathers[i] as Statement, bindings)
      const outcomes = await session.run(await siteOf(route, bindings, session), () => [statement])
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

export function bind(statement: Statement, bindings: Bindings, rows?: string): BoundStatement {
  return { text: statement.text, parameters: bindParameters(statement, bindings, rows) }
}
