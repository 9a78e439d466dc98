/**
 * Who asks Cloudflare, in which account, and which of its databases are meant: by the variables and the sign-in that wrangler
 * goes by.
 * @module
 */
import { execFile } from 'node:child_process'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { promisify, stripVTControlCharacters } from 'node:util'
import { ask, type CloudflareApi } from './cloudflare-api.ts'
import { RemoteError } from './remote-error.ts'

/** An account, and who asks in it. */
export interface CloudflareAccount {
  readonly api: CloudflareApi
  readonly id: string
}

/** What wrangler.toml says of a database. */
export interface DatabaseEntry {
  readonly binding: string
  readonly database_name?: string | undefined
  readonly database_id?: string | undefined
}

const timeoutMs = 30_000
const pageSize = 100

/**
 * @param root the folder of wrangler.toml, where wrangler is asked
 * @param choose asks somebody which of several accounts is meant, and answers its id; without it, several are an error
 */
export async function findAccount(
  root: string,
  configured: string | undefined,
  choose?: (accounts: readonly NamedAccount[]) => Promise<string>,
): Promise<CloudflareAccount> {
  const api = await signIn(root)
  // In wrangler's order, so that both mean the same account.
  const id = configured || variable('CLOUDFLARE_ACCOUNT_ID') || (await onlyAccount(api, choose))
  return { api, id }
}

async function signIn(root: string): Promise<CloudflareApi> {
  const baseUrl = (variable('CLOUDFLARE_API_BASE_URL') ?? 'https://api.cloudflare.com/client/v4').replace(
    /\/+$/,
    '',
  )
  const [key, email, token] = ['CLOUDFLARE_API_KEY', 'CLOUDFLARE_EMAIL', 'CLOUDFLARE_API_TOKEN'].map(variable)
  if (key !== undefined && email !== undefined) {
    return {
      baseUrl,
      headers: keyHeaders(key, email),
      credentials: 'CLOUDFLARE_API_KEY and CLOUDFLARE_EMAIL',
    }
  }
  if (token !== undefined) {
    return { baseUrl, headers: bearer(token), credentials: 'the token in CLOUDFLARE_API_TOKEN' }
  }
  return { baseUrl, headers: await askWrangler(root), credentials: 'what wrangler is signed in with' }
}

const bearer = (token: string) => ({ Authorization: `Bearer ${token}` })
const keyHeaders = (key: string, email: string) => ({ 'X-Auth-Key': key, 'X-Auth-Email': email })

/** `wrangler login` keeps a token and renews it; only wrangler knows where. It also reads `.env`. */
async function askWrangler(root: string): Promise<Record<string, string>> {
  const wrangler = join(createRequire(import.meta.url).resolve('wrangler'), '..', '..', 'bin', 'wrangler.js')
  const output = await promisify(execFile)(process.execPath, [wrangler, 'auth', 'token', '--json'], {
    cwd: root,
  })
    .then(({ stdout }) => stdout)
    .catch((error: { stdout?: string; stderr?: string }) => {
      throw new RemoteError(notSignedIn(`${error.stdout ?? ''}\n${error.stderr ?? ''}`), { cause: error })
    })
  const found = readCredentials(output)
  if (found === null) throw new RemoteError(notSignedIn(output))
  return found
}

interface WranglerCredentials {
  readonly type?: string
  readonly token?: string
  readonly key?: string
  readonly email?: string
}

function readCredentials(output: string): Record<string, string> | null {
  try {
    const { token, key, email } = JSON.parse(output.slice(output.indexOf('{'))) as WranglerCredentials
    if (token !== undefined) return bearer(token)
    return key !== undefined && email !== undefined ? keyHeaders(key, email) : null
  } catch {
    return null
  }
}

function notSignedIn(output: string): string {
  const said = /\[ERROR\]\S*\s*(.+)/.exec(stripVTControlCharacters(output))?.[1]
  const words = said === undefined || /not logged in/i.test(said) ? '' : ` Wrangler says: ${said.trim()}`
  return `You are not signed in to Cloudflare.${words}
Sign in with: npx wrangler login
or set CLOUDFLARE_API_TOKEN to a token with the permission "D1: Edit".`
}

