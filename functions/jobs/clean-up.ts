/**
 * Takes away what jobs have left behind: those that ended a while ago, marks and results of theirs, and payloads in R2 of jobs
 * that were never committed.
 * @module
 */

import type { ClusterSession } from '../../db/cluster/session.ts'
import type { BoundStatement, Row } from '../../db/sql/statement.ts'
import type { JobsConfig } from './config.ts'
import { dropFinished, forget, listOldEffects, renewEffects } from './job-rows.ts'
import type { Services } from './services.ts'

const atOnce = 500

/** How long a mark is kept whose job nobody knows, and a payload whose job never came, in milliseconds. */
const markAgeMs = 30 * 86_400_000
const payloadAgeMs = 86_400_000

/** How long a Worker may go on with a job that it has lost: Cloudflare ends it then. In milliseconds. */
const longestRunMs = 960_000

export type CleanUpServices = Pick<Services, 'payloads' | 'bindings'>

/**
 * @param after where the listing of payloads goes on, from the last answer
 * @returns where it goes on next time
 */
export async function cleanUp(
  services: CleanUpServices,
  config: JobsConfig,
  session: ClusterSession,
  database: string,
  after: string | null,
): Promise<string | null> {
  for (;;) {
    const now = Date.now()
    const [gone = []] = await session.on(database, [
      dropFinished(now - Math.max(config.jobKeepSeconds * 1000, longestRunMs), atOnce),
    ])
    await forgetJobs(services, session, database, gone)
    if (gone.length < atOnce) break
  }
  await dropOldMarks(services, session, database)
  const { ids, after: next } = await services.payloads.list(database, Date.now() - payloadAgeMs, after)
  const known = await knownAmong(services, session, database, ids)
  await services.payloads.remove(ids.filter((id) => !known.has(id)))
  return next
}

/** Takes away marks whose job nobody knows any more: with slots, marks of others' jobs have come here, and own jobs have left. */
async function dropOldMarks(
  services: CleanUpServices,
  session: ClusterSession,
  database: string,
): Promise<void> {
  const now = Date.now()
  const before = now - markAgeMs
  const [rows = []] = await session.on(database, [listOldEffects(before, atOnce)])
  const ids = [...new Set(rows.map(({ job }) => job as string))]
  if (ids.length === 0) return
  const known = await knownAmong(services, session, database, ids)
  const kept = ids.filter((id) => known.has(id))
  const gone = ids.filter((id) => !known.has(id))
  // Marks that are needed still go to the end, so that those behind them have their turn.
  await session.on(database, [renewEffects(kept, now), ...forget(gone, before)])
}

/**
 * Which jobs there are still, on any database: jobs go where their rows go. All are asked twice, as a job may go from one that is
 * yet to be asked to one that has been.
 *
 * @throws AtollError when a database cannot be asked
 */
async function knownAmong(
  { bindings }: CleanUpServices,
  session: ClusterSession,
  database: string,
  ids: readonly string[],
): Promise<Set<string>> {
  const known = new Set<string>()
  const others = [...bindings.keys()].filter((name) => name !== database)
  for (const name of [database, ...others, database, ...others]) {
    const asked = ids.filter((id) => !known.has(id))
    if (asked.length === 0) break
    const [rows = []] = await session.on(name, [knownOf(asked)])
    for (const { id } of rows) known.add(id as string)
  }
  return known
}

/** @param gone rows of `id`, `stored` and `places` */
export async function forgetJobs(
  { payloads, bindings }: CleanUpServices,
  session: ClusterSession,
  database: string,
  gone: readonly Row[],
): Promise<void> {
  if (gone.length === 0) return
  const places = new Map<string, string[]>([[database, []]])
  for (const row of gone) {
    const others = row.places == null ? [] : (JSON.parse(row.places as string) as string[])
    for (const place of [database, ...others]) {
      if (bindings.has(place)) places.set(place, [...(places.get(place) ?? []), row.id as string])
    }
  }
  const before = Date.now() - longestRunMs
  for (const [place, ids] of places) {
    // One that cannot be reached keeps its marks, and holds up no other.
    const forgotten = session.on(place, forget(ids, before))
    await (place === database ? forgotten : forgotten.catch(() => undefined))
  }
  await payloads.remove(gone.flatMap((row) => (row.stored === 1 ? [row.id as string] : [])))
}

/** Those that are on their way to a database lie in its staging, with the id first. */
function knownOf(ids: readonly string[]): BoundStatement {
  return {
    // `value` alone would be the jobs' own column.
    text: `SELECT asked.value AS id FROM json_each(?1) AS asked WHERE EXISTS (SELECT 1 FROM _atoll_jobs WHERE id = asked.value)
      OR EXISTS (SELECT 1 FROM _atoll_dead_letters WHERE id = asked.value)
      OR asked.value IN (SELECT row ->> 0 FROM _atoll_incoming WHERE name = '_atoll_jobs')`,
    parameters: [JSON.stringify(ids)],
  }
}
