/**
 * What is deployed, run by workerd beside the databases of the stand-in: the uploaded modules on the uploaded bindings.
 * @module
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { V4WorkerOptions } from 'miniflare'
import type { D1Store } from './d1-store.ts'
import type { StoredQueue } from './queue-routes.ts'
import type { Binding, ScriptStore, Version } from './script-store.ts'

export interface Edge {
  /** Where a Worker answers, in the place of its address at workers.dev. */
  addressOf(script: string): Promise<string>
  /** What is deployed now is taken up before the next request is answered. */
  rollOut(): void
  stop(): Promise<void>
}

export interface EdgeParts {
  readonly scripts: ScriptStore
  readonly databases: D1Store
  readonly queues: readonly StoredQueue[]
  readonly files: ReadonlyMap<string, Buffer>
}

export function createEdge({ scripts, databases, queues, files }: EdgeParts): Edge {
  const folder = mkdtempSync(join(tmpdir(), 'atoll-edge-'))
  const servers = new Map<string, { readonly server: Server; readonly address: string }>()
  let rolling = Promise.resolve()

  const optionsOf = (name: string, version: Version): V4WorkerOptions => {
    const of = (type: string) => version.bindings.filter((binding) => binding.type === type)
    const named = (type: string, value: (binding: Binding) => unknown) =>
      Object.fromEntries(of(type).map((binding) => [binding.name, value(binding)]))
    const assets = of('assets')[0]
    return {
      name,
      modules: version.modules
        .toSorted((a) => (a.name === version.metadata.main_module ? -1 : 1))
        .map((module) => ({ type: 'ESModule' as const, path: module.name, contents: module.content })),
      compatibilityDate: version.metadata.compatibility_date ?? '2026-11-01',
      compatibilityFlags: [...(version.metadata.compatibility_flags ?? [])],
      bindings: {
        ...(named('plain_text', ({ text }) => text) as Record<string, string>),
        ...(named('json', ({ json }) => json) as Record<string, string>),
        ...(named('secret_text', ({ text }) => text) as Record<string, string>),
        ...(named('version_metadata', () => ({
          id: version.id,
          tag: version.metadata.annotations?.['workers/tag'] ?? '',
          timestamp: version.createdAt,
        })) as V4WorkerOptions['bindings']),
      },
      d1Databases: named('d1', ({ id }) => databases.find(id as string)?.place ?? 'gone') as Record<
        string,
        string
      >,
      r2Buckets: named('r2_bucket', ({ bucket_name }) => bucket_name) as Record<string, string>,
      durableObjects: Object.fromEntries(
        of('durable_object_namespace').map(({ name: binding, class_name }) => [
          binding,
          { className: class_name as string, useSQLite: true },
        ]),
      ),
      queueProducers: named('queue', ({ queue_name }) => ({ queueName: queue_name })) as Record<
        string,
        { queueName: string }
      >,
      queueConsumers: Object.fromEntries(
        queues.flatMap(({ queue_name, consumers }) =>
          consumers
            .filter(({ script }) => script === name)
            .map(({ settings }) => [
              queue_name,
              {
                maxBatchSize: settings.batch_size ?? 10,
                maxBatchTimeout: (settings.max_wait_time_ms ?? 5000) / 1000,
                maxRetries: settings.max_retries ?? 3,
              },
            ]),
        ),
      ),
      ratelimits: named('ratelimit', ({ namespace_id, simple }) => ({
        namespace_id,
        simple,
      })) as V4WorkerOptions['ratelimits'],
      ...(assets === undefined
        ? {}
        : {
            assets: {
              directory: putAssets(join(folder, version.id), version.assets, files),
              binding: assets.name,
              routerConfig: {
                has_user_worker: true,
                invoke_user_worker_ahead_of_assets:
                  version.metadata.assets?.config?.run_worker_first === true,
              },
            },
          }),
    }
  }

  let isStale = false
  /** Starting workerd anew takes a second, so a deployment's changes are taken up together. */
  const takeUp = (): Promise<void> => {
    if (!isStale) return rolling
    isStale = false
    rolling = rolling
      .catch(() => undefined)
      .then(async () => {
        const running = [...scripts.scripts.keys()].flatMap((name) => {
          const version = scripts.deployed(name)
          return version ? [optionsOf(name, version)] : []
        })
        await databases.runWorkers(running)
      })
    return rolling
  }

  const answer = async (script: string, incoming: IncomingMessage, response: ServerResponse) => {
    await takeUp()
    if (!scripts.deployed(script)) return void response.writeHead(404).end('There is nothing here yet')
    const chunks: Buffer[] = []
    for await (const chunk of incoming as AsyncIterable<Buffer>) chunks.push(chunk)
    const worker = await databases.miniflare.getWorker(script)
    const method = incoming.method ?? 'GET'
    const hasBody = method !== 'GET' && method !== 'HEAD'
    const got = await worker.fetch(`https://${incoming.headers.host}${incoming.url}`, {
      method,
      headers: incoming.headers as Record<string, string>,
      ...(hasBody ? { body: Buffer.concat(chunks) } : {}),
      redirect: 'manual',
    })
    const headers = [...got.headers].filter(([name]) => name !== 'content-encoding')
    response.writeHead(got.status, headers.flat())
    response.end(Buffer.from(await got.arrayBuffer()))
  }

  return {
    rollOut: () => {
      isStale = true
    },
    async addressOf(script) {
      const known = servers.get(script)
      if (known) return known.address
      const server = createServer((incoming, response) => {
        answer(script, incoming, response).catch((error: Error) => {
          if (!response.headersSent) response.writeHead(502)
          response.end(`the stand-in's edge failed: ${error.stack}`)
        })
      })
      await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
      const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
      servers.set(script, { server, address })
      return address
    },
    async stop() {
      for (const { server } of servers.values()) server.closeAllConnections()
      await Promise.all([...servers.values()].map(({ server }) => new Promise((done) => server.close(done))))
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function putAssets(
  folder: string,
  assets: Readonly<Record<string, string>>,
  files: ReadonlyMap<string, Buffer>,
): string {
  mkdirSync(folder, { recursive: true })
  for (const [path, hash] of Object.entries(assets)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), files.get(hash) ?? '')
  }
  return folder
}
