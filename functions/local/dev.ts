/**
 * `npm run dev`: migrates and seeds local D1 and then serves the Worker, again after every change of its code. Nothing listens before it can
 * answer; meanwhile a line says what is done.
 * @module
 */
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import storage from '../../db/app/storage.ts'
import type { Catalog } from '../../db/catalog/catalog.ts'
import type { TableDeclarations } from '../../db/catalog/declarations.ts'
import { createProgress } from '../../db/commands/progress.ts'
import { describe } from '../../db/commands/run-command.ts'
import { UsageError } from '../../db/doors/usage-error.ts'
import { stayingText } from '../../db/migrate/as-rows-lie.ts'
import { appMigrations } from '../../db/migrate/migration-files.ts'
import { banner } from './banner.ts'
import { ensureLocalKeys } from './keys.ts'
import { loadApp } from './load-app.ts'
import { openStores, type Stores } from './open-stores.ts'
import { prepareDatabases } from './prepare.ts'
import { readApp } from './read-app.ts'
import { seedFiles } from './seed-files.ts'
import { type LocalServer, root, startLocal } from './serve.ts'
import { claimState, forgetState, noteChildren, releaseState } from './state-lock.ts'
import { watchFolders } from './watch-folders.ts'

const progress = createProgress()
const usage = `npm run dev -- [--port 8787] [--persist-to DIR] [--redis] [--reset] [--no-seed]`

function readArguments() {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '8787' },
      'persist-to': { type: 'string' },
      redis: { type: 'boolean', default: false },
      reset: { type: 'boolean', default: false },
      'no-seed': { type: 'boolean', default: false },
    },
  })
  const port = Number(values.port)
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new UsageError(`--port is no port: ${values.port}`)
  return {
    port,
    redis: values.redis,
    reset: values.reset,
    seeds: !values['no-seed'],
    persistTo: resolve(values['persist-to'] ?? join(root, '.wrangler', 'state')),
  }
}

async function main(): Promise<void> {
  const { port, persistTo, redis, reset, seeds } = readArguments()
  progress.step("reading the app's files")
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
  process.once('exit', () => progress.end())
  await checkFree(port)
  if (reset) forgetState(persistTo)
  const prepared = await prepareState(persistTo, app.tables, catalog, seeds)
  progress.step('starting the Worker')
  const store = redis ? await startRedis() : null
  // Nothing leaves the machine: what would be sent is shown at /_atoll/mail.
  const variables = { ATOLL_MAIL: 'catch', ...store?.variables }
  const server = await startLocal({ port, persistTo, variables })
  noteChildren(persistTo)
  process.once('SIGINT', () => void stop(server, store))
  process.once('SIGTERM', () => void stop(server, store))
  const hasRedis = store !== null || 'UPSTASH_REDIS_REST_URL' in keys
  const buckets = Object.keys(app.storage ?? {})
  await answers(server)
  progress.end()
  console.log(banner(server.url, keys, prepared, hasRedis, { catalog, schema, registry, buckets }))
  let reloading = Promise.resolve()
  watchFolders([join(root, 'functions'), join(root, 'db')], () => {
    reloading = reloading.then(() => reload(server, persistTo))
  })
}

/** Says at once that a port is taken, and not after the databases have been made. */
async function checkFree(port: number): Promise<void> {
  // Who comes in the meantime is not let in: the trial would wait for them.
  const trial = createServer((socket) => socket.destroy())
  await new Promise<void>((done, failed) => {
    trial.once('error', failed)
    trial.listen(port, '127.0.0.1', done)
  })
  await new Promise((done) => trial.close(done))
}

/** Gets databases and files ready before anything listens. */
async function prepareState(
  persistTo: string,
  declared: TableDeclarations,
  catalog: Catalog,
  seeds: boolean,
) {
  const stores = await openStores(persistTo, join(root, 'wrangler.toml'))
  noteChildren(persistTo)
  try {
    const prepared = await prepare(stores, declared, catalog, seeds)
    progress.step('looking at the files')
    await seedFiles(stores, seeds ? (await import('../../db/app/seed-files.ts')).default : nothing)
    return prepared
  } finally {
    await stores.close()
  }
}

/** The first request of an isolate makes what all need, which takes a moment: it is over when the first caller comes. */
async function answers(server: LocalServer): Promise<void> {
  progress.step('waiting for the first answer')
  const answer = await fetch(new URL('/rest/v1/', server.url))
  await answer.body?.cancel()
}

/** What databases are seeded with that a backup is to be restored into: they count as seeded from then on. */
const nothing = async () => undefined

/** Migrates and seeds, with the app's files as they are now. */
async function prepare(
  stores: Pick<Stores, 'databases'>,
  declared: TableDeclarations,
  catalog: Catalog,
  seeds: boolean,
) {
  return prepareDatabases(await stores.databases(), {
    declared,
    tell: progress.step,
    catalog,
    storage,
    migrations: appMigrations,
    loadSeed: async () => {
      progress.step('seeding')
      return seeds ? (await import('../../db/app/seed.ts')).default : nothing
    },
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
    const { migrations, staying } = await prepare(server, app.tables, catalog, true)
    progress.step('loading the code')
    await server.reload()
    noteChildren(persistTo)
    progress.end()
    for (const one of staying) console.log(stayingText(one))
    console.log(`reloaded${migrations.length > 0 ? `, applied ${migrations.join(', ')}` : ''}`)
  } catch (error) {
    progress.end()
    console.error(`not reloaded, the code of before goes on: ${describe(error, usage)}`)
  }
}

try {
  await main()
} catch (error) {
  progress.end()
  const message = error instanceof Error ? error.message : String(error)
  console.error(
    /EADDRINUSE|address already in use/i.test(message)
      ? `The port is taken. Choose another:\n  ${usage}`
      : describe(error, usage),
  )
  process.exit(1)
}
