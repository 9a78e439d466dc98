/**
 * Passwords as they are kept: by scrypt (RFC 7914), with its parameters and salt in the hash, in the form of PHC strings
 * (https://github.com/P-H-C/phc-string-format): `$scrypt$ln=14,r=8,p=5$<salt>$<hash>`.
 * @module
 */
import { errors } from '../errors.ts'
import { ownForm, verifyImported } from './imported-hashes.ts'

/** Cost of scrypt. */
export interface Scrypt {
  readonly n: number
  readonly r: number
  readonly p: number
}

const saltBytes = 16
const hashBytes = 32
/** Longer passwords are refused, so that nobody makes others hash megabytes. */
export const maxPasswordLength = 256

/** Loaded when the first password comes: who has no accounts need not have the flag. */
async function nodeCrypto(): Promise<typeof import('node:crypto')> {
  try {
    return await import('node:crypto')
  } catch (cause) {
    throw errors.noNodeCrypto(cause)
  }
}

export async function scrypt(
  password: string,
  salt: Uint8Array,
  cost: Scrypt,
  length: number,
): Promise<Uint8Array> {
  const { scrypt: derive } = await nodeCrypto()
  const { n, r, p } = cost
  const options = { N: n, r, p, maxmem: 128 * n * r + 128 * r * p + 1_000_000 }
  return new Promise((done, failed) => {
    derive(password, salt, length, options, (error, key) =>
      error ? failed(error) : done(new Uint8Array(key)),
    )
  })
}

export async function hashPassword(password: string, cost: Scrypt): Promise<string> {
  const salt = crypto.getRandomValues(new Uint8Array(saltBytes))
  const hash = await scrypt(password.normalize('NFKC'), salt, cost, hashBytes)
  return `$scrypt$ln=${Math.log2(cost.n)},r=${cost.r},p=${cost.p}$${base64(salt)}$${base64(hash)}`
}

/** What comparing a password has shown. */
export interface Compared {
  readonly isValid: boolean
  /** Whether the hash is another than would be made now, so that it should be made anew. */
  readonly isOld: boolean
}

/**
 * Compares a password with what is kept. Without anything to compare with, as much is worked out, so that the time does not tell whether there is an
 * account or a password.
 */
export async function comparePassword(
  password: string,
  kept: string | null,
  cost: Scrypt,
): Promise<Compared> {
  const [, ln = '', r = '', p = '', salt = '', hash = ''] = ownForm.exec(kept ?? '') ?? []
  if (hash === '') {
    if (kept !== null && (await verifyImported(password, kept, scrypt))) return { isValid: true, isOld: true }
    await scrypt(password, new Uint8Array(saltBytes), cost, hashBytes)
    return { isValid: false, isOld: false }
  }
  const used = { n: 2 ** Number(ln), r: Number(r), p: Number(p) }
  const wanted = bytes(hash)
  const made = await scrypt(password.normalize('NFKC'), bytes(salt), used, wanted.length)
  const isOld = used.n !== cost.n || used.r !== cost.r || used.p !== cost.p
  return { isValid: sameBytes(made, wanted), isOld }
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  let difference = 0
  for (let i = 0; i < a.length; i++) difference |= (a[i] as number) ^ (b[i] as number)
  return difference === 0
}

export function bytes(base64Text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64Text), (char) => char.charCodeAt(0))
}

function base64(of: Uint8Array): string {
  return btoa(String.fromCharCode(...of)).replaceAll('=', '')
}
