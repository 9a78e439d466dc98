/**
 * `/verify`: links that were sent, which browsers open, and codes that are typed in.
 * @module
 */
import { Hono } from 'hono'
import { z } from 'zod'
import { AtollError } from '../../../db/errors/atoll-error.ts'
import { emailOf, phoneOf } from '../addresses.ts'
import { captchaPart } from '../captcha.ts'
import { errors } from '../errors.ts'
import { makeAuthCode } from '../flow-states.ts'
import { countTry } from '../limits.ts'
import { type OneTimeToken, useCode, useLink } from '../one-time-tokens.ts'
import { redirectOf } from '../redirects.ts'
import { issueSession } from '../sessions/issue-session.ts'
import { answer } from '../told.ts'
import { kindsOf, verified } from '../verify-token.ts'
import { type AuthEnv, type AuthVisit, readJson } from '../visit.ts'

const body = z.object({
  type: z.string(),
  token: z.string().max(200).nullish(),
  token_hash: z.string().max(200).nullish(),
  email: z.string().nullish(),
  phone: z.string().nullish(),
  ...captchaPart,
})

/** Of a change of the address, what is said when the other one has still to confirm. */
const halfDone = 'Confirmation link accepted. Please proceed to confirm link sent to the other email'

export const verifyRoutes = new Hono<AuthEnv>()
  .post('/verify', async (c) => {
    const { visit } = c.env
    const sent = await readJson(visit, body)
    const kinds = kindsOf(sent.type)
    if (!kinds) throw errors.validation('Verify requires a verification type')
    if (!sent.token && !sent.token_hash) throw errors.validation('Verify requires a token or a token hash')
    const token = sent.token_hash
      ? await useLink(visit, sent.token_hash, kinds)
      : await usedCode(visit, sent.type, sent.email ?? null, sent.phone ?? null, sent.token as string)
    if (token === null) throw errors.otpExpired()
    const found = await verified(visit, token)
    if (found === null) return answer({ msg: halfDone, code: 200 })
    const { body: session } = await issueSession(visit, found.account, {
      method: 'otp',
      statements: found.statements,
    })
    return answer(session)
  })
  .get('/verify', async (c) => {
    const { visit } = c.env
    // Whoever only looks whether a link is there, as filters of mails do, does not use it up.
    if (visit.raw.method === 'HEAD') return c.body(null, 200)
    const query = visit.url.searchParams
    const back = new URL(redirectOf(visit, query.get('redirect_to')))
    const token = query.get('token') ?? ''
    try {
      return seeOther(await openLink(visit, query.get('type') ?? '', token, back))
    } catch (error) {
      if (!(error instanceof AtollError) || error.status >= 500) throw error
      return seeOther(withError(back, error, token.startsWith('pkce_')))
    }
  })

async function usedCode(
  visit: AuthVisit,
  type: string,
  email: string | null,
  phone: string | null,
  code: string,
): Promise<OneTimeToken | null> {
  const kinds = kindsOf(type) ?? []
  if (email === null && phone === null)
    throw errors.validation('Only an email address or phone number should be provided on verify')
  const address = email ? emailOf(email) : phoneOf(phone as string)
  const tried = await countTry(visit, address)
  for (const userId of await whoseAddress(visit, type, address, email ? 'email' : 'phone')) {
    const token = await useCode(visit, userId, address, code.trim(), kinds)
    if (token === null) continue
    tried.succeeded()
    return token
  }
  return null
}

/** How many accounts that want the same address are looked at. */
const maxWanting = 5

/** Whose an address is; of a change, also whose it is to be. Null for one that is nobody's, so that as much is done. */
async function whoseAddress(
  { database }: AuthVisit,
  type: string,
  address: string,
  by: 'email' | 'phone',
): Promise<readonly (string | null)[]> {
  const account = await database.accountBy(by, address)
  if (!type.endsWith('_change')) return [account?.user.id ?? null]
  const found = await database.everywhere([
    {
      text: `SELECT id FROM auth_users WHERE new_${by} = ?1 ORDER BY ${by}_change_sent_at DESC LIMIT ${maxWanting}`,
      parameters: [address],
    },
  ])
  const wanting = found.flatMap(([rows = []]) => rows.map(({ id }) => id as string)).slice(0, maxWanting)
  return [...new Set([...(account ? [account.user.id] : []), ...wanting])]
}

async function openLink(visit: AuthVisit, type: string, link: string, back: URL): Promise<URL> {
  const kinds = kindsOf(type)
  if (!kinds) throw errors.validation('Verify requires a verification type')
  const token = await useLink(visit, link, kinds)
  if (token === null) throw errors.otpExpired()
  const found = await verified(visit, token)
  if (found === null) {
    back.hash = new URLSearchParams({ message: halfDone }).toString()
    return back
  }
  const { account, statements } = found
  if (token.challenge !== null) {
    if (statements.length > 0) await visit.database.write(account.user.id, statements)
    back.searchParams.set('code', await makeAuthCode(visit, account.user.id, token.challenge, 'otp'))
    return back
  }
  const { body: session } = await issueSession(visit, account, { method: 'otp', statements })
  back.hash = fragmentOf(session, { type }).toString()
  return back
}

/** A session in the fragment of an address, which no server is sent: the implicit flow. */
export function fragmentOf(
  session: Readonly<Record<string, unknown>>,
  more: Readonly<Record<string, string>> = {},
): URLSearchParams {
  const { user: _, ...plain } = session
  const entries = Object.entries({ ...plain, ...more }).filter(([, value]) => typeof value !== 'object')
  return new URLSearchParams(entries.map(([name, value]) => [name, String(value)]))
}

/** Where somebody is sent back to with an error; supabase-js reads the query of sign-ins that are finished by code, and else the fragment. */
export function withError(back: URL, { status, body }: AtollError, isByCode: boolean): URL {
  const isExpired = body.code === 'otp_expired'
  const said = new URLSearchParams({
    error: status >= 500 ? 'server_error' : 'access_denied',
    error_code: body.code,
    error_description: isExpired ? 'Email link is invalid or has expired' : body.message,
  })
  if (isByCode) for (const [name, value] of said) back.searchParams.set(name, value)
  back.hash = said.toString()
  return back
}

/** No cache keeps it, and no page that it leads to is told whence. */
export function seeOther(to: URL): Response {
  return new Response(null, {
    status: 303,
    headers: { Location: to.href, 'Cache-Control': 'no-store', 'Referrer-Policy': 'no-referrer' },
  })
}
