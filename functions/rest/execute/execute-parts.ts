/**
 * The parts of a write that carries an `Idempotency-Key`: what goes around each, what of it is done, and how one is sent again whose outcome is
 * not known.
 * @module
 */

import { pause } from '../../../db/cluster/pause.ts'
import { rowsOf } from '../../../db/cluster/rows-of.ts'
import type { ClusterSession } from '../../../db/cluster/session.ts'
import { isUnknown } from '../../../db/cluster/unknown-outcome.ts'
import { finishKey, requireNew, requireOpen } from '../../../db/cluster/write-keys.ts'
import type { Outcome, Part, Site } from '../../../db/slots/parts.ts'
import type { BoundStatement } from '../../../db/sql/statement.ts'
import type { StoredRow } from '../compile/storage-rows.ts'
import { errors } from '../errors.ts'
import type { BoundWrite, DonePart, Keyed } from './bound-write.ts'
import { type PartResult, readKept } from './written.ts'

/** What of a write's rows is not done yet. */
export function rowsLeft(rows: readonly StoredRow[], keyed: Keyed | undefined): readonly StoredRow[] {
  if (!keyed || keyed.done.length === 0) return rows
  return rows.filter(({ index }) => !keyed.done.some((part) => part.rows?.has(index)))
}

/** The statements of a keyed write's part, around its own. */
export function aroundWrite(
  { key, isOpen }: Keyed,
  part: string,
): { readonly before: readonly BoundStatement[]; readonly after: readonly BoundStatement[] } {
  return { before: isOpen ? [requireOpen(key)] : requireNew(key), after: finishKey(key, part) }
}

/** What the key's row says was done: payload rows, as ranges, or the databases that the write was for. */
export function partText(
  { plan, payload }: Pick<BoundWrite, 'plan' | 'payload'>,
  rows: readonly StoredRow[],
  planned: readonly string[],
): string {
  if (plan.action === 'update' || plan.action === 'delete') return planned.join(',')
  const all = plan.action === 'insert' ? payload.rows.length : 1
  return rows.length === all ? '*' : rangesOf(rows.map(({ index }) => index))
}

function rangesOf(numbers: readonly number[]): string {
  const ranges: [first: number, last: number][] = []
  for (const number of numbers) {
    const last = ranges.at(-1)
    if (last && last[1] === number - 1) last[1] = number
    else ranges.push([number, number])
  }
  return ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(',')
}

/** What earlier requests with the same key have written, as far as no database has answered with it again. */
export function partsBefore({ plan, keyed }: BoundWrite, outcomes: readonly Outcome[]): readonly DonePart[] {
  if (!keyed) return []
  if (plan.action === 'insert' || plan.action === 'upsert') return keyed.done
  return keyed.done.filter(({ database }) => !outcomes.some(({ part }) => part.database === database))
}

/** Times that a part whose outcome is not known is sent. */
const maxTries = 4

/** The databases that a write of rows which are there already is for: they are kept with its key. */
export async function plannedFor(
  { keyed, plan }: BoundWrite,
  site: Site,
  session: ClusterSession,
): Promise<readonly string[]> {
  if (!keyed || (plan.action !== 'update' && plan.action !== 'delete')) return []
  const before = keyed.done.flatMap(({ planned }) => planned)
  if (before.length > 0) return [...new Set(before)]
  return (await session.cluster.partsOf(site, session)).map(({ database }) => database)
}

/**
 * Runs a write. With a key, a part whose outcome is not known is sent again, while there is time: if it was committed, its key says so, and
 * what it was answered is read.
 */
export async function runSurely(
  { keyed }: BoundWrite,
  session: ClusterSession,
  site: Site,
  statementsOf: (part: Part) => readonly BoundStatement[],
): Promise<Outcome[]> {
  const outcomes = await session.run(site, statementsOf)
  if (!keyed) return outcomes
  return Promise.all(outcomes.map((outcome) => settle(outcome, keyed, session, site, statementsOf)))
}

async function settle(
  outcome: Outcome,
  { deadline }: Keyed,
  session: ClusterSession,
  site: Site,
  statementsOf: (part: Part) => readonly BoundStatement[],
): Promise<Outcome> {
  let last = outcome
  for (let tries = 1; tries < maxTries; tries++) {
    if (!('error' in last) || !isUnknown(last.error)) return last
    await pause(25 * 2 ** tries * (0.5 + Math.random()))
    if (Date.now() >= deadline) return last
    // Should it have been committed, it is refused by its key, and whoever began reads what that says.
    last = await again(last.part, session, site, statementsOf)
  }
  return last
}

async function again(
  part: Part,
  session: ClusterSession,
  site: Site,
  statementsOf: (part: Part) => readonly BoundStatement[],
): Promise<Outcome> {
  const where: Site = site.kind === 'primary' ? site : { kind: 'found', database: part.database }
  try {
    const [outcome] = await session.run(where, () => statementsOf(part))
    return { ...(outcome as Outcome), part }
  } catch (error) {
    // What it had has moved meanwhile: it can no longer say.
    return { part, error: errors.outcomeUnknown(part.database, error) }
  }
}

/** What a keyed part's transaction answered: its last statement says what is kept. */
export function keptResult(bound: BoundWrite, outcome: Extract<Outcome, { results: unknown }>): PartResult {
  const row = rowsOf({ part: outcome.part, results: outcome.results.slice(-1) })[0]
  return readKept(bound, String(row?.answer ?? ''))
}
