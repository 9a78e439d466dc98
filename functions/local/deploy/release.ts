/**
 * A release, step by step: what is missing is made, what adds to the schema is applied, the Worker is deployed, what takes away from it is
 * applied, and then it is asked whether it works. Every step finds what is done already, so whatever interrupts it, the next run goes on.
 * @module
 */

import type { Catalog } from '../../../db/catalog/catalog.ts'
import type { TableDeclarations } from '../../../db/catalog/declarations.ts'
import type { StorageDeclarations } from '../../../db/catalog/storage-policy.ts'
import type { CloudflareAccount } from '../../../db/doors/cloudflare-account.ts'
import { ask } from '../../../db/doors/cloudflare-api.ts'
import { remoteDatabase } from '../../../db/doors/remote-database.ts'
import { UsageError } from '../../../db/doors/usage-error.ts'
import { migrateCluster } from '../../../db/migrate/migrate-cluster.ts'
import { migrateFar } from '../../../db/migrate/migrate-far.ts'
import type { Migration } from '../../../db/migrate/migration.ts'
import { type ReleaseOrder, releaseOrder } from '../../../db/migrate/release-order.ts'
import { reportText } from '../../../db/migrate/report.ts'
import type { MigrationDatabase } from '../../../db/sql/migration-database.ts'
import type { DatabasesConfig } from '../../databases/area.ts'
import {
  type AccountState,
  type DatabaseState,
  permissions,
  readAccount,
  readBoundDatabases,
  timeoutMs,
} from '../cloudflare/account-state.ts'
import { readDetails, switchReplication } from '../cloudflare/replication.ts'
import type { Wanted } from '../cloudflare/wanted.ts'
import { fingerprintOf } from './fingerprint.ts'
import { noteWayBack, type WayBack, wayBackText } from './go-back.ts'
import { withIdsOf } from './ids-in-config.ts'
import { lacksKeys, newKeys, tellMissingKeys, withSecretsFile } from './keys.ts'
import { makeResources } from './make-resources.ts'
import { proveDeployment } from './prove-deployment.ts'
import { deployWithWrangler } from './run-wrangler.ts'

/** What is released, and where. */
export interface Release {
  /** The project's folder. */
  readonly root: string
  readonly account: CloudflareAccount
  readonly wanted: Wanted
  readonly declared: TableDeclarations
  readonly catalog: Catalog
  readonly storage: StorageDeclarations
  readonly migrations: readonly Migration[]
  readonly config: Pick<DatabasesConfig, 'databaseLocation' | 'readReplicas'>
  readonly tell: (line: string) => void
}

export interface ReleaseOptions {
  /** Where the Worker answers, when it is not where `wrangler.toml` says. */
  readonly url?: string | undefined
  readonly keysFile?: string | undefined
  /** Whether it is deployed though it is what is deployed already. */
  readonly isForced?: boolean | undefined
  /** How long the deployed version and a job have to answer; 90 when left out. */
  readonly waitSeconds?: number | undefined
  /** Whether migrations that no order can carry out beside both versions are applied all the same. */
  readonly mayBreak?: boolean | undefined
}

export type Databases = ReadonlyMap<string, MigrationDatabase>
export type Made = DatabaseState & { readonly id: string }

/**
 * @returns whether it works
 * @throws UsageError and MigrationError for what is refused or has failed; running it again goes on
 */
