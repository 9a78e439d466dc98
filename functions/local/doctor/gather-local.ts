/**
 * Looks at this machine: packages, files, databases, and the Worker as it would be uploaded.
 * @module
 */
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { openDatabases, readEnvironment, readRawConfig } from '../../../db/doors/open-databases.ts'
import type { App } from '../../areas.ts'
import { defaultConfig } from '../../areas.ts'
import { runWrangler } from '../deploy/run-wrangler.ts'
import { differencesOf } from '../environments/environment.ts'
import { readLocalVariables } from '../keys.ts'
import { readApp } from '../read-app.ts'
import { bundleOptions } from '../serve.ts'
import { driftOf, factOf } from './drift.ts'
import type { Bundle, Configured, Fact, LocalFacts, Versions } from './facts.ts'

/** @param app what the project serves, or why it cannot be read */
export async function gatherLocal(
  root: string,
  app: App | string,
  env: string | undefined,
  isQuick: boolean,
): Promise<LocalFacts> {
  const read = typeof app === 'string' ? app : readOrFault(app)
  const config = { ...defaultConfig, ...(typeof app === 'string' ? {} : app.config) }
  const [configured, drift, bundle, startupMs] = await Promise.all([
    factOf(async () => readConfigured(join(root, 'wrangler.toml'), env)),
    typeof read === 'string' ? { unknown: 'the app cannot be read' } : localDrift(root, read),
    factOf(() => measureBundle(join(root, 'functions', 'index.ts'))),
    isQuick ? { unknown: 'left out (--quick)' } : factOf(() => measureStartup(root)),
  ])
  const variables = readLocalVariables(join(root, '.dev.vars'))
  return {
    versions: readVersions(root),
    configured,
    appFault: typeof read === 'string' ? read : null,
    scheduled: typeof read === 'string' ? [] : read.registry.schedules.map(({ job }) => job.name),
    buckets: typeof app === 'string' ? 0 : Object.keys(app.storage ?? {}).length,
    maxStatementsPerRequest: config.maxStatementsPerRequest,
    localVariables: existsSync(join(root, '.dev.vars'))
      ? { names: Object.keys(variables), isOpen: isOpen(join(root, '.dev.vars')) }
      : null,
    cacheUrl: { value: variables.UPSTASH_REDIS_REST_URL ?? null },
    drift,
    bundle,
    startupMs,
  }
}

function readOrFault(app: App): ReturnType<typeof readApp> | string {
  try {
    return readApp(app)
  } catch (error) {
    return (error as Error).message
  }
}

/** Whether others than the owner may read it; Windows keeps that elsewhere. */
function isOpen(file: string): boolean {
  return process.platform !== 'win32' && (statSync(file).mode & 0o077) !== 0
}

interface PackageFile {
  readonly version: string
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
  readonly atoll?: { readonly version: string }
}

function readVersions(root: string): Versions {
  const read = (file: string) => JSON.parse(readFileSync(file, 'utf8')) as PackageFile
  const installed = (name: string): PackageFile | null => {
    const file = join(root, 'node_modules', name, 'package.json')
    return existsSync(file) ? read(file) : null
  }
  const project = read(join(root, 'package.json'))
  const pinned = Object.entries({ ...project.dependencies, ...project.devDependencies })
  const wanted = ['wrangler', 'miniflare', '@cloudflare/vitest-plugin'].flatMap((by) =>
    Object.entries(installed(by)?.dependencies ?? {})
      .filter(([name]) => ['workerd', 'miniflare', 'wrangler'].includes(name))
      .map(([name, version]) => ({ by, name, version })),
  )
  return {
    engine: project.atoll?.version ?? project.version,
    node: process.versions.node,
    wrangler: installed('wrangler')?.version ?? null,
    miniflare: installed('miniflare')?.version ?? null,
    workerd: installed('workerd')?.version ?? null,
    wanted,
    others: pinned
      .map(([name, pin]) => ({ name, pinned: pin, found: installed(name)?.version ?? null }))
      // Of ranges and addresses, npm itself sees to what is right.
      .filter(({ pinned, found }) => found === null || (/^\d/.test(pinned) && pinned !== found)),
  }
}

function readConfigured(path: string, env: string | undefined): Configured {
  const config = readEnvironment(path, env)
  const names = (queues: readonly { readonly queue?: string | undefined }[]) =>
    queues.flatMap(({ queue }) => (typeof queue === 'string' ? [queue] : []))
  return {
    worker: config.name ?? 'atoll',
    databases: config.d1_databases.map(({ binding }) => binding),
    crons: config.triggers.crons ?? [],
    sentTo: names(config.queues.producers ?? []),
    takenFrom: names(config.queues.consumers ?? []),
    hasBucket: config.r2_buckets.some(({ binding }) => binding === 'BUCKET'),
    rateLimits: config.ratelimits.map(({ name, namespace_id }) => ({ name, id: namespace_id })),
    drift: differencesOf(readRawConfig(path)),
  }
}

async function localDrift(root: string, app: ReturnType<typeof readApp>): Promise<Fact<string | null>> {
  if (!existsSync(join(root, '.wrangler', 'state', 'v3', 'd1')))
    return { unknown: 'there are none yet: npm run dev makes them' }
  return factOf(async () => {
    const { databases, close } = await openDatabases({ remote: false })
    try {
      return await driftOf(databases, app.catalog)
    } finally {
      await close()
    }
  })
}

async function measureBundle(entry: string): Promise<Bundle> {
  const { outputFiles } = await build({ ...bundleOptions(entry), sourcemap: false, write: false })
  const code = outputFiles?.[0]?.contents ?? new Uint8Array()
  return { bytes: code.byteLength, gzipBytes: gzipSync(code).byteLength }
}

/** Wrangler starts the Worker with a profiler beside it. */
async function measureStartup(root: string): Promise<number> {
  const profile = join(root, '.wrangler', 'atoll', 'startup.cpuprofile')
  const variables = { WRANGLER_HIDE_BANNER: 'true', CI: '1', NO_COLOR: '1' }
  const { output } = await runWrangler(root, ['check', 'startup', '--outfile', profile], variables)
  const active = /Active:\s*([\d.]+)\s*ms/.exec(stripVTControlCharacters(output))?.[1]
  if (active === undefined) throw new Error(`npx wrangler check startup does not say it: ${output.trim()}`)
  return Number(active)
}
