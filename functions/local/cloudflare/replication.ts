/**
 * Read replicas of databases: without them, no read leaves the primary's place.
 * Source: https://developers.cloudflare.com/d1/best-practices/read-replication/
 * @module
 */
import type { CloudflareAccount } from '../../../db/doors/cloudflare-account.ts'
import { ask } from '../../../db/doors/cloudflare-api.ts'
import { timeoutMs } from './account-state.ts'

export type Replication = 'auto' | 'disabled'

interface Shown {
  readonly read_replication?: { readonly mode: Replication }
  readonly running_in_region?: string
  readonly file_size?: number
}

export interface DatabaseDetails {
  readonly replication: Replication
  /** Where it lies, as `WEUR`; null when Cloudflare does not say. */
  readonly region: string | null
  /** Its size; null when Cloudflare does not say. */
  readonly bytes: number | null
}

export async function readDetails(
  { api, id: account }: CloudflareAccount,
  { id, name }: { readonly id: string; readonly name: string },
): Promise<DatabaseDetails> {
  const { result } = await ask<Shown>(api, {
    method: 'GET',
    path: `/accounts/${account}/d1/database/${id}`,
    what: `the state of ${name}`,
    mayRepeat: true,
    timeoutMs,
  })
  return {
    replication: result.read_replication?.mode ?? 'disabled',
    region: result.running_in_region ?? null,
    bytes: result.file_size ?? null,
  }
}

/** Switches it, and reads back what became of it. */
export async function switchReplication(
  account: CloudflareAccount,
  database: { readonly id: string; readonly name: string },
  mode: Replication,
): Promise<Replication> {
  await ask(account.api, {
    method: 'PUT',
    path: `/accounts/${account.id}/d1/database/${database.id}`,
    body: { read_replication: { mode } },
    what: `switching the replication of ${database.name}`,
    mayRepeat: true,
    timeoutMs,
  })
  return (await readDetails(account, database)).replication
}