export async function carryOut(release: Release, options: ReleaseOptions): Promise<boolean> {
  const { root, account, wanted, migrations, tell } = release
  const state = await readAccount(account, wanted)
  const databases = await makeResources(account, wanted, state, release.config)
  tellMade(state, tell)
  const opened = openAll(account, databases)

  const needsKeys = lacksKeys(state.worker)
  const isDeployed = await isUpToDate(release, state, opened, options)
  const order = await orderOf(release, opened, state.worker === null, options)
  const way = state.worker && (await noteIfNeeded(release, state, databases, isDeployed, order))

  // A new Worker has nobody who waits for it; what runs goes on with what is added.
  if (state.worker !== null) await apply(release, opened, order.before)
  let versionId = state.worker?.versionId ?? null
  if (!isDeployed) {
    const keys = needsKeys ? newKeys(options.keysFile, tell) : null
    const missing = tellMissingKeys(state.worker, wanted.env)
    if (missing !== null) tell(missing)
    tell(`deploying ${wanted.worker}`)
    const later = state.worker === null ? [] : order.after
    const args = deployArguments(wanted, fingerprintOf(root, wanted.env), later)
    const others = state.worker === null ? [] : await boundElsewhere(release, databases)
    const deployed = await withIdsOf(root, others, (config) =>
      withSecretsFile(keys, (file) =>
        deployWithWrangler(root, account.id, [
          ...args,
          ...config,
          ...(file === null ? [] : ['--secrets-file', file]),
        ]),
      ),
    )
    versionId = deployed.versionId
    tell(`deployed ${wanted.worker}: version ${versionId}`)
    if (state.worker !== null) await noteEnd(opened, versionId)
  }
  if (state.worker === null || order.after.length > 0) await apply(release, opened, migrations)
  if (state.worker === null) await noteEnd(opened, versionId)
  await replicate(release, databases)

  const url = options.url ?? (await addressOf(release))
  tell(`asking ${url} whether it works`)
  const problems = await proveDeployment({
    url,
    versionId,
    database: opened.get('DB') as MigrationDatabase,
    waitSeconds: options.waitSeconds ?? 90,
  })
  if (problems.length === 0) {
    tell(
      'It works: the API, each database, the bucket and a job through the queue, as far as they are bound.',
    )
    return true
  }
  tell(['It does not work as it should:', ...problems.map((problem) => `  ${problem}`)].join('\n'))
  for (const line of way ? wayBackText(way, order.after.length > 0) : []) tell(line)
  return false
}

/**
 * Whether what is here is what answers. A version is there before its queues and schedules lead to it, so its tag alone does not say that
 * its deployment came to an end: that is noted in `DB`.
 */
export async function isUpToDate(
  { root, wanted }: Release,
  { worker, databases, queues }: AccountState,
  opened: Databases,
  { isForced }: ReleaseOptions,
): Promise<boolean> {
  if (worker === null || lacksKeys(worker) || isForced === true) return false
  if (worker.tag !== fingerprintOf(root, wanted.env)) return false
  if (databases.some(({ id }) => id === null) || [...queues.values()].includes(null)) return false
  const rows = await opened
    .get('DB')
    ?.prepare("SELECT value FROM _atoll_state WHERE key = 'deployed'")
    .all<{ value: string }>()
    // It has not been migrated yet.
    .catch(() => null)
  return rows?.results[0]?.value === worker.versionId
}

/** Databases in whose place the Worker that runs has others: those are gone, and wrangler would look for them once more. */
async function boundElsewhere(
  { account, wanted }: Release,
  databases: readonly Made[],
): Promise<readonly Made[]> {
  const bound = await readBoundDatabases(account, wanted.worker)
  return databases.filter(({ binding, id }) => bound.has(binding) && bound.get(binding) !== id)
}

async function noteEnd(opened: Databases, versionId: string | null): Promise<void> {
  await opened
    .get('DB')
    ?.prepare("INSERT OR REPLACE INTO _atoll_state (key, value) VALUES ('deployed', ?)")
    .bind(versionId ?? '')
    .all()
}

export function openAll(account: CloudflareAccount, databases: readonly Made[]): Databases {
  const { api, id: accountId } = account
  return new Map(
    databases.map(({ binding, id, name }) => [binding, remoteDatabase({ api, accountId, id, name })]),
  )
}

export async function plan({ declared, catalog, storage, migrations }: Release, databases: Databases) {
  return await migrateCluster(databases, catalog, migrations, { storage, declared, planOnly: true })
}

