/**
 * What an account at Cloudflare has of what a deployment stands on. Reads only.
 * Source: https://developers.cloudflare.com/api/
 * @module
 */
import { askPages, type CloudflareAccount, isPlaceholder } from '../../../db/doors/cloudflare-account.ts'
import { ask } from '../../../db/doors/cloudflare-api.ts'
import { RemoteError } from '../../../db/doors/remote-error.ts'
import type { Wanted } from './wanted.ts'

export interface DatabaseState {
  readonly binding: string
  readonly name: string
  /** Null: there is no such database. */
  readonly id: string | null
}

export interface WorkerState {
  /** Names of the secrets that it has. */
  readonly secrets: readonly string[]
  /** The version that answers; null when several do, or none. */
  readonly versionId: string | null
  /** `workers/tag` of that version. */
  readonly tag: string | null
}

/** Of all that is wanted, what there is. */
export interface AccountState {
  /** Null: it was never deployed. */
  readonly worker: WorkerState | null
  readonly databases: readonly DatabaseState[]
  /** By their names; null: not there. */
  readonly queues: ReadonlyMap<string, string | null>
  /** By their names: whether they are there. */
  readonly buckets: ReadonlyMap<string, boolean>
}

/** What tokens need, as Cloudflare's dashboard names it. */
export const permissions = {
  worker: 'Workers Scripts: Edit',
  databases: 'D1: Edit',
  queues: 'Queues: Edit',
  buckets: 'Workers R2 Storage: Edit',
} as const

export const timeoutMs = 30_000

/** Cloudflare's codes. */
const workerIsNotThere = 10007
export const r2IsOff = 10042

/**
 * Asks for everything at once.
 *
 * @throws RemoteError that names every permission which is missing, and R2 when it is not switched on
 */
export async function readAccount(account: CloudflareAccount, wanted: Wanted): Promise<AccountState> {
  const [worker, databases, queues, buckets] = await Promise.allSettled([
    readWorker(account, wanted.worker),
    readDatabases(account, wanted),
    readQueues(account, wanted),
    readBuckets(account, wanted),
  ])
  const failed = Object.entries({ worker, databases, queues, buckets }).flatMap(
    ([of, { status, ...rest }]) =>
      status === 'rejected'
        ? [{ of: of as keyof typeof permissions, error: (rest as PromiseRejectedResult).reason as unknown }]
        : [],
  )
  if (failed.length > 0) throw explainFailures(failed, account)
  return {
    worker: resultOf(worker),
    databases: resultOf(databases),
    queues: resultOf(queues),
    buckets: resultOf(buckets),
  }
}

function resultOf<Value>(outcome: PromiseSettledResult<Value>): Value {
  if (outcome.status === 'rejected') throw outcome.reason
  return outcome.value
}

interface FailedRead {
  readonly of: keyof typeof permissions
  readonly error: unknown
}

/** One that is refused is told with all the others that are. */
function explainFailures(failed: readonly FailedRead[], { api }: CloudflareAccount): unknown {
  const other = failed.find(({ error }) => !isRefusal(error))
  if (other) return other.error
  const off = failed.find(({ error }) => hasCode(error, r2IsOff))
  if (off)
    return new RemoteError(
      'R2 is not switched on in this account, and files need it. Switch it on: https://dash.cloudflare.com/?to=/:account/r2',
      { cause: off.error },
    )
  const lines = failed.map(({ of }) => `  ${permissions[of]}`).join('\n')
  return new RemoteError(
    `Cloudflare refuses ${api.credentials} what a deployment needs. What is missing:\n${lines}
Add it to the token (https://dash.cloudflare.com/profile/api-tokens; Account resources: this account), or sign in again: npx wrangler login`,
    { cause: failed[0]?.error },
  )
}

function isRefusal(error: unknown): error is RemoteError {
  return error instanceof RemoteError && (error.status === 401 || error.status === 403)
}

/** Whether Cloudflare has refused something with this code. */
export function hasCode(error: unknown, code: number): boolean {
  return error instanceof RemoteError && error.faults.some((fault) => fault.code === code)
}

