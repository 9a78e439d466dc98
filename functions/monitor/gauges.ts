/**
 * What can be asked at any time, and is not counted: sizes of databases, jobs that wait, origins as they are.
 * @module
 */

import { copiesBehind } from '../../db/cluster/bring-up-copies.ts'
import { repairKey } from '../../db/restores/positions.ts'
import type { BoundStatement, Row } from '../../db/sql/statement.ts'
import type { PoolView } from '../balancer/shown-pool.ts'
import type { Services } from '../core/context.ts'
import { emit } from '../core/events.ts'
import { countJobs } from '../jobs/show-jobs.ts'
import type { KeptBy } from '../meter/metrics-store.ts'
import { addKept } from '../meter/metrics-tables.ts'
import type { Gauge } from './open-metrics.ts'

export async function readGauges(services: Services, pools: readonly string[]): Promise<readonly Gauge[]> {
  const parts = await Promise.all([
    orNothing('databases', databaseGauges(services)),
    orNothing('copies', copyGauges(services)),
    orNothing('restores', restoreGauges(services)),
    orNothing('jobs', jobGauges(services)),
    orNothing('origins', originGauges(services, pools)),
    orNothing('isolates', isolateGauges(services)),
    orNothing('cache', cacheGauges(services)),
  ])
  return parts.flat()
}

/** A part that cannot be read leaves the others readable. */
async function orNothing(what: string, gauges: Promise<readonly Gauge[]>): Promise<readonly Gauge[]> {
  try {
    return await gauges
  } catch (error) {
    emit({ kind: 'gauges-unread', what, error })
    return []
  }
}

export async function databaseSizes({
  bindings,
}: Services): Promise<readonly { database: string; bytes: number | null }[]> {
  return Promise.all(
    [...bindings].map(async ([database, binding]) => {
      const answer = await binding
        .prepare('SELECT 1')
        .all()
        .catch(() => null)
      return { database, bytes: answer?.meta.size_after ?? null }
    }),
  )
}

async function databaseGauges(services: Services): Promise<readonly Gauge[]> {
  const sizes = await databaseSizes(services)
  return [
    {
      name: 'database_size_bytes',
      help: 'Size of a database.',
      unit: 'bytes',
      values: sizes.flatMap(({ database, bytes }) =>
        bytes === null ? [] : [{ labels: { database }, value: bytes }],
      ),
    },
    {
      name: 'database_up',
      help: 'Whether a database answers.',
      values: sizes.map(({ database, bytes }) => ({ labels: { database }, value: bytes === null ? 0 : 1 })),
    },
  ]
}

async function copyGauges({ cluster }: Services): Promise<readonly Gauge[]> {
  if (!cluster.sharded) return []
  const behind = await copiesBehind(cluster.open({ reads: true, seen: new Map(), primary: true }))
  return [
    {
      name: 'reference_copies_behind',
      help: 'Changes of reference tables that a shard has not copied yet; they are there in a moment, unless it does not answer or refuses them.',
      values: behind.map(({ database, entries }) => ({ labels: { database }, value: entries })),
    },
  ]
}

/** Databases that were put back in time, and what that has left. */
async function restoreGauges({ cluster }: Services): Promise<readonly Gauge[]> {
  const session = cluster.open({ reads: true, seen: new Map() })
  const text = `SELECT (SELECT count(*) FROM _atoll_state WHERE key = '${repairKey}') AS repairs, (SELECT count(*) FROM _atoll_conflicts) AS conflicts`
  const outcomes = await session.onAll(cluster.databases, [{ text, parameters: [] }])
  const values = (name: 'repairs' | 'conflicts') =>
    outcomes.flatMap((outcome) =>
      'error' in outcome
        ? []
        : [
            {
              labels: { database: outcome.part.database },
              value: Number(outcome.results[0]?.[0]?.[name] ?? 0),
            },
          ],
    )
  return [
    {
      name: 'database_repairing',
      help: 'Whether a database was put back in time and is being repaired.',
      values: values('repairs'),
    },
    {
      name: 'restore_conflicts',
      help: 'What restores have left on a database that the operator must decide.',
      values: values('conflicts'),
    },
  ]
}

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

/** What isolates keep, as they said when they handed over last; without a store of metrics, this one's. */
async function isolateGauges({ metrics, budget }: Services): Promise<readonly Gauge[]> {
  const kept = metrics === null ? addKept([budget.gauges()]) : await metrics().kept()
  const gauge = (name: string, help: string, read: (kept: KeptBy) => number): Gauge => ({
    name,
    help,
    ...(name.endsWith('_bytes') ? { unit: 'bytes' } : {}),
    values: Object.entries(kept).map(([keeper, one]) => ({ labels: { keeper }, value: read(one) })),
  })
  return [
    gauge('isolates_keeping', 'Isolates that have said lately what they keep.', ({ isolates }) => isolates),
    gauge('isolate_kept_most_bytes', 'What the isolate keeps that keeps most.', ({ mostBytes }) => mostBytes),
    gauge('isolate_kept_bytes', 'What all of them keep, by what it is.', ({ bytes }) => bytes),
    gauge('isolate_kept_entries', 'Entries of that.', ({ entries }) => entries),
  ]
}

async function cacheGauges({ cache }: Services): Promise<readonly Gauge[]> {
  if (!cache?.keeper) return []
  const distrust = await cache.keeper.distrust()
  const seconds = distrust === null ? 0 : Math.max(0, Date.now() - distrust.since) / 1000
  return [
    {
      name: 'cache_store_trusted',
      help: 'Whether the cache store is believed: it takes what is written, and does not lag behind.',
      values: [{ labels: {}, value: distrust === null ? 1 : 0 }],
    },
    {
      name: 'cache_store_distrusted_seconds',
      help: 'How long the cache store has not been believed; 0 when it is.',
      unit: 'seconds',
      values: [{ labels: {}, value: seconds }],
    },
  ]
}

async function originGauges({ poolWatch }: Services, pools: readonly string[]): Promise<readonly Gauge[]> {
  if (poolWatch === null) return []
  const views = await Promise.all(pools.map((pool) => poolWatch(pool).view()))
  const gauge = (
    name: string,
    help: string,
    read: (origin: PoolView['origins'][number]) => number | null,
  ): Gauge => ({
    name,
    help,
    values: views.flatMap((view) =>
      view.origins.flatMap((origin) => {
        const value = read(origin)
        return value === null ? [] : [{ labels: { pool: view.name, origin: origin.name }, value }]
      }),
    ),
  })
  return [
    gauge('origin_up', 'Whether an origin takes requests.', ({ state }) => (state === 'up' ? 1 : 0)),
    gauge('origin_weight', 'Share of an origin beside the others of its pool.', ({ weight }) => weight),
    gauge(
      'origin_outstanding',
      'Requests that an origin has not finished.',
      ({ outstanding }) => outstanding,
    ),
    gauge('origin_latency_seconds', 'Peak EWMA of an origin.', ({ latencyMs }) =>
      latencyMs === null ? null : latencyMs / 1000,
    ),
    gauge('origin_ejecting_isolates', 'Isolates that leave an origin alone.', ({ ejectedIn }) => ejectedIn),
  ]
}
