/**
 * Makes what an account lacks of what a deployment stands on. Who comes second finds it made.
 * @module
 */
import type { CloudflareAccount } from '../../../db/doors/cloudflare-account.ts'
import { ask } from '../../../db/doors/cloudflare-api.ts'
import { UnknownOutcomeError } from '../../../db/doors/remote-error.ts'
import type { DatabaseLocation, DatabasesConfig } from '../../databases/area.ts'
import {
  type AccountState,
  type DatabaseState,
  hasCode,
  permissions,
  readDatabases,
  timeoutMs,
} from '../cloudflare/account-state.ts'
import type { Wanted } from '../cloudflare/wanted.ts'

/** Cloudflare's codes of what is there already: of databases, queues and buckets. */
const isThere = [7502, 11009, 10004]

/** Where a database is to be made; null: close to who makes it. */
export function locationOf(
  binding: string,
  { databaseLocation: location }: Pick<DatabasesConfig, 'databaseLocation'>,
): DatabaseLocation | null {
  if (location === null || typeof location === 'string') return location
  return location[binding] ?? null
}

/** @returns the databases, with the ids of those that were made */
export async function makeResources(
  account: CloudflareAccount,
  wanted: Wanted,
  { databases, queues, buckets }: AccountState,
  config: Pick<DatabasesConfig, 'databaseLocation'>,
): Promise<readonly (DatabaseState & { readonly id: string })[]> {
  const base = `/accounts/${account.id}`
  const make = async (path: string, body: object, what: string, permission: string) => {
    const request = { method: 'POST', path: `${base}${path}`, body, what, timeoutMs, permission } as const
    try {
      return (await ask<{ uuid?: string }>(account.api, { ...request, mayRepeat: false })).result
    } catch (error) {
      // Whether it is made shows when it is made again.
      const isLost = error instanceof UnknownOutcomeError
      const again = isLost
        ? await ask<{ uuid?: string }>(account.api, { ...request, mayRepeat: true }).catch((second) => second)
        : error
      if (isThere.some((code) => hasCode(again, code))) return {}
      if (again instanceof Error) throw again
      return (again as { result: { uuid?: string } }).result
    }
  }
  const [made] = await Promise.all([
    Promise.all(
      databases.map(async (database) => {
        if (database.id !== null) return database
        const location = locationOf(database.binding, config)
        const body = {
          name: database.name,
          ...(location === null ? {} : { primary_location_hint: location }),
        }
        const { uuid } = await make(
          '/d1/database',
          body,
          `making the database ${database.name}`,
          permissions.databases,
        )
        return { ...database, id: uuid ?? null }
      }),
    ),
    ...[...queues].flatMap(([name, id]) =>
      id === null
        ? [make('/queues', { queue_name: name }, `making the queue ${name}`, permissions.queues)]
        : [],
    ),
    ...[...buckets].flatMap(([name, is]) =>
      is ? [] : [make('/r2/buckets', { name }, `making the bucket ${name}`, permissions.buckets)],
    ),
  ])
  const known = made.every(({ id }) => id !== null) ? made : await readDatabases(account, wanted)
  return known.map((database) => {
    if (database.id === null) throw new Error(`the database ${database.name} was made, and cannot be found`)
    return { ...database, id: database.id }
  })
}
