/**
 * Writes of values that are unique over all shards: reserved before the rows are written, released after they are gone;
 * `db/cluster/unique-values.ts` says why that is right.
 * @module
 */
import type { Column } from '../../../db/catalog/catalog.ts'
import { rowsOf } from '../../../db/cluster/rows-of.ts'
import type { ClusterSession } from '../../../db/cluster/session.ts'
import {
  type Claim,
  find,
  foresee,
  locate,
  permitClaims,
  type Reserved,
  release,
  reserve,
  type Unproven,
} from '../../../db/cluster/unique-values.ts'
import { beforeWriting } from '../../../db/cluster/unknown-outcome.ts'
import { AtollError } from '../../../db/errors/atoll-error.ts'
import { ConstraintError, RevokedError, revokedMark } from '../../../db/errors/constraint-error.ts'
import type { Outcome, Part, Site } from '../../../db/slots/parts.ts'
import { slotOf } from '../../../db/slots/slots.ts'
import type { BoundStatement, Row } from '../../../db/sql/statement.ts'
import { endPermits } from '../../../db/system/permits.ts'
import { chunksOf, type StoredRow } from '../compile/storage-rows.ts'
import { errors } from '../errors.ts'
import { canonicalText } from '../plan/place.ts'
import type { WritePlan } from '../plan/plan.ts'
import { bind } from './bound-read.ts'
import type { BoundWrite } from './bound-write.ts'
import { deniedParts } from './execute-denied.ts'
import { plannedFor, runSurely } from './execute-parts.ts'

/** A value of the write is another row's. */
export class TakenError extends ConstraintError {
  /** The slot of the row that was to have it. */
  readonly slot: number
  /** That row; null when it is there already. */
  readonly row: StoredRow | null
  /** All values of the write that other rows have. */
  readonly taken: readonly Claim[]

  constructor(claim: Claim, row: StoredRow | null, taken: readonly Claim[] = [claim]) {
    const { table, column, slot } = claim
    super('unique', [column.name], `${table.name}.${column.name}`, null)
    this.slot = slot
    this.row = row
    this.taken = taken
  }
}

/** A write whose values are reserved. */
interface Reservation {
  /** Where the rows lie, as far as that is known better now; null: there is none to write. */
  readonly site: Site | null
  /** What must come first in each part's transaction. */
  readonly before: readonly BoundStatement[]
  readonly claims: readonly Claim[]
  /** Values that nobody can prove to be free now: the write stands only as far as it leaves them as they are. */
  readonly unproven: readonly Unproven[]
}

/** A value, wherever its row lies. */
type Valued = Omit<Claim, 'slot'>

/** Times that a write begins again when others took over what it had reserved. */
const maxAttempts = 4

/**
 * Runs a write under a reservation, and again when that was revoked. What is not used of it is released after the answer.
 *
 * @param statementsOf a part's own statements, given the databases of all parts
 * @param rowsOf the new rows of a part
 * @returns what each part answered to its own statements; none when there is no row to write
 */
export async function runReserving(
  bound: BoundWrite,
  rows: readonly StoredRow[],
  site: Site,
  session: ClusterSession,
  statementsOf: (part: Part, planned: readonly string[]) => readonly BoundStatement[],
  rowsOf: (part: Part) => readonly StoredRow[],
): Promise<readonly Outcome[]> {
  const { plan } = bound
  if (!session.cluster.sharded || plan.root.table.uniqueAcrossShards.length === 0) {
    const planned = await plannedFor(bound, site, session)
    return runSurely(bound, session, site, (part) => statementsOf(part, planned))
  }
  // Of several parts, all or none begin: what one is refused for is told then as if it had been tried.
  const denied = await deniedParts(bound, site, session, rowsOf)
  if (denied.length > 0) return denied
  for (let attempt = 1; ; attempt++) {
    const {
      site: where,
      before,
      claims,
      unproven,
    } = await reservationFor(bound, rows, site, session, attempt > 1)
    if (where === null) return []
    const leading = (part: Part) => [...before, ...freedStatements(bound, rowsOf(part))]
    const trailing = before.length === 0 ? [] : [endPermits]
    const planned = await plannedFor(bound, where, session)
    const outcomes = await runSurely(bound, session, where, (part) => [
      ...leading(part),
      ...statementsOf(part, planned),
      ...trailing,
    ])
    const freed: Valued[] = []
    const own = outcomes.map((outcome): Outcome => {
      if ('error' in outcome) return { ...outcome, error: orUnproven(outcome.error, unproven) }
      const { part, results } = outcome
      const count = leading(part).length
      freed.push(...freedIn(bound, results.slice(before.length, count).flat()))
      return { part, results: results.slice(count, results.length - trailing.length) }
    })
    const isAnyRevoked = outcomes.some(
      (outcome) => 'error' in outcome && outcome.error instanceof RevokedError,
    )
    const isDone = outcomes.every((outcome) => 'results' in outcome)
    // A merge may have passed a row over, and with it what was reserved for it.
    const unused = isDone && plan.conflict === null ? [] : claims
    if (!isUndone(plan)) session.later(releaseUnused(session, [...unused, ...freed]))
    if (!isAnyRevoked) return own
    // What another part has committed cannot begin again: it is told beside those that are not.
    if (attempt >= maxAttempts || outcomes.some((outcome) => 'results' in outcome)) {
      const error = errors.valueContended(plan.root.table.name)
      const isRevoked = (outcome: Outcome) => 'error' in outcome && outcome.error instanceof RevokedError
      return own.map((outcome) => (isRevoked(outcome) ? { part: outcome.part, error } : outcome))
    }
  }
}

