/**
 * D1's Time Travel, and the secret of a Worker, by Cloudflare's API.
 * Source: https://developers.cloudflare.com/api/resources/d1/subresources/database/subresources/time_travel/,
 * https://developers.cloudflare.com/api/resources/workers/subresources/scripts/subresources/secrets/
 * @module
 */
import type { CloudflareAccount } from '../../../db/doors/cloudflare-account.ts'
import { ask } from '../../../db/doors/cloudflare-api.ts'
import { permissions, timeoutMs } from './account-state.ts'

interface Database {
  readonly id: string
  readonly name: string
}

/** Restoring takes seconds to minutes. */
const restoreTimeoutMs = 300_000

const pathOf = ({ id: account }: CloudflareAccount, { id }: Database) =>
  `/accounts/${account}/d1/database/${id}`

/** @returns the last bookmark at or before a moment; null: Cloudflare gives none */
export async function bookmarkAt(
  account: CloudflareAccount,
  database: Database,
  at: number,
): Promise<string | null> {
  const { result } = await ask<{ bookmark?: string }>(account.api, {
    method: 'GET',
    path: `${pathOf(account, database)}/time_travel/bookmark?timestamp=${encodeURIComponent(new Date(at).toISOString())}`,
    what: `the bookmark of ${database.name}`,
    mayRepeat: true,
    timeoutMs,
  })
  return result.bookmark ?? null
}

/** @returns when a database was made, in milliseconds since 1970; null: Cloudflare does not say */
export async function madeAt(account: CloudflareAccount, database: Database): Promise<number | null> {
  const { result } = await ask<{ created_at?: string }>(account.api, {
    method: 'GET',
    path: pathOf(account, database),
    what: `the state of ${database.name}`,
    mayRepeat: true,
    timeoutMs,
  })
  return result.created_at === undefined ? null : Date.parse(result.created_at)
}

/**
 * Puts a database back, in place. It may be repeated as long as nobody writes: then it comes to the same.
 *
 * @returns the bookmark of before, by which it can be undone; null: Cloudflare does not say
 */
export async function restoreTo(
  account: CloudflareAccount,
  database: Database,
  bookmark: string,
): Promise<string | null> {
  const { result } = await ask<{ previous_bookmark?: string }>(account.api, {
    method: 'POST',
    path: `${pathOf(account, database)}/time_travel/restore?bookmark=${encodeURIComponent(bookmark)}`,
    what: `putting ${database.name} back in time`,
    mayRepeat: true,
    timeoutMs: restoreTimeoutMs,
  })
  return result.previous_bookmark ?? null
}

/** Sets a secret of a Worker: a version of its own, deployed at once. */
export async function putSecret(
  account: CloudflareAccount,
  worker: string,
  name: string,
  text: string,
): Promise<void> {
  await ask(account.api, {
    method: 'PUT',
    path: `/accounts/${account.id}/workers/scripts/${worker}/secrets`,
    body: { name, text, type: 'secret_text' },
    what: `the secret ${name} of ${worker}`,
    mayRepeat: true,
    timeoutMs,
    permission: permissions.worker,
  })
}