/** Null: it was never deployed. */
export async function readWorker(account: CloudflareAccount, name: string): Promise<WorkerState | null> {
  const get = async <Result>(path: string, what: string) => {
    const { result } = await ask<Result>(account.api, {
      method: 'GET',
      path: `/accounts/${account.id}/workers/scripts/${name}${path}`,
      what,
      mayRepeat: true,
      timeoutMs,
      permission: permissions.worker,
    })
    return result
  }
  try {
    const [secrets, { deployments }] = await Promise.all([
      get<readonly { name: string }[]>('/secrets', `the list of the secrets of ${name}`),
      get<{ deployments: readonly { versions: readonly { version_id: string }[] }[] }>(
        '/deployments',
        `the list of the deployments of ${name}`,
      ),
    ])
    const versions = deployments[0]?.versions ?? []
    const versionId = versions.length === 1 ? (versions[0]?.version_id ?? null) : null
    const version =
      versionId === null
        ? null
        : await get<{ annotations?: Record<string, string> }>(
            `/versions/${versionId}`,
            `the version of ${name}`,
          )
    return {
      secrets: secrets.map((secret) => secret.name),
      versionId,
      tag: version?.annotations?.['workers/tag'] ?? null,
    }
  } catch (error) {
    if (hasCode(error, workerIsNotThere)) return null
    throw error
  }
}

export async function readDatabases(
  account: CloudflareAccount,
  { databases }: Wanted,
): Promise<DatabaseState[]> {
  const path = `/accounts/${account.id}/d1/database?`
  const found = await askPages<{ uuid: string; name: string }>(account.api, path, 'the list of databases')
  const ids = new Map(found.map(({ uuid, name }) => [name, uuid]))
  return databases.map(({ binding, name, id }) => ({
    binding,
    name,
    id: id !== null && !isPlaceholder(id) ? id : (ids.get(name) ?? null),
  }))
}

/** Ids of the databases that a deployed Worker asks, by their bindings. */
export async function readBoundDatabases(
  account: CloudflareAccount,
  worker: string,
): Promise<ReadonlyMap<string, string>> {
  const { result } = await ask<{
    bindings?: readonly { type: string; name: string; id?: string; database_id?: string }[]
  }>(account.api, {
    method: 'GET',
    path: `/accounts/${account.id}/workers/scripts/${worker}/settings`,
    what: `the bindings of ${worker}`,
    mayRepeat: true,
    timeoutMs,
    permission: permissions.worker,
  })
  return new Map(
    (result.bindings ?? [])
      .filter(({ type }) => type === 'd1')
      .map(({ name, id, database_id }) => [name, database_id ?? id ?? '']),
  )
}

/** Ids by their names; null: not there. */
export async function readQueues(
  account: CloudflareAccount,
  { queues }: Wanted,
): Promise<Map<string, string | null>> {
  if (queues.length === 0) return new Map()
  const path = `/accounts/${account.id}/queues?`
  const found = await askPages<{ queue_id: string; queue_name: string }>(
    account.api,
    path,
    'the list of queues',
    permissions.queues,
  )
  const ids = new Map(found.map(({ queue_id, queue_name }) => [queue_name, queue_id]))
  return new Map(queues.map((name) => [name, ids.get(name) ?? null]))
}

/** By their names: whether they are there. */
export async function readBuckets(
  account: CloudflareAccount,
  { buckets }: Wanted,
): Promise<Map<string, boolean>> {
  const found = await Promise.all(
    buckets.map(async (name): Promise<[string, boolean]> => {
      try {
        await ask(account.api, {
          method: 'GET',
          path: `/accounts/${account.id}/r2/buckets/${name}`,
          what: `the bucket ${name}`,
          mayRepeat: true,
          timeoutMs,
          permission: permissions.buckets,
        })
        return [name, true]
      } catch (error) {
        if (error instanceof RemoteError && error.status === 404) return [name, false]
        throw error
      }
    }),
  )
  return new Map(found)
}
