/**
 * Refresh tokens. A session has one line of them, numbered; each is worked out of the session's salt, its number and the project's secret, so that
 * a database tells nobody what they are, and a request that lost its answer can be answered once more. The idea is GoTrue's, of its second
 * kind of refresh tokens.
 * @module
 */
import { fromBase64Url, toBase64Url } from '../../core/base64url.ts'
import type { SessionRow } from '../rows/session-rows.ts'
import { type Secrets, sameText } from '../secrets.ts'

/** What a token says before it is believed. */
export interface SaidRefreshToken {
  readonly userId: string
  readonly sessionId: string
  readonly counter: number
  readonly signature: string
}

const version = 1
const headBytes = 1 + 16 + 16 + 4

/** The token of a session with a number. */
export async function refreshTokenOf(
  secrets: Secrets,
  { user_id, id, salt }: Pick<SessionRow, 'user_id' | 'id' | 'salt'>,
  counter: number,
): Promise<string> {
  const head = new Uint8Array(headBytes)
  head[0] = version
  head.set(bytesOf(user_id), 1)
  head.set(bytesOf(id), 17)
  new DataView(head.buffer).setUint32(33, counter)
  return `${toBase64Url(head)}.${await signatureOf(secrets, user_id, id, salt, counter)}`
}

/** @returns null for what is no refresh token */
export function readRefreshToken(token: string): SaidRefreshToken | null {
  const [text = '', signature, ...more] = token.split('.')
  const head = text.length > 100 ? null : fromBase64Url(text)
  if (head === null || head.length !== headBytes || head[0] !== version || more.length > 0) return null
  return {
    userId: uuidOf(head.subarray(1, 17)),
    sessionId: uuidOf(head.subarray(17, 33)),
    counter: new DataView(head.buffer).getUint32(33),
    signature: signature ?? '',
  }
}

/** Whether it was given out for the session. */
export async function isOf(
  secrets: Secrets,
  { user_id, id, salt }: SessionRow,
  { counter, signature }: SaidRefreshToken,
): Promise<boolean> {
  return sameText(signature, await signatureOf(secrets, user_id, id, salt, counter))
}

function signatureOf(
  secrets: Secrets,
  userId: string,
  sessionId: string,
  salt: string,
  counter: number,
): Promise<string> {
  return secrets.hash('refresh-token', userId, sessionId, salt, String(counter))
}

/** A UUID's bytes. */
export function bytesOf(uuid: string): Uint8Array {
  return Uint8Array.from(uuid.replaceAll('-', '').match(/../g) ?? [], (hex) => Number.parseInt(hex, 16))
}

export function uuidOf(bytes: Uint8Array): string {
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}