async function reservationFor(
  bound: BoundWrite,
  rows: readonly StoredRow[],
  site: Site,
  session: ClusterSession,
  isAgain: boolean,
): Promise<Reservation> {
  const { plan } = bound
  const sets = [...plan.columns, ...plan.filled]
  const isSet = plan.root.table.uniqueAcrossShards.some((name) => sets.some((column) => column.name === name))
  if (plan.action === 'delete' || !isSet) return { site, before: [], claims: [], unproven: [] }
  if (plan.action === 'update') return reserveForUpdate(bound, rows, site, session, isAgain)
  const proposals = rows.flatMap((row) =>
    claimsOf(bound, row, row.slot ?? slotOf('')).map((claim) => ({ claim, row })),
  )
  refuseTwice(proposals)
  const claims = proposals.map(({ claim }) => claim)
  if (claims.length === 0) return { site, before: [], claims, unproven: [] }
  const { permits, taken, unproven } = await reserveAll(bound, claims, session, isAgain)
  // Only rows that are there already can keep what they have.
  if (unproven[0] && plan.conflict === null) throw refusalOf(unproven[0])
  const found = proposals.find(({ claim }) => claim === taken[0])
  if (found) throw new TakenError(found.claim, found.row, taken)
  return { site, before: permitClaims(permits), claims, unproven }
}

function refusalOf({ claim: { table, column }, database, cause }: Unproven) {
  return errors.notProvenUnique(table.name, column.name, database, cause)
}

/** A row would have taken a value that was not reserved, as nobody could say whether it was free. */
function orUnproven(error: unknown, [first]: readonly Unproven[]): unknown {
  return first && error instanceof AtollError && error.body.code === 'SHARD021' ? refusalOf(first) : error
}

/**
 * An update gives one value to the rows that it finds: it is reserved for the one row that there can be, and the write is
 * for that row alone.
 */
async function reserveForUpdate(
  bound: BoundWrite,
  rows: readonly StoredRow[],
  site: Site,
  session: ClusterSession,
  isAgain: boolean,
): Promise<Reservation> {
  const { plan, compiled } = bound
  const [row] = rows
  if (!row || claimsOf(bound, row, 0).length === 0 || compiled.slots === null)
    return { site, before: [], claims: [], unproven: [] }
  const statement = bind(compiled.slots, bound)
  const two = { ...statement, text: `${statement.text} LIMIT 2` }
  const outcomes = await session.run(site, () => [two])
  const found = outcomes.flatMap(rowsOf)
  const [only, ...others] = found
  if (!only) return { site: null, before: [], claims: [], unproven: [] }
  const by = plan.root.table.columns.get(distributedBy(bound)) as Column
  const value = only.b as string | null
  const slot = slotOf(value === null ? '' : canonicalText(by, value))
  const claims = claimsOf(bound, row, slot)
  if (others.length > 0) throw new TakenError(claims[0] as Claim, null)
  const { permits, taken, unproven } = await reserveAll(bound, claims, session, isAgain)
  if (taken[0]) throw new TakenError(taken[0], null)
  // Should another row have come to match in the meantime, all begins again.
  const isSame: BoundStatement = {
    text: `SELECT CASE WHEN NOT EXISTS (SELECT 1 FROM (${statement.text}) WHERE CAST(b AS TEXT) IS NOT ?${statement.parameters.length + 1}) THEN 1 ELSE json_extract('{}','${revokedMark}') END`,
    parameters: [...statement.parameters, value],
  }
  return {
    site: { kind: 'slots', slots: [slot] },
    before: [isSame, ...permitClaims(permits)],
    claims,
    unproven,
  }
}

/** Whether it leaves nothing behind: then nothing is reserved for it, and nothing is to be released. */
function isUndone({ preferences }: WritePlan): boolean {
  return preferences.tx === 'rollback'
}

