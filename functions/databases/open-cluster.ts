/**
 * The databases of a deployment, with those that hear of what they do: the cache, the meter, the log.
 * @module
 */
import { Cluster } from '../../db/cluster/cluster.ts'
import { Watchdog } from '../../db/cluster/watchdog.ts'
import { invalidate } from '../cache/area.ts'
import { countCall, countRefusal } from '../meter/area.ts'
import { emit } from './events.ts'
import { neededMigrations } from './needed-migrations.ts'
import type { Engine, Services } from './services.ts'

export function openCluster(
  bindings: Services['bindings'],
  { catalog, declared, migrations, config }: Pick<Engine, 'catalog' | 'declared' | 'migrations' | 'config'>,
  { cache, meter, spans, relay, setting }: Pick<Services, 'cache' | 'meter' | 'spans' | 'relay' | 'setting'>,
): Pick<Services, 'cluster' | 'watchdog'> {
  const watchdog = new Watchdog({
    slowMs: config.slowQueryMs,
    windowMs: config.databaseShareSeconds * 1000,
    onSlow: (database) => meter.count('database_slow_queries', { database }),
    onRefused: (...refused) => countRefusal(meter, ...refused),
  })
  const cluster = new Cluster(bindings, {
    migrations: neededMigrations(migrations, setting),
    catalog,
    isConverting: catalog !== declared,
    timeoutMs: config.databaseTimeoutMs,
    onAhead: (database, names) => emit({ kind: 'database-ahead', database, migrations: names }),
    onCopyFailed: (database, error) => emit({ kind: 'copy-failed', database, error }),
    onWentBack: async (database, isCertain) => relay?.suspect(database, isCertain),
    // What does not reach the store now is in the shards' change logs, for the relay.
    onCopied: async (changes, bookmarks) => {
      if (cache === null) return
      await invalidate(cache, changes, bookmarks).catch((error) =>
        emit({ kind: 'invalidation-failed', error }),
      )
    },
    onCall: (call) => countCall(meter, spans, call),
    watchdog,
  })
  return { cluster, watchdog }
}
