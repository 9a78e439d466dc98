/**
 * `/auth/v1`: all that answers there. It is loaded when it is first asked.
 * @module
 */
import { Hono } from 'hono'
import { errors } from './errors.ts'
import { adminLogRoutes } from './routes/admin-log.ts'
import { adminUserRoutes } from './routes/admin-users.ts'
import { factorRoutes } from './routes/factors.ts'
import { inviteRoutes } from './routes/invite.ts'
import { logOutRoutes } from './routes/log-out.ts'
import { sendRoutes } from './routes/send.ts'
import { createSettingsRoutes } from './routes/settings.ts'
import { signUpRoutes } from './routes/sign-up.ts'
import { createTokenRoutes } from './routes/token.ts'
import { userRoutes } from './routes/user.ts'
import { verifyRoutes } from './routes/verify.ts'
import { toldError } from './told.ts'
import type { AuthEnv, AuthVisit } from './visit.ts'

export const authPath = '/auth/v1'

const api = new Hono<AuthEnv>({ strict: false })
  .onError((error, c) => toldError(error, c.req.raw))
  .notFound((c) => toldError(errors.notFound(), c.req.raw))
  .route(authPath, createSettingsRoutes())
  .route(authPath, signUpRoutes)
  .route(authPath, createTokenRoutes())
  .route(authPath, logOutRoutes)
  .route(authPath, userRoutes)
  .route(authPath, factorRoutes)
  .route(authPath, sendRoutes)
  .route(authPath, verifyRoutes)
  .route(authPath, inviteRoutes)
  .route(authPath, adminUserRoutes)
  .route(authPath, adminLogRoutes)

/** Answers a request. */
export function answerVisit(visit: AuthVisit): Promise<Response> {
  return Promise.resolve(api.fetch(visit.raw, { visit }))
}
