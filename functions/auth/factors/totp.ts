/**
 * Time-based one-time passwords (RFC 6238): six digits for each half minute, SHA-1, as authenticator apps take them.
 * @module
 */
import { Secret, TOTP } from 'otpauth'
import { renderSVG } from 'uqr'

const periodSeconds = 30
const digits = 6
/** Steps before and after now that a clock may be at. */
const drift = 1
/** As RFC 4226 recommends. */
const secretBytes = 20

/** What somebody's app is to be told. */
export interface NewTotp {
  /** In base32. */
  readonly secret: string
  readonly uri: string
  /** A picture of `uri`, as SVG. */
  readonly qr_code: string
}

/** @param label who it is of, as the app shows it */
export function newTotp(issuer: string, label: string): NewTotp {
  const secret = new Secret({ size: secretBytes })
  const uri = totpOf(secret, issuer, label).toString()
  return { secret: secret.base32, uri, qr_code: renderSVG(uri, { border: 2 }) }
}

/**
 * @param secret in base32
 * @param now milliseconds since 1970
 * @returns the step that a code is of; null: it is of none near now
 */
export function stepOfCode(secret: string, code: string, now: number): number | null {
  if (!/^\d{6}$/.test(code)) return null
  const delta = totpOf(Secret.fromBase32(secret)).validate({ token: code, timestamp: now, window: drift })
  return delta === null ? null : Math.floor(now / 1000 / periodSeconds) + delta
}

function totpOf(secret: Secret, issuer = '', label = ''): TOTP {
  return new TOTP({ secret, issuer, label, algorithm: 'SHA1', digits, period: periodSeconds })
}
