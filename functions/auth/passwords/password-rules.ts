/**
 * Which passwords are taken.
 * @module
 */
import type { AuthTerms } from '../declarations.ts'
import { errors } from '../errors.ts'
import { maxPasswordLength } from './hash-password.ts'

const sets = {
  lower: /\p{Ll}/u,
  upper: /\p{Lu}/u,
  digits: /\p{Nd}/u,
  symbols: /[^\p{L}\p{N}\s]/u,
} as const

const breachTimeoutMs = 3000

/** @throws 422 `weak_password`, with reasons; 400 for one that is too long */
export async function checkPassword(
  password: string,
  { passwords: { minLength, required, refuseBreached } }: Pick<AuthTerms, 'passwords'>,
): Promise<void> {
  if (password.length > maxPasswordLength)
    throw errors.validation(`Password cannot be longer than ${maxPasswordLength} characters`)
  const reasons: string[] = []
  if ([...password].length < minLength) reasons.push('length')
  const missing = required.filter((set) => !sets[set].test(password))
  if (missing.length > 0) reasons.push('characters')
  if (reasons.length > 0) {
    const said = [
      ...(reasons.includes('length') ? [`Password should be at least ${minLength} characters.`] : []),
      ...(missing.length > 0 ? [`Password should contain at least one of each: ${missing.join(', ')}.`] : []),
    ]
    throw errors.weakPassword(said.join(' '), reasons)
  }
  if (refuseBreached && (await isBreached(password)))
    throw errors.weakPassword(
      'Password is known to be weak and easy to guess, please choose a different one.',
      ['pwned'],
    )
}

/**
 * Whether a password is known from breaches: five of the forty digits of its SHA-1 are told, nothing else. Where the service does not answer, it
 * is not known. https://haveibeenpwned.com/API/v3#PwnedPasswords
 */
export async function isBreached(password: string): Promise<boolean> {
  const digest = await crypto.subtle.digest('SHA-1', new TextEncoder().encode(password))
  const hex = [...new Uint8Array(digest)]
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('')
    .toUpperCase()
  try {
    const response = await fetch(`https://api.pwnedpasswords.com/range/${hex.slice(0, 5)}`, {
      headers: { 'Add-Padding': 'true' },
      signal: AbortSignal.timeout(breachTimeoutMs),
    })
    if (!response.ok) return false
    const lines = (await response.text()).split(/\r?\n/)
    return lines.some((line) => {
      const [rest, count] = line.split(':')
      return rest === hex.slice(5) && Number(count) > 0
    })
  } catch {
    return false
  }
}
