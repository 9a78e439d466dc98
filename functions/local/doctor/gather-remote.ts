/**
 * Looks at an account at Cloudflare, by its REST API. Reads only.
 * @module
 */
import type { Catalog } from '../../../db/catalog/catalog.ts'
import { askPages, type CloudflareAccount } from '../../../db/doors/cloudflare-account.ts'
import { ask } from '../../../db/doors/cloudflare-api.ts'
import { openDatabases } from '../../../db/doors/open-databases.ts'
import type { MigrationDatabase } from '../../../db/sql/migration-database.ts'
import {
  hasCode,
  permissions,
  r2IsOff,
  readBuckets,
  readDatabases,
  readQueues,
  readWorker,
  timeoutMs,
} from '../cloudflare/account-state.ts'
import { readDetails } from '../cloudflare/replication.ts'
import type { Wanted } from '../cloudflare/wanted.ts'
import { driftOf, factOf } from './drift.ts'
import type { Backup, RemoteDatabase, RemoteFacts } from './facts.ts'

export interface RemoteOptions {
  readonly account: CloudflareAccount
  readonly wanted: Wanted
  /** Names of variables in `wrangler.toml`. */
  readonly vars: readonly string[]
  /** Null: the app cannot be read. */
  readonly catalog: Catalog | null
  /** Path of `wrangler.toml`. */
  readonly config: string
}

export async function gatherRemote({
  account,
  wanted,
  vars,
  catalog,
  config,
}: RemoteOptions): Promise<RemoteFacts> {
  const opened = openDatabases({ remote: true, config, env: wanted.env ?? undefined })
  const [databasesInAccount, databases, variables, queues, buckets, crons, drift, lastBackup] =
    await Promise.all([
      factOf(
        async () =>
          (await askPages(account.api, `/accounts/${account.id}/d1/database?`, 'the list of databases'))
            .length,
      ),
      factOf(() => readRemoteDatabases(account, wanted)),
      factOf(async () => {
        const worker = await readWorker(account, wanted.worker)
        return worker === null ? null : [...worker.secrets, ...vars]
      }),
      factOf(async () => {
        const found = await readQueues(account, wanted)
        return new Map([...found].map(([name, id]) => [name, id !== null]))
      }),
      factOf(() => readOrOff(account, wanted)),
      factOf(() => readCrons(account, wanted.worker)),
      factOf(async () => {
        if (catalog === null) throw new Error('the app cannot be read')
        return driftOf((await opened).databases, catalog)
      }),
      factOf(async () => readLastBackup((await opened).databases.get('DB'))),
    ])
  await opened.then(
    ({ close }) => close(),
    () => undefined,
  )
  return {
    // The API tells a plan to those alone who may see bills.
    plan: { unknown: "Cloudflare's API does not say which plan the account has" },
    databasesInAccount,
    databases,
    variables,
    queues,
    buckets,
    crons,
    drift,
    lastBackup,
  }
}

async function readRemoteDatabases(account: CloudflareAccount, wanted: Wanted): Promise<RemoteDatabase[]> {
  const found = await readDatabases(account, wanted)
  return Promise.all(
    found.map(async ({ binding, name, id }) => {
      if (id === null)
        return { binding, name, isThere: false, region: null, isReplicated: false, bytes: null }
      const { replication, region, bytes } = await readDetails(account, { id, name })
      return { binding, name, isThere: true, region, isReplicated: replication === 'auto', bytes }
    }),
  )
}

async function readOrOff(
  account: CloudflareAccount,
  wanted: Wanted,
): Promise<ReadonlyMap<string, boolean> | null> {
  try {
    return await readBuckets(account, wanted)
  } catch (error) {
    if (hasCode(error, r2IsOff)) return null
    throw error
  }
}

async function readCrons({ api, id }: CloudflareAccount, worker: string): Promise<string[]> {
  const { result } = await ask<{ schedules: readonly { cron: string }[] }>(api, {
    method: 'GET',
    path: `/accounts/${id}/workers/scripts/${worker}/schedules`,
    what: `the schedules of ${worker}`,
    mayRepeat: true,
    timeoutMs,
    permission: permissions.worker,
  })
  return result.schedules.map(({ cron }) => cron)
}

/** The last that was asked for, as the primary database has it noted. */
async function readLastBackup(primary: MigrationDatabase | undefined): Promise<Backup | null> {
  if (primary === undefined) throw new Error('wrangler.toml binds no database as DB')
  const { results } = await primary
    .prepare(
      "SELECT created, state FROM _atoll_backups WHERE kind IN ('full', 'increment') AND state IN ('done', 'failed') ORDER BY created DESC LIMIT 1",
    )
    .all<{ created: number; state: string }>()
  const [last] = results
  return last === undefined ? null : { at: Number(last.created), isWhole: last.state === 'done' }
}
