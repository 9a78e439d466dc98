/**
 * `POST /logout`: ends the session, all of the user's, or all others.
 * @module
 */
import { Hono } from 'hono'
import { errors } from '../errors.ts'
import { insertAudit } from '../rows/audit-rows.ts'
import { endSessions } from '../rows/session-rows.ts'
import { type AuthEnv, isUuid } from '../visit.ts'

export const logOutRoutes = new Hono<AuthEnv>().post('/logout', async (c) => {
  const { caller, database, url, now, ip } = c.env.visit
  const scope = url.searchParams.get('scope') ?? 'global'
  if (!['global', 'local', 'others'].includes(scope))
    throw errors.validation(`Unsupported logout scope "${scope.slice(0, 20)}"`)
  const { sub } = caller
  const { session_id: session } = caller.claims
  if (!isUuid(sub)) throw errors.noAuthorization()
  if (!isUuid(session)) throw errors.sessionNotFound()
  const which = scope === 'global' ? 'all' : scope === 'local' ? { only: session } : { but: session }
  // Only whose session is there still may end others: a token outlives it.
  const { text, parameters } = endSessions(sub, which)
  const own = `EXISTS (SELECT 1 FROM auth_sessions WHERE user_id = ?1 AND id = ?${parameters.length + 1})`
  const [ended = []] = await database.at(sub, [
    {
      text: text.replace(' RETURNING', ` AND ${own} RETURNING`),
      parameters: [...parameters, session],
    },
    insertAudit({ subject: sub, action: 'logout', actor: sub, ip, data: { scope } }, now),
  ])
  if (ended.length === 0 && scope !== 'others') throw errors.sessionNotFound()
  return c.body(null, 204)
})
