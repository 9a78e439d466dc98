/**
 * Takes away what jobs have left behind: those that ended a while ago, marks and results of theirs, and payloads in R2 of jobs
 * that were never committed.
 * @module
 */

import type { ClusterSession } from '../../db/cluster/session.ts'
import type { BoundStatement, Row } from '../../db/sql/statement.ts'
import type { JobsConfig } from './config.ts'
import { dropFinished, dropOldEffects, forget } from './job-rows.ts'
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
      dropOldEffects(database, now - markAgeMs),
    ])
    await forgetJobs(services, session, database, gone)
    if (gone.length < atOnce) break
  }
  const { ids, after: next } = await services.payloads.list(database, Date.now() - payloadAgeMs, after)
  if (ids.length > 0) {
    const [known = []] = await session.on(database, [knownOf(ids)])
    const kept = new Set(known.map(({ id }) => id as string))
    await services.payloads.remove(ids.filter((id) => !kept.has(id)))
  }
  return next
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

function knownOf(ids: readonly string[]): BoundStatement {
  return {
    text: `SELECT value AS id FROM json_each(?1) WHERE EXISTS (SELECT 1 FROM _atoll_jobs WHERE id = value)
      OR EXISTS (SELECT 1 FROM _atoll_dead_letters WHERE id = value)`,
    parameters: [JSON.stringify(ids)],
  }
}
