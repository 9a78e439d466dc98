/**
 * Copies of reference tables that are behind: how far, and how what fails for want of them is run again when they are there.
 * @module
 */
import type { Catalog } from '../catalog/catalog.ts'
import { ConstraintError, PolicyViolation, StaleCopyError } from '../errors/constraint-error.ts'
import type { Outcome } from '../slots/parts.ts'
import { followReferences } from './reference-copies.ts'
import type { ClusterSession } from './session.ts'

/**
 * Runs what refers to reference rows; when a foreign key fails on a shard whose copies are behind, they are brought up first, and it is
 * run again. It must have committed nothing then.
 */
export async function withCopies(
  run: () => Promise<readonly Outcome[]>,
  session: ClusterSession,
  catalog: Catalog,
): Promise<readonly Outcome[]> {
  const outcomes = await run()
  const failed = outcomes.flatMap((outcome) =>
    'error' in outcome && mayBeBehind(outcome.error) ? [outcome.part.database] : [],
  )
  if (failed.length < outcomes.length || failed.length === 0) return outcomes
  return (await bringUpCopies(session, catalog, failed)) ? run() : outcomes
}

/** Whether newer copies may mend what failed. */
export function mayBeBehind(error: unknown): boolean {
  if (error instanceof PolicyViolation) return error.reference !== null
  return error instanceof StaleCopyError || (error instanceof ConstraintError && error.kind === 'foreign-key')
}

/** @returns whether the copies on one of these databases were behind, and are not any more */
export async function bringUpCopies(
  session: ClusterSession,
  catalog: Catalog,
  databases: readonly string[],
): Promise<boolean> {
  const { cluster } = session
  const shards = databases.filter((name) => name !== cluster.primary)
  if (shards.length === 0) return false
  const writing = session.writing()
  const [log = []] = await writing.primary([
    { text: 'SELECT ifnull(max(sequence), 0) AS n FROM _atoll_reference_log', parameters: [] },
  ])
  const positions = await appliedOn(shards, writing)
  const isBehind = positions.some((applied) => applied !== null && applied < Number(log[0]?.n ?? 0))
  if (isBehind) await followReferences(session, catalog)
  return isBehind
}

/** How many changes a shard lacks. */
interface Behind {
  readonly database: string
  /** Entries of the log; of a shard that does not answer, all that some shard may lack. */
  readonly entries: number
}

/** How many entries of the log each shard has not copied. */
export async function copiesBehind(session: ClusterSession): Promise<readonly Behind[]> {
  const { shards } = session.cluster
  const positions = await appliedOn(shards, session)
  const [counts = []] = await session.primary([
    {
      text: 'SELECT (SELECT count(*) FROM _atoll_reference_log WHERE sequence > value) AS n FROM json_each(?1) ORDER BY key',
      parameters: [JSON.stringify(positions.map((applied) => applied ?? 0))],
    },
  ])
  return shards.map((database, i) => ({ database, entries: Number(counts[i]?.n ?? 0) }))
}

/** How much of the log each shard has copied; null of one that does not answer. */
async function appliedOn(
  shards: readonly string[],
  session: ClusterSession,
): Promise<readonly (number | null)[]> {
  const outcomes = await session.onAll(shards, [
    { text: 'SELECT reference_sequence AS n FROM _atoll_shard', parameters: [] },
  ])
  return outcomes.map((outcome) => ('error' in outcome ? null : Number(outcome.results[0]?.[0]?.n ?? 0)))
}
