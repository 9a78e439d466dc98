/**
 * Runs a Worker on this machine, in Miniflare with the bindings of `wrangler.toml`: what `npm run dev`, the tests
 * and the load runs start.
 * @module
 */
import { join } from 'node:path'
import { type BuildOptions, build } from 'esbuild'
import { convertV4MiniflareOptions, Log, type LogLevel, Miniflare, type V4WorkerOptions } from 'miniflare'
import { unstable_getMiniflareWorkerOptions } from 'wrangler'
import { byShard } from '../../db/cluster/shard-names.ts'
import { doorOptions, openDatabase } from '../../db/database-door.ts'
import { buildAssets } from '../build-assets.ts'

export const root = join(import.meta.dirname, '..', '..')

export interface LocalOptions {
  /** 0: any free port. */
  readonly port: number
  /** Folder for the databases' files, as wrangler lays them out; null: in memory. */
  readonly persistTo: string | null
  /** The Worker's entry file; the app's own when left out. */
  readonly entry?: string
  /** Whether such an entry exports the classes and handlers of the app's own: relay, limits, queues. */
  readonly isWhole?: boolean
  /** Bindings of databases, in the place of those that `wrangler.toml` names. */
  readonly databases?: readonly string[]
  /** Set over the variables of `wrangler.toml` and `.dev.vars`. */
  readonly variables?: Readonly<Record<string, string>>
  readonly logLevel?: LogLevel
  /** Whether what the Worker itself logs is left out. */
  readonly isQuiet?: boolean
}

export interface LocalServer {
  readonly url: URL
  readonly miniflare: Miniflare
  database(binding: string): Promise<D1Database>
  /** Every database by its binding, `DB` first. */
  databases(): Promise<ReadonlyMap<string, D1Database>>
  /** Runs the Worker's code as it is on disk now. */
  reload(): Promise<void>
  stop(): Promise<void>
}

/** How the Worker is bundled; wrangler bundles it the same way when it deploys. */
function bundleOptions(entry: string): BuildOptions {
  return {
    entryPoints: [entry],
    bundle: true,
    format: 'esm',
    target: 'es2024',
    conditions: ['workerd', 'worker', 'browser'],
    external: ['cloudflare:*', 'node:*'],
    // Schemas outside the project, as the contract tests have, resolve their packages here.
    nodePaths: [join(root, 'node_modules')],
    sourcemap: 'inline',
    logLevel: 'silent',
  }
}

export async function startLocal(options: LocalOptions): Promise<LocalServer> {
  buildAssets(root)
  const entry = options.entry ?? join(root, 'functions', 'index.ts')
  const configured = quietly(() => unstable_getMiniflareWorkerOptions(join(root, 'wrangler.toml')))
  const d1Databases = Object.fromEntries(
    (options.databases ?? Object.keys(configured.workerOptions.d1Databases ?? {})).map((binding) => [
      binding,
      (configured.workerOptions.d1Databases as Record<string, unknown>)?.[binding] ?? binding,
    ]),
  ) as Record<string, string>
  const miniflareOptions = async () => {
    const bundle = await build({ ...bundleOptions(entry), write: false })
    const { modulesRules: _, ...worker } = configured.workerOptions
    const converted = convertV4MiniflareOptions({
      workers: [
        {
          ...(worker as V4WorkerOptions),
          name: 'atoll',
          ...(options.databases === undefined ? {} : { d1Databases }),
          ...(options.entry === undefined || options.isWhole
            ? {}
            : { durableObjects: {}, queueConsumers: {}, queueProducers: {} }),
          bindings: { ...(worker.bindings as Record<string, string>), ...options.variables },
          modules: [{ type: 'ESModule', path: 'index.mjs', contents: bundle.outputFiles?.[0]?.text ?? '' }],
        },
        doorOptions(d1Databases),
      ],
      host: '127.0.0.1',
      port: options.port,
      ...(options.logLevel === undefined ? {} : { log: new Log(options.logLevel) }),
      ...(options.isQuiet ? { handleStructuredLogs: () => undefined } : {}),
    })
    return {
      ...converted,
      ...(options.persistTo === null ? {} : { resourcePersistencePath: join(options.persistTo, 'v3') }),
    }
  }
  const miniflare = new Miniflare(await miniflareOptions())
  const url = await miniflare.ready
  const database = async (binding: string) => openDatabase(miniflare, binding)
  return {
    url,
    miniflare,
    database,
    databases: async () => {
      const names = Object.keys(d1Databases).sort(byShard)
      return new Map(await Promise.all(names.map(async (name) => [name, await database(name)] as const)))
    },
    reload: async () => miniflare.setOptions(await miniflareOptions()),
    stop: () => miniflare.dispose(),
  }
}

/** Wrangler tells where it found variables; that is no news here. */
function quietly<T>(work: () => T): T {
  const log = console.log
  console.log = () => undefined
  try {
    return work()
  } finally {
    console.log = log
  }
}
