/**
 * Several copies of the Worker in one Miniflare, each with its own memory; they share the databases, the relay and a cache
 * store.
 */
import { join } from 'node:path'
import { build } from 'esbuild'
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from 'miniflare'
import { doorOptions, openDatabase } from '../../db/doors/database-door.ts'
import { root } from '../../functions/local/serve.ts'
import { prepareFixture, secretKey } from './local-server.ts'

const databases = ['DB', 'SHARD_1', 'SHARD_2', 'SHARD_3']

export interface Isolates {
  readonly count: number
  /** Sends a request to one of them, with the secret key unless told otherwise. */
  ask(isolate: number, path: string, init?: RequestInit): Promise<Response>
  /** Calls to databases that an isolate has made. */
  calls(isolate: number): Promise<number>
  /** Address of a socket of an isolate's own: requests to it outlive, unlike `ask`, that the process ends and is started again. */
  addressOf(isolate: number): Promise<URL>
  /** Where debuggers find them, when `inspects` is set. */
  inspector(): Promise<URL>
  database(binding: string): Promise<D1Database>
  stop(): Promise<void>
}

export interface IsolateOptions {
  /** Variables of one isolate, over those of all. */
  readonly ownVariables?: (isolate: number) => Readonly<Record<string, string>>
  /** Takes what they log; by default it is printed. */
  readonly onLog?: (text: string) => void
  /** Whether their heaps can be looked at. */
  readonly inspects?: boolean
}

export async function startIsolates(
  count: number,
  variables: Readonly<Record<string, string>>,
  { ownVariables = () => ({}), onLog, inspects = false }: IsolateOptions = {},
): Promise<Isolates> {
  const bundle = await build({
    entryPoints: [join(root, 'test', 'support', 'isolate-worker.ts')],
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2024',
    conditions: ['workerd', 'worker', 'browser'],
    external: ['cloudflare:*', 'node:*'],
  })
  const worker = (i: number) => ({
    name: `isolate${i}`,
    modules: [{ type: 'ESModule' as const, path: 'index.mjs', contents: bundle.outputFiles[0]?.text ?? '' }],
    compatibilityDate: '2026-11-01',
    d1Databases: Object.fromEntries(databases.map((name) => [name, name])),
    durableObjects: {
      RELAY:
        i === 0 ? { className: 'Relay', useSQLite: true } : { className: 'Relay', scriptName: 'isolate0' },
    },
    unsafeDirectSockets: [{ host: '127.0.0.1', port: 0 }],
    bindings: { ATOLL_SECRET_KEY: secretKey, ATOLL_RATE_LIMITS: 'off', ...variables, ...ownVariables(i) },
  })
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      workers: [
        ...Array.from({ length: count }, (_, i) => worker(i)),
        doorOptions(Object.fromEntries(databases.map((name) => [name, name]))),
      ],
      log: new Log(LogLevel.NONE),
      ...(inspects && { inspectorPort: 0 }),
      ...(onLog && {
        handleStructuredLogs: ({ message }: { readonly message: string }) => onLog(message),
      }),
    } as never),
  )
  await miniflare.ready
  const database = async (binding: string) => openDatabase(miniflare, binding)
  const all = new Map(await Promise.all(databases.map(async (name) => [name, await database(name)] as const)))
  await prepareFixture(all)
  const workers = await Promise.all(
    Array.from({ length: count }, (_, i) => miniflare.getWorker(`isolate${i}`)),
  )
  const send = (isolate: number, path: string, init: RequestInit) =>
    workers[isolate]?.fetch(`http://atoll.test${path}`, init as never) as unknown as Promise<Response>
  return {
    count,
    ask: (isolate, path, init = {}) => {
      const headers: Record<string, string> = {
        apikey: secretKey,
        ...(init.headers as Record<string, string>),
      }
      return send(isolate, `/rest/v1/${path}`, { ...init, headers })
    },
    calls: async (isolate) => Number(await (await send(isolate, '/calls', {})).text()),
    addressOf: (isolate) => miniflare.unsafeGetDirectURL(`isolate${isolate}`),
    inspector: () => miniflare.getInspectorURL(),
    database,
    stop: () => miniflare.dispose(),
  }
}
