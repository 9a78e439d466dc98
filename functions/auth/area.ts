/**
 * Accounts: who people are, and how they prove it, as GoTrue's clients ask for it. `/auth/v1`.
 * @module
 */
import { Hono } from 'hono'
import type { AccessServices } from '../access/area.ts'
import type { Area } from '../core/area.ts'
import type { CoreServices } from '../core/context.ts'
import type { DatabasesServices } from '../databases/area.ts'
import { type AuthDeclaration, type AuthTerms, termsOf } from './declarations.ts'
import { duties } from './duties.ts'
import { errors } from './errors.ts'
import { authJobs } from './mail/send-message.ts'
import { Secrets } from './secrets.ts'
import type { AtollEnv, AuthEngine, AuthEnv, AuthServices, Engine } from './services.ts'
import { SigningKeys } from './sessions/signing-keys.ts'
import { toldError, versionHeader } from './told.ts'

export { type AuthDeclaration, defineAuth } from './declarations.ts'
// What areas above it use.
export type { AuthEvent } from './events.ts'
export { type CaughtMail, caughtMails } from './mail/caught-mail.ts'
export type { AuthServices } from './services.ts'

/** What an app brings for it. */
export interface AuthApp {
  readonly auth?: AuthDeclaration
}

export const auth = {
  name: 'auth',
  errors,
  duties,
  exposes: [versionHeader, 'X-Total-Count', 'Link'],
  tellsErrors: toldError,
  // Links of mails, providers that send people back, and the keys that others verify tokens with.
  isOpen: true,

  /** @throws Error for what an app cannot mean */
  read: ({ auth: said }: AuthApp): AuthEngine => ({ auth: said === undefined ? null : termsOf(said) }),

  jobs: (_config: unknown, { auth: said }: AuthApp) => authJobs(said === undefined ? null : termsOf(said)),

  routes: (engine: Engine) => [['/auth/v1', createAuth(engine, engine.auth)]],

  open(
    env: AuthEnv,
    { auth: terms }: AuthEngine,
    { keys, cluster, ownKeys }: CoreServices & AccessServices & DatabasesServices,
  ): AuthServices {
    const authSecrets = new Secrets(keys)
    const signingKeys = new SigningKeys(() => cluster.open({ reads: false, seen: new Map() }), authSecrets)
    if (terms !== null) ownKeys.foundBy((kid) => signingKeys.find(kid))
    return { authSecrets, signingKeys, catchesMail: env.ATOLL_MAIL === 'catch' }
  },
} satisfies Area

const tables = ['auth_users', 'auth_sessions', 'auth_signing_keys']

/** All but this is loaded when somebody asks for the first time: who has no accounts pays nothing for them. */
function createAuth(engine: Engine, terms: AuthTerms | null) {
  return new Hono<AtollEnv>({ strict: false }).all('*', async (c) => {
    const { raw } = c.req
    if (terms === null || tables.some((name) => !engine.catalog.tables.has(name)))
      return toldError(errors.notDeclared(), raw)
    const [{ answerVisit }, { openVisit }] = await Promise.all([
      import('./auth-api.ts'),
      import('./visit.ts'),
    ])
    const { caller, services } = c.var
    const later = (work: Promise<unknown>) => c.executionCtx.waitUntil(work)
    return answerVisit(openVisit(raw, caller, services, engine, terms, later))
  })
}
