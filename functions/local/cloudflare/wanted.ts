/**
 * What `wrangler.toml` says that a deployment stands on, for one environment.
 * @module
 */
import { nameFor } from '../../../db/doors/cloudflare-account.ts'
import { readEnvironment } from '../../../db/doors/open-databases.ts'
import { byShard } from '../../../db/slots/shard-names.ts'

export interface WantedDatabase {
  readonly binding: string
  readonly name: string
  /** Only where `wrangler.toml` names one. */
  readonly id: string | null
}

/** What has to be there in the account. */
export interface Wanted {
  /** The Worker's name. */
  readonly worker: string
  /** Null: what stands outside of all environments. */
  readonly env: string | null
  readonly accountId: string | undefined
  /** `DB` first. */
  readonly databases: readonly WantedDatabase[]
  readonly queues: readonly string[]
  readonly buckets: readonly string[]
  /** Addresses of the Worker's own, as `api.example.com` or `example.com/*`; without any, it answers at workers.dev. */
  readonly routes: readonly string[]
  readonly isOnWorkersDev: boolean
}

/**
 * @param path of `wrangler.toml`
 * @throws UsageError for an environment that is not there
 */
export function readWanted(path: string, env?: string): Wanted {
  const config = readEnvironment(path, env)
  const worker = config.name ?? 'atoll'
  const producers = config.queues.producers ?? []
  const consumers = config.queues.consumers ?? []
  const routes = [...(config.routes ?? []), ...(config.route === undefined ? [] : [config.route])]
  return {
    worker,
    env: env ?? null,
    accountId: config.account_id,
    databases: config.d1_databases
      .toSorted((a, b) => byShard(a.binding, b.binding))
      .map(({ binding, database_name, database_id }) => ({
        binding,
        name: typeof database_name === 'string' ? database_name : nameFor(worker, binding),
        id: typeof database_id === 'string' ? database_id : null,
      })),
    queues: [
      ...new Set([
        ...producers.map(({ binding, queue }) =>
          typeof queue === 'string' ? queue : nameFor(worker, binding),
        ),
        ...consumers.map(({ queue }) => queue),
      ]),
    ],
    buckets: config.r2_buckets.map(({ binding, bucket_name }) =>
      typeof bucket_name === 'string' ? bucket_name : nameFor(worker, binding),
    ),
    routes: routes.map((route) => (typeof route === 'string' ? route : route.pattern)),
    isOnWorkersDev: config.workers_dev ?? routes.length === 0,
  }
}
