/**
 * Sign-ins that began in a browser and are finished by code: whoever has the code and what it was made for (PKCE, RFC 7636) is given a session.
 * @module
 */
import { z } from 'zod'
import type { BoundStatement, Row } from '../../db/sql/statement.ts'
import { toBase64Url } from '../core/base64url.ts'
import { errors } from './errors.ts'
import type { Challenge } from './one-time-tokens.ts'
import { insertRow, numberIn, objectIn, textIn } from './rows/json-row.ts'
import { randomText, sameText, sha256 } from './secrets.ts'
import type { AuthVisit } from './visit.ts'

/** A state that is kept; what `kind` it is, says who reads it. */
export interface FlowState {
  readonly userId: string | null
  readonly data: Readonly<Record<string, unknown>>
}

/** How long a code may wait, in milliseconds. */
const codeMs = 5 * 60_000

/** Part of the bodies that begin such a sign-in. */
export const challengePart = {
  code_challenge: z.string().max(128).nullish(),
  code_challenge_method: z.string().max(10).nullish(),
}

/** @throws 400 for what is no challenge */
export function challengeOf(body: {
  readonly code_challenge?: string | null | undefined
  readonly code_challenge_method?: string | null | undefined
}): Challenge | null {
  const challenge = body.code_challenge ?? ''
  const method = (body.code_challenge_method ?? '').toLowerCase()
  if (challenge === '' && method === '') return null
  if (challenge === '' || method === '')
    throw errors.validation('PKCE flow requires code_challenge_method and code_challenge')
  if (method !== 's256' && method !== 'plain')
    throw errors.validation('code challenge method must be one of s256 or plain')
  if (!/^[A-Za-z0-9_.~-]{43,128}$/.test(challenge))
    throw errors.validation('code challenge has to be between 43 and 128 characters')
  return { challenge, method }
}

/** Keeps a state under the hash of a text that only its reader will have. @returns what is written, where `at` says */
export async function keepFlow(
  kind: string,
  secret: string,
  state: FlowState,
  now: number,
  lastsMs = codeMs,
): Promise<{ readonly at: string; readonly statement: BoundStatement }> {
  const id = await flowId(kind, secret)
  const statement = insertRow('auth_flow_states', {
    id,
    kind,
    user_id: state.userId,
    data: state.data,
    created_at: now,
    expires_at: now + lastsMs,
  })
  return { at: id, statement }
}

/** Takes a state, which only one request can. @throws 404 `flow_state_not_found`, 403 `flow_state_expired` */
export async function takeFlow(
  { database, now }: Pick<AuthVisit, 'database' | 'now'>,
  kind: string,
  secret: string,
): Promise<FlowState> {
  const id = await flowId(kind, secret)
  const [rows = []] = await database.at(id, [
    { text: 'DELETE FROM auth_flow_states WHERE id = ?1 AND kind = ?2 RETURNING *', parameters: [id, kind] },
  ])
  const row: Row | undefined = rows[0]
  if (!row) throw errors.flowNotFound()
  if ((numberIn(row.expires_at) ?? 0) <= now) throw errors.flowExpired()
  return { userId: textIn(row.user_id), data: objectIn(row.data) }
}

function flowId(kind: string, secret: string): Promise<string> {
  return sha256(`${kind}\n${secret}`)
}

/**
 * A code for a session of a user, bound to the challenge of whoever began.
 *
 * @param method by which the user has proved who they are, in GoTrue's words
 * @param extra members of the session's answer, such as a provider's tokens
 */
export async function makeAuthCode(
  { database, now, services }: Pick<AuthVisit, 'database' | 'now' | 'services'>,
  userId: string,
  { challenge, method: challengeMethod }: Challenge,
  method: string,
  extra: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  const code = randomText(24)
  const sealed = await services.authSecrets.sealer('flow').seal(extra)
  const data = { challenge, challenge_method: challengeMethod, method, extra: sealed }
  const { at, statement } = await keepFlow('code', code, { userId, data }, now)
  await database.at(at, [statement])
  return code
}

/** Whose session a code is for. @throws 404, 403; 400 `bad_code_verifier` */
export async function takeAuthCode(
  visit: Pick<AuthVisit, 'database' | 'now' | 'services'>,
  code: string,
  verifier: string,
): Promise<{
  readonly userId: string
  readonly method: string
  readonly extra: Readonly<Record<string, unknown>>
}> {
  const { userId, data } = await takeFlow(visit, 'code', code)
  if (userId === null) throw errors.flowNotFound()
  const sent = data.challenge_method === 's256' ? await challengeFrom(verifier) : verifier
  if (!sameText(sent, String(data.challenge))) throw errors.badVerifier()
  const extra = await visit.services.authSecrets.sealer('flow').open(String(data.extra))
  return { userId, method: String(data.method), extra: (extra ?? {}) as Record<string, unknown> }
}

async function challengeFrom(verifier: string): Promise<string> {
  return toBase64Url(
    new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier))),
  )
}