/** Reserves values, or finds those that other rows have. */
async function reserveAll(
  { plan }: BoundWrite,
  claims: readonly Claim[],
  session: ClusterSession,
  isAgain: boolean,
): Promise<Omit<Reserved, 'contended'>> {
  const { permits, taken, contended, unproven } = await beforeWriting(
    isUndone(plan) ? foresee(session, claims) : reserve(session, claims, crypto.randomUUID(), isAgain),
  )
  if (taken.length === 0 && !contended) return { permits, taken, unproven }
  if (!isUndone(plan)) session.later(releaseUnused(session, claims))
  if (taken.length === 0) throw errors.valueContended(plan.root.table.name)
  return { permits, taken, unproven }
}

/**
 * What an upsert makes of rows whose key other rows have, in other slots: they are passed over, or merged where those are.
 *
 * @returns null when they are refused: a merge that sets the distribution column would move a row
 */
export async function followTaken(
  bound: BoundWrite,
  rows: readonly StoredRow[],
  { taken }: TakenError,
  session: ClusterSession,
): Promise<readonly StoredRow[] | null> {
  const { conflict, columns } = bound.plan
  const [key, ...others] = conflict?.key ?? []
  if (!conflict || !key || others.length > 0 || taken.some(({ column }) => column.name !== key.name))
    return null
  const ignores = conflict.resolution === 'ignore'
  if (!ignores && columns.some(({ name }) => name === distributedBy(bound))) return null
  const values = new Set(taken.map(({ value }) => value))
  const held = await locate(session, bound.plan.root.table, key, [...values])
  const slots = new Map(held.map(({ value, slot }) => [value, slot]))
  return rows.flatMap((row) => {
    const claim = claimsOf(bound, row, row.slot ?? 0).find(({ column }) => column.name === key.name)
    if (!claim || !values.has(claim.value)) return [row]
    return ignores ? [] : [{ ...row, slot: slots.get(claim.value) ?? row.slot }]
  })
}

/** Two new rows in different slots that would have the same value. */
function refuseTwice(proposals: readonly { readonly claim: Claim; readonly row: StoredRow }[]): void {
  const known = new Map<string, number>()
  for (const { claim, row } of proposals) {
    const key = `${claim.column.name}\n${claim.value}`
    const slot = known.get(key)
    if (slot !== undefined && slot !== claim.slot) throw new TakenError(claim, row)
    known.set(key, claim.slot)
  }
}

/** The values of a new row, or of an update, that are unique over all shards; of nulls there may be many. */
function claimsOf({ plan }: BoundWrite, { text }: StoredRow, slot: number): Claim[] {
  const { table } = plan.root
  const columns = [...plan.columns, ...plan.filled]
  const wanted = columns.flatMap((column, i) =>
    table.uniqueAcrossShards.includes(column.name) ? [{ column, i }] : [],
  )
  if (wanted.length === 0) return []
  const values = JSON.parse(withTextNumbers(text)) as unknown[]
  return wanted.flatMap(({ column, i }) => {
    const value = values[i]
    if (value === null || value === undefined) return []
    return [{ table, column, value: canonicalText(column, String(value)), slot }]
  })
}

/** Numbers as strings, so that no digit of them is lost; strings stay as they are. */
function withTextNumbers(json: string): string {
  return json.replace(/"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g, (token) =>
    token.startsWith('"') ? token : `"${token}"`,
  )
}

function distributedBy({ plan }: BoundWrite): string {
  const { placement } = plan.root
  return placement.kind === 'distributed' ? placement.by : ''
}

/** What the rows had before, of the values that the write may take away. */
function freedStatements(bound: BoundWrite, rows: readonly StoredRow[]): BoundStatement[] {
  const { plan, compiled } = bound
  const { freed } = compiled
  if (freed === null || isUndone(plan)) return []
  const chunks = plan.action === 'delete' ? ['[]'] : chunksOf(rows)
  return chunks.map((chunk) => bind(freed, bound, chunk))
}

function freedIn({ plan }: BoundWrite, rows: readonly Row[]): Valued[] {
  const { table } = plan.root
  return rows.flatMap((row) =>
    table.uniqueAcrossShards.flatMap((name, i) => {
      const value = row[`u${i}`] as string | null
      return value === null ? [] : [{ table, column: table.columns.get(name) as Column, value }]
    }),
  )
}

/** After the answer: an entry that stays behind is an orphan, which the sweep finds. */
async function releaseUnused(session: ClusterSession, values: readonly Valued[]): Promise<void> {
  const groups = Map.groupBy(values, ({ column }) => column)
  for (const [column, group] of groups) {
    const [{ table }] = group as [Valued]
    const held = await find(session, table, column, [...new Set(group.map(({ value }) => value))])
    await release(session, held)
  }
}
