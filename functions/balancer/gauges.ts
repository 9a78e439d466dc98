import type { Gauge, GaugeSource } from '../core/gauge.ts'
import type { BalancerEngine, BalancerServices } from './services.ts'
import type { PoolView } from './shown-pool.ts'

export const gauges: readonly GaugeSource<BalancerServices, BalancerEngine>[] = [
  { what: 'origins', read: originGauges },
]

async function originGauges(
  { poolWatch }: BalancerServices,
  { origins }: BalancerEngine,
): Promise<readonly Gauge[]> {
  if (poolWatch === null) return []
  const views = await Promise.all(Object.keys(origins.pools).map((pool) => poolWatch(pool).view()))
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
