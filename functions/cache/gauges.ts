import type { Gauge, GaugeSource } from '../core/gauge.ts'
import type { CacheServices } from './services.ts'

export const gauges: readonly GaugeSource<CacheServices, unknown>[] = [{ what: 'cache', read: cacheGauges }]

async function cacheGauges({ cache }: CacheServices): Promise<readonly Gauge[]> {
  // Without Redis there is no store to trust.
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
