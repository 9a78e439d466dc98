/**
 * Runs a Worker on this machine, in Miniflare with the bindings of `wrangler.toml`: what `npm run dev`, the tests
 * and the load runs start.
 * @module
 */
import { builtinModules } from 'node:module'
import { join } from 'node:path'
import { type BuildOptions, build } from 'esbuild'
import { convertV4MiniflareOptions, Log, type LogLevel, Miniflare, type V4WorkerOptions } from 'miniflare'
import { unstable_getMiniflareWorkerOptions } from 'wrangler'
import { doorOptions, openDatabase } from '../../db/doors/database-door.ts'
import { byShard } from '../../db/slots/shard-names.ts'
import { buildAssets } from './build-assets.ts'
import { createStackMapper } from './map-stacks.ts'

export const root = join(import.meta.dirname, '..', '..')

export interface LocalOptions {
  /** 0: any free port. */
  readonly port: number
  /** Folder for the databases' files, as wrangler lays them out; null: in memory. */
  readonly persistTo: string | null
  /** Another `wrangler.toml` than the project's. */
  readonly config?: string
  /** The Worker's entry file; what the configuration names as `main` when left out. */
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
  /** Takes what it logs; by default it is printed. */
  readonly onLog?: (text: string, level: string) => void
  /**
   * For measuring: a socket of the Worker's own (`addressOf`), without Miniflare's router and its stand-in for the assets' server, which
   * are other machines' work when deployed and take longer than a cached answer does.
   */
  readonly isBare?: boolean
  /** Whether isolates can be looked into: `miniflare.getInspectorURL()`. */
  readonly isInspected?: boolean
  /** Further Workers in the same Miniflare, for comparisons; bare as well. */
  readonly beside?: readonly Beside[]
}

/** A Worker beside the app's, which shares nothing with it but databases of the same name. */
export interface Beside {
  readonly name: string
  readonly entry: string
  /** Names of databases by binding. */
  readonly databases: Readonly<Record<string, string>>
  /** Whether its entry exports the classes that `wrangler.toml` binds. */
  readonly isWhole?: boolean
  /** Whether its packages need Node's own modules. */
  readonly needsNode?: boolean
  readonly variables?: Readonly<Record<string, string>>
}

export interface LocalServer {
  readonly url: URL
  readonly miniflare: Miniflare
  /** Address of the socket of a bare Worker; by default the app's. */
  addressOf(name?: string): Promise<URL>
  database(binding: string): Promise<D1Database>
  /** Every database by its binding, `DB` first. */
  databases(): Promise<ReadonlyMap<string, D1Database>>
  /** Runs the Worker's code as it is on disk now. */
  reload(): Promise<void>
  stop(): Promise<void>
}

/** How the Worker is bundled; wrangler bundles it the same way when it deploys. */
export function bundleOptions(entry: string): BuildOptions {
  return {
    entryPoints: [entry],
    bundle: true,
    format: 'esm',
    target: 'es2024',
    conditions: ['workerd', 'worker', 'browser'],
    external: ['cloudflare:*', 'node:*'],
    // Schemas outside the project, as the contract tests have, resolve their packages here.
    nodePaths: [join(root, 'node_modules')],
    absWorkingDir: root,
    sourcemap: 'inline',
    logLevel: 'silent',
  }
}

/** Packages written for Node name its modules without the prefix that workerd wants. */
const nodeModules = Object.fromEntries(builtinModules.map((name) => [name, `node:${name}`]))