/** An account as Cloudflare lists it. */
export interface NamedAccount {
  readonly id: string
  readonly name: string
}

async function onlyAccount(
  api: CloudflareApi,
  choose?: (accounts: readonly NamedAccount[]) => Promise<string>,
): Promise<string> {
  const accounts = await askPages<NamedAccount>(api, '/accounts?', 'the list of accounts')
  const [only] = accounts
  if (only !== undefined && accounts.length === 1) return only.id
  if (only !== undefined && choose !== undefined) return await choose(accounts)
  const remedy = 'Set CLOUDFLARE_ACCOUNT_ID, or account_id in wrangler.toml, to the one that is meant'
  if (only === undefined) {
    throw new RemoteError(
      `Cloudflare names no account for ${api.credentials}: the token may not list them.\n${remedy}.`,
    )
  }
  const list = accounts.map(({ id, name }) => `  ${id}  ${name}`).join('\n')
  throw new RemoteError(`There are ${accounts.length} accounts for ${api.credentials}. ${remedy}:\n${list}`)
}

/** What wrangler calls what it makes for a binding that names nothing. */
export function nameFor(workerName: string, binding: string): string {
  return `${workerName}-${binding.toLowerCase().replaceAll('_', '-')}`
}

/** What stands in the place of an id as long as a database is on this machine only. */
export function isPlaceholder(id: string | undefined): boolean {
  return id === undefined || id === '' || /^0{8}-0{4}-0{4}-0{4}-0{8}\d{4}$/.test(id)
}

/** The databases' ids, by their bindings: as wrangler.toml has them, else by their names. */
export async function findDatabases(
  account: CloudflareAccount,
  entries: readonly DatabaseEntry[],
  workerName = 'atoll',
): Promise<ReadonlyMap<string, string>> {
  const found = await Promise.all(
    entries.map(async ({ binding, database_id: id, database_name }) => {
      const name = database_name ?? nameFor(workerName, binding)
      return { binding, name, id: isPlaceholder(id) ? await idOf(account, name) : (id as string) }
    }),
  )
  const missing = found.filter(({ id }) => id === null).map(({ name }) => name)
  if (missing.length > 0) {
    const commands = missing.map((name) => `  npx wrangler d1 create ${name}`).join('\n')
    throw new RemoteError(
      `Account ${account.id} has no database of the name ${missing.join(', ')}. Make ${missing.length === 1 ? 'it' : 'them'} with:\n${commands}`,
    )
  }
  const ids = new Map<string, string>()
  for (const { binding, id } of found) {
    const twin = [...ids].find(([, other]) => other === id)?.[0]
    if (twin !== undefined)
      throw new RemoteError(`${twin} and ${binding} of wrangler.toml are the same database: ${id}`)
    ids.set(binding, id as string)
  }
  return ids
}

/** Cloudflare searches for the name, so that others which only begin with it may come as well. */
async function idOf({ api, id }: CloudflareAccount, name: string): Promise<string | null> {
  const path = `/accounts/${id}/d1/database?name=${encodeURIComponent(name)}&`
  const databases = await askPages<{ uuid: string; name: string }>(
    api,
    path,
    `the search for the database ${name}`,
  )
  return databases.find((database) => database.name === name)?.uuid ?? null
}

/**
 * All items of a list that Cloudflare gives in pages.
 *
 * @param path ends with `?` or `&`
 * @param permission what a token needs for it, as Cloudflare's dashboard names it
 */
export async function askPages<Item>(
  api: CloudflareApi,
  path: string,
  what: string,
  permission?: string,
): Promise<Item[]> {
  const items: Item[] = []
  for (let page = 1; ; page++) {
    const { result, result_info: info } = await ask<Item[]>(api, {
      method: 'GET',
      path: `${path}page=${page}&per_page=${pageSize}`,
      what,
      mayRepeat: true,
      timeoutMs,
      ...(permission === undefined ? {} : { permission }),
    })
    items.push(...result)
    const isLast =
      info?.total_count === undefined ? result.length < pageSize : items.length >= info.total_count
    if (isLast || result.length === 0) return items
  }
}

function variable(name: string): string | undefined {
  return process.env[name]?.trim() || undefined
}
