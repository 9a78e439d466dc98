/**
 * Links and codes that are sent to an address, and prove that whoever has them reads what is sent there. They lie hashed, are of use once and for
 * some time, and a code may be typed in wrongly a few times only.
 * @module
 */
import type { BoundStatement, Row } from '../../db/sql/statement.ts'
import { fromBase64Url, toBase64Url } from '../core/base64url.ts'
import { insertRow, numberIn, textIn } from './rows/json-row.ts'
import { randomText, sameText, sha256 } from './secrets.ts'
import { bytesOf, uuidOf } from './sessions/refresh-token.ts'
import type { AuthVisit } from './visit.ts'

/** What one proves. */
export type TokenKind =
  /** The address of a new account, or of somebody who was invited. */
  | 'confirmation'
  /** That somebody may sign in without a password, and set another. */
  | 'recovery'
  /** Of a change of the e-mail address: the one before, and the new one. */
  | 'email_change_current'
  | 'email_change_new'
  | 'phone_confirmation'
  | 'phone_change'
  | 'reauthentication'

/** What whoever asked for it must prove to be given a session by a link (RFC 7636). */
export interface Challenge {
  readonly challenge: string
  readonly method: 's256' | 'plain'
}

/** One that is kept. */
export interface OneTimeToken {
  readonly userId: string
  readonly kind: TokenKind
  readonly sentTo: string
  readonly challenge: Challenge | null
  readonly createdAt: number
}

/** One that was made: what is sent, and what is written. */
export interface MadeToken {
  readonly kind: TokenKind
  readonly code: string
  /** What a link carries. It says whose it is, so that it is found by itself. */
  readonly link: string
  readonly statement: BoundStatement
}

/** Begins links of a sign-in that is finished by code (PKCE), as GoTrue has it. */
const pkcePrefix = 'pkce_'
const linkBytes = 24

export async function makeToken(
  visit: Pick<AuthVisit, 'services' | 'terms' | 'now'>,
  userId: string,
  kind: TokenKind,
  sentTo: string,
  challenge: Challenge | null = null,
): Promise<MadeToken> {
  const { services, terms, now } = visit
  const code = randomDigits(terms.otpDigits)
  const own = `${toBase64Url(bytesOf(userId))}${randomText(linkBytes)}`
  const link = challenge === null ? own : `${pkcePrefix}${own}`
  const row = {
    user_id: userId,
    kind,
    link_hash: await sha256(link),
    code_hash: await codeHash(services.authSecrets, userId, kind, code),
    sent_to: sentTo,
    tries: 0,
    code_challenge: challenge?.challenge ?? null,
    code_challenge_method: challenge?.method ?? null,
    created_at: now,
    expires_at: now + terms.otpSeconds * 1000,
  }
  const again = Object.keys(row)
    .filter((name) => name !== 'user_id' && name !== 'kind')
    .map((name) => `${name} = excluded.${name}`)
  const statement = insertRow(
    'auth_one_time_tokens',
    row,
    `ON CONFLICT (user_id, kind) DO UPDATE SET ${again.join(', ')}`,
  )
  return { kind, code, link, statement }
}

/** Takes a user's tokens away: what they were sent before is worth nothing any more. */
export function dropTokens(userId: string, kinds: readonly TokenKind[] | 'all'): BoundStatement {
  if (kinds === 'all')
    return { text: 'DELETE FROM auth_one_time_tokens WHERE user_id = ?1', parameters: [userId] }
  return {
    text: 'DELETE FROM auth_one_time_tokens WHERE user_id = ?1 AND kind IN (SELECT value FROM json_each(?2))',
    parameters: [userId, JSON.stringify(kinds)],
  }
}

/** Whose a link is, as it says itself; null for what is none. */
export function ownerOf(link: string): string | null {
  const own = link.startsWith(pkcePrefix) ? link.slice(pkcePrefix.length) : link
  // 16 bytes are 22 characters, 24 are 32.
  const bytes = own.length === 54 ? fromBase64Url(own.slice(0, 22)) : null
  return bytes === null || bytes.length !== 16 ? null : uuidOf(bytes)
}

/** Uses a link up, which only one request can; null: it is none of these kinds, was used, or is over. */
export async function useLink(
  { database, now }: Pick<AuthVisit, 'database' | 'now'>,
  link: string,
  kinds: readonly TokenKind[],
): Promise<OneTimeToken | null> {
  const userId = ownerOf(link)
  if (userId === null) return null
  const [rows = []] = await database.at(userId, [
    {
      text: `DELETE FROM auth_one_time_tokens WHERE user_id = ?1 AND link_hash = ?2 AND expires_at > CAST(?3 AS INTEGER)
        AND kind IN (SELECT value FROM json_each(?4)) RETURNING *`,
      parameters: [userId, await sha256(link), String(now), JSON.stringify(kinds)],
    },
  ])
  return rows[0] ? tokenOf(rows[0]) : null
}

/**
 * Uses a code up. Each try is counted before anything is compared, so that tries at the same time are as few as tries one after the other.
 *
 * @param userId null for an address that is nobody's: as much is done
 * @returns null: it is not right, was used, is over, or was tried too often
 */
export async function useCode(
  visit: Pick<AuthVisit, 'database' | 'now' | 'services' | 'terms'>,
  userId: string | null,
  sentTo: string,
  code: string,
  kinds: readonly TokenKind[],
): Promise<OneTimeToken | null> {
  const { database, now, services, terms } = visit
  const whose = userId ?? crypto.randomUUID()
  const [rows = []] = await database.at(whose, [
    {
      text: `UPDATE auth_one_time_tokens SET tries = tries + 1 WHERE user_id = ?1 AND sent_to = ?2 AND expires_at > CAST(?3 AS INTEGER)
        AND tries < CAST(?4 AS INTEGER) AND kind IN (SELECT value FROM json_each(?5)) RETURNING *`,
      parameters: [whose, sentTo, String(now), String(terms.otpTries), JSON.stringify(kinds)],
    },
  ])
  let found: Row | null = null
  for (const kind of kinds) {
    const hash = await codeHash(services.authSecrets, whose, kind, code)
    const row = rows.find((one) => one.kind === kind)
    if (row && sameText(hash, row.code_hash as string)) found ??= row
  }
  if (found === null) return null
  const [used = []] = await database.at(whose, [
    {
      text: 'DELETE FROM auth_one_time_tokens WHERE user_id = ?1 AND kind = ?2 AND code_hash = ?3 RETURNING *',
      parameters: [whose, found.kind as string, found.code_hash as string],
    },
  ])
  return used[0] ? tokenOf(used[0]) : null
}

function codeHash(
  secrets: AuthVisit['services']['authSecrets'],
  userId: string,
  kind: string,
  code: string,
): Promise<string> {
  return secrets.hash('one-time-code', userId, kind, code)
}

function tokenOf(row: Row): OneTimeToken {
  const challenge = textIn(row.code_challenge)
  return {
    userId: row.user_id as string,
    kind: row.kind as TokenKind,
    sentTo: row.sent_to as string,
    challenge:
      challenge === null
        ? null
        : { challenge, method: (textIn(row.code_challenge_method) ?? 'plain') as Challenge['method'] },
    createdAt: numberIn(row.created_at) ?? 0,
  }
}

/** Digits that are all as likely: what would favour some is drawn again. */
export function randomDigits(count: number): string {
  let digits = ''
  while (digits.length < count) {
    for (const byte of crypto.getRandomValues(new Uint8Array(count))) {
      if (byte < 250 && digits.length < count) digits += String(byte % 10)
    }
  }
  return digits
}
