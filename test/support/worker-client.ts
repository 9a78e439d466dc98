import { env, exports } from 'cloudflare:workers'

/** The Worker under test, as the network sees it. */
const worker = (exports as unknown as { default: Fetcher }).default
export const database = (env as unknown as { DB: D1Database }).DB

export const publishableKey = 'sb_publishable_test'
export const secretKey = 'sb_secret_test'

/** Sends a request with a key; null sends none. */
export function call(
  path: string,
  init: RequestInit = {},
  key: string | null = secretKey,
): Promise<Response> {
  const headers = new Headers(init.headers)
  if (key !== null && !headers.has('apikey')) headers.set('apikey', key)
  return worker.fetch(`http://atoll.test${path}`, { ...init, headers })
}

export function get(
  path: string,
  headers: Readonly<Record<string, string>> = {},
  key: string | null = secretKey,
  method = 'GET',
): Promise<Response> {
  return patiently(() => call(path, { method, headers: { ...headers } }, key))
}

/**
 * Files share an isolate and its queues: jobs that the one before has left may be under way on databases that were just made anew, and a read that
 * meets that is told so. It is asked again, as clients do, and the report shows what it was told.
 */
async function patiently(ask: () => Promise<Response>): Promise<Response> {
  for (let tries = 1; ; tries++) {
    const response = await ask()
    if (response.status !== 503) return response
    console.warn(await response.clone().text())
    if (tries === 3) return response
    await new Promise((done) => setTimeout(done, 300))
  }
}

/** The body of a GET that must succeed. */
export async function json<T = unknown>(path: string): Promise<T> {
  const response = await get(path)
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
  return response.json<T>()
}

/** Rows straight from the database. */
export async function rows<T = Record<string, unknown>>(sql: string): Promise<T[]> {
  return (await database.prepare(sql).all<T>()).results
}
