/**
 * Starts the jobs of schedules. When each is due next lies in `DB`, and moves in the transaction that puts its job in: a run is
 * neither lost nor started twice. Of runs that were missed, the last is made up for.
 * @module
 */

import type { ClusterSession } from '../../db/cluster/session.ts'
import type { Row } from '../../db/sql/statement.ts'
import type { Schedule } from './job-registry.ts'
import { insertJobs } from './job-rows.ts'
import { makeJob } from './send-jobs.ts'
import type { Services } from './services.ts'

/** What is kept of a schedule, as JSON. */
interface Kept {
  readonly cron: string
  readonly timeZone: string
  readonly next: number | null
}

const keyOf = ({ job }: Schedule) => `schedule:${job.name}`

export const readSchedules = {
  text: "SELECT key, value FROM _atoll_state WHERE key GLOB 'schedule:*'",
  parameters: [],
}

/** @returns when the next one is due, in milliseconds since 1970; null: never */
export async function runSchedules(
  { registry, payloads, cluster }: Pick<Services, 'registry' | 'payloads' | 'cluster'>,
  session: ClusterSession,
  now = Date.now(),
): Promise<number | null> {
  if (registry.schedules.length === 0) return null
  const [rows = []] = await session.primary([readSchedules])
  const kept = new Map(rows.map((row) => [row.key as string, row.value as string]))
  const nexts: number[] = []
  for (const schedule of registry.schedules) {
    const text = kept.get(keyOf(schedule)) ?? null
    const before = text === null ? null : (JSON.parse(text) as Kept)
    const { job, cron, timeZone } = schedule
    const isKnown = before?.cron === cron && before.timeZone === timeZone
    const isDue = isKnown && before.next !== null && before.next <= now
    const next = isKnown && !isDue ? before.next : schedule.nextAfter(now)
    if (next !== null) nexts.push(next)
    if (isKnown && !isDue) continue
    const started = isDue
      ? [
          await makeJob(
            job,
            { scheduledFor: lastDue(schedule, before.next as number, now) },
            {},
            cluster.primary,
            payloads,
          ),
        ]
      : []
    await session.primary([
      isUnchanged(keyOf(schedule), text),
      ...insertJobs(started),
      {
        text: 'INSERT OR REPLACE INTO _atoll_state VALUES (?1, ?2)',
        parameters: [keyOf(schedule), JSON.stringify({ cron, timeZone, next } satisfies Kept)],
      },
    ])
  }
  return nexts.length === 0 ? null : Math.min(...nexts)
}

/** Runs that are gone through for the last one that was missed. */
const maxMissed = 10_000

function lastDue(schedule: Schedule, first: number, now: number): string {
  let last = first
  for (let i = 0; i < maxMissed; i++) {
    const next = schedule.nextAfter(last)
    if (next === null || next > now) break
    last = next
  }
  return new Date(last).toISOString()
}

/** Fails when somebody else has gone on with the schedule. */
function isUnchanged(key: string, text: string | null) {
  return {
    text: `INSERT INTO _atoll_guard SELECT 'atoll/schedule' WHERE (SELECT value FROM _atoll_state WHERE key = ?1) IS NOT ?2`,
    parameters: [key, text],
  }
}

/** When schedules are due, for those who ask. */
export function shownSchedules(
  schedules: readonly Schedule[],
  rows: readonly Row[],
): readonly { name: string; cron: string; time_zone: string; next: string | null }[] {
  const kept = new Map(rows.map((row) => [row.key as string, JSON.parse(row.value as string) as Kept]))
  return schedules.map((schedule) => {
    const next = kept.get(keyOf(schedule))?.next ?? schedule.nextAfter(Date.now())
    const { cron, timeZone, job } = schedule
    return {
      name: job.name,
      cron,
      time_zone: timeZone,
      next: next === null ? null : new Date(next).toISOString(),
    }
  })
}
