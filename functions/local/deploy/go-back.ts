/**
 * The way back from a deployment: which version ran before, and where each database stood.
 * Source: https://developers.cloudflare.com/d1/reference/time-travel/
 * @module
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { CloudflareAccount } from '../../../db/doors/cloudflare-account.ts'
import { ask } from '../../../db/doors/cloudflare-api.ts'
import { type DatabaseState, timeoutMs } from '../cloudflare/account-state.ts'

export interface WayBack {
  readonly at: string
  readonly env: string | null
  readonly versionId: string | null
  /** By the databases' names; null: Cloudflare gave none. */
  readonly bookmarks: Readonly<Record<string, string | null>>
}

/** Notes where everything stands, also in a file that git ignores. */
export async function noteWayBack(
  root: string,
  account: CloudflareAccount,
  env: string | null,
  versionId: string | null,
  databases: readonly DatabaseState[],
): Promise<WayBack> {
  const bookmarks = await Promise.all(
    databases.map(async ({ id, name }) => [name, id === null ? null : await bookmarkOf(account, id, name)]),
  )
  const way = { at: new Date().toISOString(), env, versionId, bookmarks: Object.fromEntries(bookmarks) }
  const file = join(root, '.wrangler', 'atoll', 'way-back', `${env ?? 'top'}.json`)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, `${JSON.stringify(way, null, 2)}\n`)
  return way
}

/** A database without Time Travel has none, which is no reason not to deploy. */
async function bookmarkOf(
  { api, id: account }: CloudflareAccount,
  id: string,
  name: string,
): Promise<string | null> {
  const { result } = await ask<{ bookmark?: string }>(api, {
    method: 'GET',
    path: `/accounts/${account}/d1/database/${id}/time_travel/bookmark`,
    what: `the bookmark of ${name}`,
    mayRepeat: true,
    timeoutMs,
  })
  return result.bookmark ?? null
}

/** @param hasContracted whether a migration has taken away what the version before needs */
export function wayBackText(
  { env, versionId, bookmarks }: WayBack,
  hasContracted: boolean,
): readonly string[] {
  const option = env === null ? '' : ` --env ${env}`
  const rollback =
    versionId === null
      ? ['There was no version before it.']
      : [
          `The version before it: npx wrangler rollback ${versionId}${option} --durable-objects-code-update-mode immediate`,
        ]
  const restores = Object.entries(bookmarks).flatMap(([name, bookmark]) =>
    bookmark === null ? [] : [`  npx wrangler d1 time-travel restore ${name} --bookmark=${bookmark}`],
  )
  const needs = hasContracted
    ? 'It needs what a migration has taken away, so the databases have to go back with it'
    : 'It works with the databases as they are. Only if they are to go back as well'
  return [
    ...rollback,
    ...(versionId === null || restores.length === 0
      ? []
      : [`${needs}; what was written since is lost then:`, ...restores]),
  ]
}
