import { copiesBehind } from '../../db/cluster/bring-up-copies.ts'
import { repairKey } from '../../db/restores/positions.ts'
import type { CoreServices } from '../core/context.ts'
import type { Gauge, GaugeSource } from '../core/gauge.ts'
import type { Services } from './services.ts'

export const gauges: readonly GaugeSource<Services, unknown>[] = [
  { what: 'databases', read: databaseGauges },
  { what: 'copies', read: copyGauges },
  { what: 'restores', read: restoreGauges },
]

/** Sizes of all databases as they say themselves, in bytes; null for one that does not answer. */
export async function databaseSizes({
  bindings,
}: Pick<CoreServices, 'bindings'>): Promise<readonly { database: string; bytes: number | null }[]> {
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
