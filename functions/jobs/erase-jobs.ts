/**
 * Erases the jobs that are about one distribution value.
 * @module
 */
import type { ClusterSession } from '../../db/cluster/session.ts'
import type { BoundStatement } from '../../db/sql/statement.ts'
import { forgetJobs } from './clean-up.ts'
import type { Services } from './services.ts'

/** What has become of jobs, or would. */
export interface ErasedJobs {
  /** Were not over. */
  readonly cancelled: number
  /** All that are gone, dead letters among them, with their payloads. */
  readonly removed: number
  /** Run still: they were told to stop, and are there until they have. */
  readonly running: number
}

const open = "value = ?1 AND finished IS NULL AND state <> 'running'"
const running = "value = ?1 AND state = 'running'"

/** @param isPlan only counts */
export async function eraseJobs(
  services: Pick<Services, 'payloads' | 'bindings' | 'jobLimit' | 'registry'>,
  session: ClusterSession,
  value: string,
  isPlan: boolean,
): Promise<ErasedJobs> {
  const sum = { cancelled: 0, removed: 0, running: 0 }
  for (const database of session.cluster.databases) {
    const of = (text: string): BoundStatement => ({ text, parameters: [value] })
    if (isPlan) {
      const [[row] = []] = await session.on(database, [
        of(
          `SELECT (SELECT count(*) FROM _atoll_jobs WHERE ${open}) AS cancelled, (SELECT count(*) FROM _atoll_jobs WHERE ${running}) AS running,
           (SELECT count(*) FROM _atoll_jobs WHERE value = ?1 AND state <> 'running') + (SELECT count(*) FROM _atoll_dead_letters WHERE value = ?1) AS removed`,
        ),
      ])
      for (const name of ['cancelled', 'removed', 'running'] as const) sum[name] += Number(row?.[name])
      continue
    }
    const [cancelled = [], stopped = [], over = [], dead = []] = await session.on(database, [
      {
        text: `UPDATE _atoll_jobs SET state = 'cancelled', due = NULL, key = NULL, token = NULL, finished = CAST(?2 AS INTEGER) WHERE ${open} RETURNING id, name`,
        parameters: [value, String(Date.now())],
      },
      of(`UPDATE _atoll_jobs SET cancel = 1 WHERE ${running} RETURNING id`),
      of(
        'DELETE FROM _atoll_jobs WHERE value = ?1 AND finished IS NOT NULL RETURNING id, payload IS NULL AS stored, places',
      ),
      of('DELETE FROM _atoll_dead_letters WHERE value = ?1 RETURNING id, payload IS NULL AS stored, places'),
    ])
    const gone = [...over, ...dead]
    await forgetJobs(services, session, database, gone)
    // Those that were on their way have places that nobody else would give back.
    for (const [name, own] of Map.groupBy(cancelled, (row) => row.name as string))
      if (services.registry.byName.get(name)?.concurrency != null)
        await services.jobLimit?.(name).release(own.map(({ id }) => id as string))
    sum.cancelled += cancelled.length
    sum.removed += gone.length
    sum.running += stopped.length
  }
  return sum
}
