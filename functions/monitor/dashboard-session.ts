/**
 * Who may see the dashboard: who has shown the secret key, for some hours, by a cookie that scripts cannot read.
 * @module
 */
import type { Context } from 'hono'
import { deleteCookie, getCookie, setCookie } from 'hono/cookie'
import { readJsonOf } from '../core/read-body.ts'
import { errors } from './errors.ts'
import type { AtollEnv } from './services.ts'

const cookieName = 'atoll-dashboard'
const hours = 12
/** Of who signs in. */
const maxBytes = 10_000
/** Texts of different lengths are not compared, so that comparing tells nothing. */
const encoder = new TextEncoder()

/** @throws 401 for another key */
export async function signIn(c: Context<AtollEnv>): Promise<Response> {
  const { keys, sealer, pending } = c.var.services
  const sent = (await readJsonOf(c.req.raw, maxBytes, pending)) as { key?: unknown } | null
  const key = sent?.key
  if (typeof key !== 'string' || keys.secret === '' || !(await isSame(key.trim(), keys.secret)))
    throw errors.monitorDenied(false)
  const value = await sealer.seal({ until: Date.now() + hours * 3_600_000 })
  setCookie(c, cookieName, value, {
    path: '/_atoll',
    httpOnly: true,
    sameSite: 'Strict',
    secure: new URL(c.req.url).protocol === 'https:',
    maxAge: hours * 3600,
  })
  return c.body(null, 204)
}

export function signOut(c: Context<AtollEnv>): Response {
  deleteCookie(c, cookieName, { path: '/_atoll' })
  return c.body(null, 204)
}

export async function whoIsSignedIn(c: Context<AtollEnv>): Promise<boolean> {
  const value = getCookie(c, cookieName)
  if (value === undefined) return false
  const opened = (await c.var.services.sealer.open(value)) as { until?: number } | null
  return opened !== null && typeof opened.until === 'number' && opened.until > Date.now()
}

/**
 * A page from elsewhere cannot send this header without asking first, and is refused then; browsers tell where a request is from
 * besides.
 *
 * @throws 403
 */
export function checkOwnPage(request: Request): void {
  const site = request.headers.get('sec-fetch-site')
  const isOwn = request.headers.get('x-atoll-dashboard') === '1' && (site === null || site === 'same-origin')
  if (!isOwn) throw errors.notOwnPage()
}

async function isSame(a: string, b: string): Promise<boolean> {
  const [one, other] = await Promise.all(
    [a, b].map(async (text) => new Uint8Array(await crypto.subtle.digest('SHA-256', encoder.encode(text)))),
  )
  let difference = 0
  for (const [i, byte] of (one as Uint8Array).entries())
    difference |= byte ^ ((other as Uint8Array)[i] as number)
  return difference === 0
}
