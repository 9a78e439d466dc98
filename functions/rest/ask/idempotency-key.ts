/**
 * The `Idempotency-Key` of a request: draft-ietf-httpapi-idempotency-key-header has it as a string of structured fields (`"…"`), Stripe and
 * most who followed it without quotes. Both are the same key.
 * Source: https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
 * @module
 */
import type { WriteKey } from '../../../db/cluster/write-keys.ts'
import { type Caller, identityOf } from '../../core/caller.ts'
import type { RestConfig } from '../config.ts'
import { errors } from '../errors.ts'

const keyHeader = 'idempotency-key'

/** Says that an answer is the one of an earlier request, as Stripe does. */
export const replayedHeader = 'Idempotency-Replayed'

const maxLength = 255

/**
 * The key that a request names; null: none.
 *
 * @throws AtollError `IDEM001`
 */
export function readKeyHeader(headers: Headers): string | null {
  const sent = headers.get(keyHeader)?.trim()
  if (sent === undefined) return null
  // Parameters of structured fields mean nothing here.
  const [, quoted] = /^"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"\s*(?:;[\x20-\x7e]*)?$/.exec(sent) ?? []
  const key = quoted === undefined ? sent : quoted.replace(/\\(.)/g, '$1')
  const isPlain = quoted !== undefined || /^[\x21\x23-\x2b\x2d-\x7e]+$/.test(key)
  if (!isPlain || key === '' || key.length > maxLength) throw errors.badKey(maxLength)
  return key
}

/**
 * @param key of the request's header
 * @param body the request's, as it was sent
 */
export async function writeKeyFor(
  key: string,
  raw: Request,
  body: string,
  caller: Caller,
  config: RestConfig,
): Promise<WriteKey> {
  const { pathname, search } = new URL(raw.url)
  const header = (name: string) => raw.headers.get(name) ?? ''
  const [scope, fingerprint] = await Promise.all([
    hashOf(scopeOf(caller)),
    hashOf([
      raw.method,
      pathname,
      search,
      // What is kept is what was asked for.
      ...['prefer', 'accept', 'content-profile', 'content-type'].map(header),
      body,
    ]),
  ])
  return {
    scope,
    key,
    fingerprint,
    attempt: crypto.randomUUID(),
    keepMs: config.idempotencyKeySeconds * 1000,
    maxAnswerBytes: config.idempotencyMaxAnswerBytes,
    maxBytes: config.idempotencyMaxCallerBytes,
  }
}

/** What changes from one token of the same caller to the next. */
const fleeting = new Set(['exp', 'iat', 'nbf', 'jti', 'session_id', 'amr', 'aal'])

/**
 * Who may be answered by a key: the same role and subject. Tokens without a subject are told apart by all that they claim; who only sends a key of
 * the project is one with all who do.
 */
function scopeOf(caller: Caller): unknown[] {
  const identity = identityOf(caller)
  if (identity !== null) return [caller.role, identity]
  const claims = Object.entries(caller.claims).filter(([name]) => !fleeting.has(name))
  return [caller.role, null, claims.sort(([a], [b]) => (a < b ? -1 : 1))]
}

const encoder = new TextEncoder()

async function hashOf(parts: readonly unknown[]): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', encoder.encode(JSON.stringify(parts)))
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}