/** @throws UsageError for migrations that would break one of the versions, whatever their order */
async function orderOf(
  release: Release,
  databases: Databases,
  isNew: boolean,
  { mayBreak }: ReleaseOptions,
): Promise<ReleaseOrder> {
  const all = { before: release.migrations, after: [], torn: [] }
  if (isNew) return all
  const reports = await plan(release, databases)
  // The primary database comes last: as long as it lacks everything, nobody has been answered yet, whatever a deployment that was cut off has left.
  const primary = reports.find(({ database }) => database === 'DB')
  if (primary?.planned.length === release.migrations.length) return all
  const order = releaseOrder(release.migrations, reports)
  if (order.torn.length === 0) return order
  if (!mayBreak) throw new UsageError(tornText(order))
  release.tell('The version that runs may fail from here on until the new one is deployed.')
  return all
}

export function tornText({ torn }: ReleaseOrder): string {
  const clauses = torn.flatMap(({ name, effects }) => effects.map(({ text }) => `  ${name} ${text}`))
  return `The version that runs does not bear these migrations, and the new one cannot be without them:
${clauses.join('\n')}
Release it in steps, so that each version works with the databases before and after: first what adds, then what takes away (functions/local/deploy/GUIDE.md).
Or say --break: they are applied before the deployment, and what runs may fail until it is there.`
}

async function apply(
  release: Release,
  databases: Databases,
  migrations: readonly Migration[],
): Promise<void> {
  const { declared, catalog, storage, tell } = release
  const reports = await migrateFar(databases, catalog, migrations, { storage, declared, tell })
  const isDone = reports.every(({ applied, done }) => applied.length === 0 && done.length === 0)
  if (isDone) return
  for (const line of reportText(reports)) tell(line)
}

async function noteIfNeeded(
  { root, account, wanted, tell }: Release,
  { worker }: AccountState,
  databases: readonly DatabaseState[],
  isDeployed: boolean,
  { after }: ReleaseOrder,
): Promise<WayBack | null> {
  if (isDeployed && after.length === 0) return null
  const way = await noteWayBack(root, account, wanted.env, worker?.versionId ?? null, databases)
  tell('noted the way back in .wrangler/atoll/way-back/')
  return way
}

/** As few of the version's texts as possible come from here: all else stands in wrangler.toml. */
function deployArguments(wanted: Wanted, fingerprint: string, later: readonly string[]): string[] {
  return [
    `--env=${wanted.env ?? ''}`,
    '--tag',
    fingerprint,
    '--message',
    'npm run deploy',
    ...(later.length === 0 ? [] : ['--var', `ATOLL_MIGRATIONS_TO_COME:${later.join(',')}`]),
  ]
}

async function replicate({ account, config, tell }: Release, databases: readonly Made[]): Promise<void> {
  if (config.readReplicas === null) return
  const mode = config.readReplicas ? 'auto' : 'disabled'
  await Promise.all(
    databases.map(async (database) => {
      const { replication } = await readDetails(account, database)
      if (replication === mode) return
      const now = await switchReplication(account, database, mode)
      if (now !== mode)
        throw new UsageError(`The replication of ${database.name} was switched to ${mode}, and is ${now}`)
      tell(`${database.name}: read replication is ${now}`)
    }),
  )
}

/** The first address of its own that is no pattern, else the one at workers.dev. */
export async function addressOf({ account, wanted }: Pick<Release, 'account' | 'wanted'>): Promise<string> {
  const own = wanted.routes.map((route) => route.replace(/\/\*$/, '')).find((route) => !route.includes('*'))
  if (own !== undefined && !wanted.isOnWorkersDev) return `https://${own}`
  const { result } = await ask<{ subdomain: string }>(account.api, {
    method: 'GET',
    path: `/accounts/${account.id}/workers/subdomain`,
    what: "the account's name at workers.dev",
    mayRepeat: true,
    timeoutMs,
    permission: permissions.worker,
  })
  return `https://${wanted.worker}.${result.subdomain}.workers.dev`
}

function tellMade({ databases, queues, buckets }: AccountState, tell: Release['tell']): void {
  const names = [
    ...databases.flatMap(({ name, id }) => (id === null ? [`the database ${name}`] : [])),
    ...[...queues].flatMap(([name, id]) => (id === null ? [`the queue ${name}`] : [])),
    ...[...buckets].flatMap(([name, is]) => (is ? [] : [`the bucket ${name}`])),
  ]
  if (names.length > 0) tell(`made ${names.join(', ')}`)
}
