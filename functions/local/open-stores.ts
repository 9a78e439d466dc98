import { convertV4MiniflareOptions, Miniflare, type V4WorkerOptions } from 'miniflare'
import { doorOptions, openDatabase } from '../../db/doors/database-door.ts'
import { byShard } from '../../db/slots/shard-names.ts'
import { configured, statePath } from './serve.ts'

/** Databases and files of this machine, whether or not a Worker is served on them. */
export interface Stores {
  /** Every database by its binding, `DB` first. */
  databases(): Promise<ReadonlyMap<string, D1Database>>
  bucket(): Promise<R2Bucket>
}

/** Stores without a Worker: nothing listens, no alarm rings, no job runs. Only one may have them open. */
export interface ClosableStores extends Stores {
  close(): Promise<void>
}

/** Opens what `npm run dev` serves, as `wrangler.toml` at `config` names it. */
export async function openStores(persistTo: string, config: string): Promise<ClosableStores> {
  const { workerOptions } = configured(config)
  const { d1Databases = {}, r2Buckets } = workerOptions as {
    d1Databases?: Readonly<Record<string, string>>
    r2Buckets?: V4WorkerOptions['r2Buckets']
  }
  const door = { ...doorOptions(d1Databases), ...(r2Buckets ? { r2Buckets } : {}) }
  const miniflare = new Miniflare({
    ...convertV4MiniflareOptions({ workers: [door] }),
    resourcePersistencePath: statePath(persistTo),
  })
  await miniflare.ready
  const names = Object.keys(d1Databases).sort(byShard)
  return {
    databases: async () => new Map(names.map((name) => [name, openDatabase(miniflare, name)])),
    bucket: async () => (await miniflare.getR2Bucket('BUCKET')) as unknown as R2Bucket,
    close: () => miniflare.dispose(),
  }
}