export async function startLocal(options: LocalOptions): Promise<LocalServer> {
  buildAssets(root)
  const { main, workerOptions } = configured(options.config ?? join(root, 'wrangler.toml'))
  const entry = options.entry ?? (main as string)
  const d1Databases = Object.fromEntries(
    (options.databases ?? Object.keys(workerOptions.d1Databases ?? {})).map((binding) => [
      binding,
      (workerOptions.d1Databases as Record<string, unknown>)?.[binding] ?? binding,
    ]),
  ) as Record<string, string>
  const beside = options.beside ?? []
  const others = beside.flatMap(({ databases }) => Object.values(databases).map((name) => [name, name]))
  const allDatabases: Record<string, string> = { ...Object.fromEntries(others), ...d1Databases }
  const { modulesRules: _, ...worker } = workerOptions
  const withoutClasses = { durableObjects: {}, queueConsumers: {}, queueProducers: {} }
  const modulesOf = async (of: string, alias: Readonly<Record<string, string>> = {}) => {
    const bundle = await build({ ...bundleOptions(of), alias, write: false })
    return [{ type: 'ESModule' as const, path: 'index.mjs', contents: bundle.outputFiles?.[0]?.text ?? '' }]
  }
  /** Stack traces in the words of the files, when all of them come from one bundle. */
  let mapped = (text: string) => text
  const bare = { assets: undefined, unsafeDirectSockets: [{ host: '127.0.0.1', port: 0 }] }
  const miniflareOptions = async () => {
    const modules = await modulesOf(entry)
    if (beside.length === 0) mapped = createStackMapper(modules[0]?.contents ?? '', root)
    const converted = convertV4MiniflareOptions({
      workers: [
        {
          ...(worker as V4WorkerOptions),
          name: 'atoll',
          ...(options.databases === undefined ? {} : { d1Databases }),
          ...(options.entry === undefined || options.isWhole ? {} : withoutClasses),
          bindings: { ...(worker.bindings as Record<string, string>), ...options.variables },
          modules,
          ...(options.isBare ? bare : {}),
        },
        ...(await Promise.all(
          beside.map(async ({ name, entry, databases, isWhole, needsNode, variables }) => ({
            ...(worker as V4WorkerOptions),
            ...bare,
            name,
            d1Databases: { ...databases },
            ...(isWhole ? { queueConsumers: {}, queueProducers: {} } : withoutClasses),
            bindings: { ...(worker.bindings as Record<string, string>), ...options.variables, ...variables },
            modules: await modulesOf(entry, needsNode ? nodeModules : {}),
            ...(needsNode ? { compatibilityFlags: ['nodejs_compat'] } : {}),
          })),
        )),
        doorOptions(allDatabases),
      ],
      host: '127.0.0.1',
      port: options.port,
      ...(options.isInspected ? { inspectorPort: 0 } : {}),
      ...(options.logLevel === undefined ? {} : { log: new Log(options.logLevel) }),
      handleStructuredLogs: ({ level, message }: { level: string; message: string }) => {
        if (!options.isQuiet) (options.onLog ?? print)(mapped(message), level)
      },
    })
    return {
      ...converted,
      ...(options.persistTo === null ? {} : { resourcePersistencePath: statePath(options.persistTo) }),
    }
  }
  const miniflare = new Miniflare(await miniflareOptions())
  const url = await miniflare.ready
  const database = async (binding: string) => openDatabase(miniflare, binding)
  return {
    url,
    miniflare,
    addressOf: (name = 'atoll') => miniflare.unsafeGetDirectURL(name),
    database,
    databases: async () => {
      const names = Object.keys(d1Databases).sort(byShard)
      return new Map(await Promise.all(names.map(async (name) => [name, await database(name)] as const)))
    },
    reload: async () => miniflare.setOptions(await miniflareOptions()),
    stop: () => miniflare.dispose(),
  }
}

function print(text: string, level: string): void {
  if (level === 'error' || level === 'warn') console.error(text)
  else console.log(text)
}

/** What a `wrangler.toml` says, in Miniflare's words. */
export function configured(config: string) {
  return quietly(() => unstable_getMiniflareWorkerOptions(config))
}

/** Where wrangler keeps databases, files and objects in a folder of state. */
export const statePath = (persistTo: string) => join(persistTo, 'v3')

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
