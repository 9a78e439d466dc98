/**
 * What the handlers of `/auth/v1` work with.
 * @module
 */
import type { z } from 'zod'
import { callerNetwork } from '../access/area.ts'
import type { Caller } from '../core/caller.ts'
import { readBody } from '../core/read-body.ts'
import { AuthDatabase } from './auth-database.ts'
import type { AuthTerms } from './declarations.ts'
import { errors } from './errors.ts'
import { readSession, type SessionRow, sessionOf } from './rows/session-rows.ts'
import { type Account, accountOf, readAccount } from './rows/user-rows.ts'
import type { Engine, Services } from './services.ts'

/** One request. */
export interface AuthVisit {
  readonly raw: Request
  readonly url: URL
  readonly caller: Caller
  readonly services: Services
  readonly engine: Engine
  readonly terms: AuthTerms
  readonly database: AuthDatabase
  /** Keeps the isolate alive for work after the answer. */
  readonly later: (work: Promise<unknown>) => void
  /** Milliseconds since 1970. */
  readonly now: number
  /** Null where it is not known, as on this machine. */
  readonly ip: string | null
  readonly userAgent: string | null
}

/** Hono's types for the handlers: all that they need comes with the request. */
export type AuthEnv = { readonly Bindings: { readonly visit: AuthVisit } }

export function openVisit(
  raw: Request,
  caller: Caller,
  services: Services,
  engine: Engine,
  terms: AuthTerms,
  later: AuthVisit['later'],
): AuthVisit {
  const ip = raw.headers.get('cf-connecting-ip')
  const session = services.cluster.open({
    // What was written is seen: rows are read where they are written.
    reads: false,
    seen: new Map(),
    later,
    account: services.openAccount(caller, ip),
  })
  return {
    raw,
    url: new URL(raw.url),
    caller,
    services,
    engine,
    terms,
    database: new AuthDatabase(session, engine.catalog, services),
    later,
    now: Date.now(),
    ip,
    userAgent: raw.headers.get('user-agent')?.slice(0, 300) ?? null,
  }
}

/** Whom failures are counted by: an address, or the network of one. */
export function networkOf({ ip }: Pick<AuthVisit, 'ip'>): string {
  return ip === null ? 'unknown' : callerNetwork(ip)
}

const maxBodyBytes = 200_000

/** The body, checked. @throws 400 `bad_json`, `validation_failed` */
export async function readJson<Schema extends z.ZodType>(
  { raw, services: { pending } }: Pick<AuthVisit, 'raw' | 'services'>,
  schema: Schema,
): Promise<z.output<Schema>> {
  try {
    const text = await readBody(raw, maxBodyBytes, pending)
    const parsed = schema.safeParse(text === '' ? {} : jsonOf(text))
    if (parsed.success) return parsed.data
    const [issue] = parsed.error.issues
    throw errors.validation(`${issue?.path.join('.') || 'body'}: ${issue?.message ?? 'is not valid'}`)
  } finally {
    pending.done(raw)
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw errors.badJson()
  }
}

/** Whoever is signed in, and the session that they are signed in by. */
export interface SignedIn extends Account {
  readonly session: SessionRow
}

const uuidForm = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** A UUID in lower case, as user ids are. */
export type Uuid = `${string}-${string}-${string}-${string}-${string}`

export function isUuid(text: unknown): text is Uuid {
  return typeof text === 'string' && uuidForm.test(text)
}

/**
 * The user and the session of the access token: a token outlives its session, so what changes anything asks for it.
 *
 * @throws 401 without a token; 403 when there is no such user or session any more; 400 `user_banned`
 */
export async function signedIn({ caller, database, now }: AuthVisit): Promise<SignedIn> {
  if (caller.sub === null) throw errors.noAuthorization()
  const { session_id: sessionId } = caller.claims
  if (!isUuid(caller.sub)) throw errors.badJwt('invalid claim: sub claim must be a UUID')
  if (!isUuid(sessionId)) throw errors.sessionNotFound()
  const [sessions = [], ...rest] = await database.at(caller.sub, [
    readSession(caller.sub, sessionId),
    ...readAccount(caller.sub),
  ])
  const account = accountOf(rest)
  if (account === null) throw errors.subjectNotFound()
  if (!sessions[0]) throw errors.sessionNotFound()
  const session = sessionOf(sessions[0])
  if (session.not_after !== null && session.not_after <= now) throw errors.sessionNotFound()
  checkBan(account, now)
  return { ...account, session }
}

/** @throws 400 `user_banned` */
export function checkBan({ user }: Account, now: number): void {
  if (user.banned_until !== null && user.banned_until > now) throw errors.userBanned()
}

/** @throws 401 or 403 unless the secret key is calling */
export function requireAdmin({ caller }: Pick<AuthVisit, 'caller'>): void {
  if (caller.role === 'service_role') return
  throw caller.sub === null ? errors.noAuthorization() : errors.notAdmin()
}
