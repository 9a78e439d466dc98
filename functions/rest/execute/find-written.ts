/**
 * Where the rows of a write lie when nothing that it says of them tells: they are looked for on all shards first, and then written where
 * they are, which fails when they are not there any more.
 * @module
 */

import { rowsOf } from '../../../db/cluster/rows-of.ts'
import type { ClusterSession } from '../../../db/cluster/session.ts'
import { vanishedMark } from '../../../db/errors/constraint-error.ts'
import type { Outcome, Site } from '../../../db/slots/parts.ts'
import { slotOf } from '../../../db/slots/slots.ts'
import type { Row } from '../../../db/sql/statement.ts'
import { type CompiledWrite, compileWrite } from '../compile/compile-write.ts'
import type { Statement } from '../compile/sql.ts'
import { errors } from '../errors.ts'
import type { WritePlan } from '../plan/plan.ts'
import { rangeOf } from '../plan/range.ts'
import { bind } from './bound-read.ts'
import type { BoundWrite } from './bound-write.ts'
import { sortRows } from './sort-rows.ts'

/** What was found out about a write's rows. */
export interface FoundRows {
  /** Where they lie; null: there are none. */
  readonly site: Site | null
  readonly bound: BoundWrite
  /** The write of those that were found on a database, and of no others; null: of all that match. */
  readonly pickedOn: ((database: string) => PickedRows) | null
}

export interface PickedRows {
  /** Their rowids, a JSON array, as `gathered` has them. */
  readonly gathered: readonly string[]
  /** Comes after the write, and undoes it when it was not of all that were found. */
  readonly after: Statement
}

/**
 * @throws SHARD005 when they lie on several shards, which the request does not allow; 406 and PGRST124 when there are too many
 */
export async function findWritten(bound: BoundWrite, session: ClusterSession): Promise<FoundRows> {
  const { compiled } = bound
  return compiled.first === null
    ? findAll(bound, compiled.slots as Statement, session)
    : findFirst(bound, compiled.first, session)
}

/** Rows of one slot are written there, whatever moves elsewhere; more of them, where they all are. */
async function findAll(bound: BoundWrite, slots: Statement, session: ClusterSession): Promise<FoundRows> {
  const counted = { ...slots, text: `SELECT count(*) AS n, min(b) AS b FROM (${slots.text})` }
  const found = (await lookEverywhere(counted, bound, session)).flatMap((outcome) => {
    const [row] = rowsOf(outcome)
    const rows = Number(row?.n ?? 0)
    return rows === 0
      ? []
      : [{ database: outcome.part.database, rows, value: (row?.b as string | null) ?? '' }]
  })
  const [only, ...others] = found
  if (only === undefined) return { site: null, bound, pickedOn: null }
  if (others.length === 0) {
    const site: Site =
      only.rows === 1
        ? { kind: 'slots', slots: [slotOf(only.value)] }
        : { kind: 'found', database: only.database }
    return { site, bound, pickedOn: null }
  }
  const total = found.reduce((sum, { rows }) => sum + rows, 0)
  checkSeveral(bound.plan, found.length, total)
  return { site: { kind: 'everywhere' }, bound, pickedOn: null }
}

/** The first rows of an order, over all shards: they are written by their rowids, as far as they still match. */
async function findFirst(bound: BoundWrite, first: Statement, session: ClusterSession): Promise<FoundRows> {
  const { plan } = bound
  const { offset, limit } = rangeOf(plan.root, null, bound.operands)
  const outcomes = await lookEverywhere(first, bound, session)
  const rows = outcomes.flatMap((outcome) =>
    rowsOf(outcome).map((row): Row => ({ ...row, database: outcome.part.database })),
  )
  const picked = sortRows(rows, plan.root.order).slice(offset, limit === null ? undefined : offset + limit)
  if (picked.length === 0) return { site: null, bound, pickedOn: null }
  const byDatabase = Map.groupBy(picked, ({ database }) => database as string)
  if (byDatabase.size > 1) checkSeveral(plan, byDatabase.size, picked.length)
  return {
    site: { kind: 'slots', slots: [...new Set(picked.map(({ b }) => slotOf((b as string | null) ?? '')))] },
    bound: { ...bound, ...pickedWrite(plan, bound.compiled) },
    pickedOn: (database) => {
      const own = byDatabase.get(database) ?? []
      return { gathered: [JSON.stringify(own.map(({ id }) => id))], after: isWhole(own.length) }
    },
  }
}

/** That a write was of so many rows. */
function isWhole(rows: number): Statement {
  return {
    text: `SELECT CASE WHEN changes() = ${rows} THEN 1 ELSE json_extract('{}','${vanishedMark}') END`,
    parameters: [],
    packed: false,
  }
}

/** Asks all shards, where they are written: a replica may not know of a row yet. */
async function lookEverywhere(
  statement: Statement,
  bound: BoundWrite,
  session: ClusterSession,
): Promise<readonly Outcome[]> {
  const reading = session.toFill({ seen: session.bookmarks, primary: true })
  return reading.run({ kind: 'everywhere' }, () => [bind(statement, bound)])
}

interface PickedWrite {
  readonly plan: WritePlan
  readonly compiled: CompiledWrite
}

const pickedWrites = new WeakMap<CompiledWrite, PickedWrite>()

/** The same write, of rows that are named. */
function pickedWrite(plan: WritePlan, compiled: CompiledWrite): PickedWrite {
  const known = pickedWrites.get(compiled)
  if (known) return known
  const named: WritePlan = { ...plan, root: { ...plan.root, limit: null, offset: null, picked: true } }
  const written = { plan: named, compiled: compileWrite(named) }
  pickedWrites.set(compiled, written)
  return written
}

/** What several shards may not do together. */
export function checkSeveral({ preferences, media }: WritePlan, shards: number, rows: number | null): void {
  if (rows !== null && media.kind === 'object') throw errors.notSingular(rows)
  if (rows !== null && preferences.maxAffected !== null && rows > preferences.maxAffected)
    throw errors.tooManyAffected(rows)
  if (preferences.atomicity !== 'shard') throw errors.severalShards(shards)
  if (media.kind === 'object')
    throw errors.notAcrossShards('Exactly one row cannot be asked of several shards.')
  if (preferences.maxAffected !== null) {
    throw errors.notAcrossShards('max-affected cannot be kept by several shards together.')
  }
}
