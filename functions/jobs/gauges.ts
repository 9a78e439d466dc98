import type { BoundStatement, Row } from '../../db/sql/statement.ts'
import type { Gauge, GaugeSource } from '../core/gauge.ts'
import type { Services } from './services.ts'
import { countJobs } from './show-jobs.ts'

export const gauges: readonly GaugeSource<Services, unknown>[] = [{ what: 'jobs', read: jobGauges }]

/** When the job that has been due the longest was due, in milliseconds since 1970; null: none is. */
export async function oldestDue({ cluster }: Services): Promise<number | null> {
  const session = cluster.open({ reads: true, seen: new Map(), primary: true })
  const statement: BoundStatement = {
    text: 'SELECT min(due) AS due FROM _atoll_jobs WHERE due IS NOT NULL',
    parameters: [],
  }
  const parts = await Promise.all(cluster.databases.map((database) => session.on(database, [statement])))
  const dues = parts.flatMap(([[row] = [] as readonly Row[]]) =>
    typeof row?.due === 'number' ? [row.due] : [],
  )
  return dues.length === 0 ? null : Math.min(...dues)
}

async function jobGauges(services: Services): Promise<readonly Gauge[]> {
  const [counts, oldest] = await Promise.all([countJobs(services), oldestDue(services)])
  const values = Object.entries(counts).flatMap(([name, states]) =>
    Object.entries(states).map(([state, value]) => ({ labels: { name, state }, value })),
  )
  return [
    { name: 'jobs_in_state', help: 'Jobs by name and state.', values },
    {
      name: 'jobs_oldest_due_seconds',
      help: 'How long the job has been due that waits the longest.',
      unit: 'seconds',
      values: [{ labels: {}, value: oldest === null ? 0 : Math.max(0, Date.now() - oldest) / 1000 }],
    },
  ]
}
