/**
 * `npm run dev`: migrates and seeds local D1 and serves the Worker, again after every change of its code.
 * @module
 */
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import storage from '../../db/app/storage.ts'
import type { Catalog } from '../../db/catalog/catalog.ts'
import type { TableDeclarations } from '../../db/catalog/declarations.ts'
import { describe } from '../../db/commands/run-command.ts'
import { UsageError } from '../../db/doors/usage-error.ts'
import { stayingText } from '../../db/migrate/as-rows-lie.ts'
import { appMigrations } from '../../db/migrate/migration-files.ts'
import { banner } from './banner.ts'
import { ensureLocalKeys } from './keys.ts'
import { loadApp } from './load-app.ts'
import { prepareDatabases } from './prepare.ts'
import { readApp } from './read-app.ts'
import { seedFiles } from './seed-files.ts'
import { type LocalServer, root, startLocal } from './serve.ts'
import { claimState, forgetState, noteChildren, releaseState } from './state-lock.ts'
import { watchFolders } from './watch-folders.ts'

const usage = `npm run dev -- [--port 8787] [--persist-to DIR] [--redis] [--reset]`

function readArguments() {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '8787' },
      'persist-to': { type: 'string' },
      redis: { type: 'boolean', default: false },
      reset: { type: 'boolean', default: false },
    },
  })
  const port = Number(values.port)
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new UsageError(`--port is no port: ${values.port}`)
  return {
    port,
    redis: values.redis,
    reset: values.reset,
    persistTo: resolve(values['persist-to'] ?? join(root, '.wrangler', 'state')),
  }
}

async function main(): Promise<void> {
  const { port, persistTo, redis, reset } = readArguments()
  const app = await loadApp(root)
  const {
    catalog,
    schemas: [schema],
    registry,
  } = readApp(app)
  const keys = ensureLocalKeys(join(root, '.dev.vars'))
  await claimState(persistTo)
  // However it ends: Miniflare's own handler of an interrupt ends the process before ours is through.
  process.once('exit', () => releaseState(persistTo))
  if (reset) forgetState(persistTo)
  const store = redis ? await startRedis() : null
  const server = await startLocal({ port, persistTo, ...(store ? { variables: store.variables } : {}) })
  noteChildren(persistTo)
  process.once('SIGINT', () => void stop(server, store))
  process.once('SIGTERM', () => void stop(server, store))
  const prepared = await prepare(server, app.tables, catalog)
  await seedFiles(server, (await import('../../db/app/seed-files.ts')).default)
  const hasRedis = store !== null || 'UPSTASH_REDIS_REST_URL' in keys
  const buckets = Object.keys(app.storage ?? {})
  console.log(banner(server.url, keys, prepared, hasRedis, { catalog, schema, registry, buckets }))
  let reloading = Promise.resolve()
  watchFolders([join(root, 'functions'), join(root, 'db')], () => {
    reloading = reloading.then(() => reload(server, persistTo))
  })
}

/** Migrates and seeds, with the app's files as they are now. */
async function prepare(server: LocalServer, declared: TableDeclarations, catalog: Catalog) {
  return prepareDatabases(await server.databases(), {
    declared,
    catalog,
    storage,
    migrations: appMigrations,
    loadSeed: async () => (await import('../../db/app/seed.ts')).default,
  })
}

/** A Redis of this run's own, behind a bridge that speaks Upstash's protocol. */
async function startRedis() {
  // Loaded only here: it is a development dependency, and needs a program that not every machine has.
  const { startRedisBridge } = await import('../../test/support/redis-bridge.ts')
  const { url, token, stop } = await startRedisBridge()
  return { variables: { UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token }, stop }
}

async function stop(server: LocalServer, store: { stop(): Promise<void> } | null): Promise<void> {
  await server.stop()
  await store?.stop()
  process.exit(0)
}

/**
 * Takes up changed code, schema and migrations. The databases come first: while they cannot be what the new code needs, the old code
 * goes on answering.
 */
async function reload(server: LocalServer, persistTo: string): Promise<void> {
  try {
    const app = await loadApp(root)
    const { catalog } = readApp(app)
    const { migrations, staying } = await prepare(server, app.tables, catalog)
    await server.reload()
    noteChildren(persistTo)
    for (const one of staying) console.log(stayingText(one))
    console.log(`reloaded${migrations.length > 0 ? `, applied ${migrations.join(', ')}` : ''}`)
  } catch (error) {
    console.error(`not reloaded, the code of before goes on: ${describe(error, usage)}`)
  }
}

try {
  await main()
} catch (error) {
  const message = error instanceof Error ? error.message : String(error)
  console.error(
    /EADDRINUSE|address already in use/i.test(message)
      ? `The port is taken. Choose another:\n  ${usage}`
      : describe(error, usage),
  )
  process.exit(1)
}
