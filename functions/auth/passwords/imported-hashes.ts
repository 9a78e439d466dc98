/**
 * Passwords as other systems keep them, so that their users can be imported: bcrypt, PBKDF2, and Firebase's scrypt in GoTrue's form. Whoever signs in
 * by one has it hashed anew.
 * @module
 */

/** Derives a key by scrypt. */
export type Derive = (
  password: string,
  salt: Uint8Array,
  cost: { readonly n: number; readonly r: number; readonly p: number },
  length: number,
) => Promise<Uint8Array>

const encoder = new TextEncoder()

/** Whether a hash is of a kind that passwords can be compared with: of our own, or of another system. */
export function isKept(hash: string): boolean {
  return [ownForm, bcryptForm, pbkdf2Form, firebaseForm].some((form) => form.test(hash))
}

/** What `hash-password.ts` makes. */
export const ownForm = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/

const bcryptForm = /^\$2[aby]\$(0[4-9]|1[0-4])\$[./A-Za-z0-9]{53}$/
/** `$pbkdf2-sha256$i=600000$<salt>$<hash>`, in base64. */
const pbkdf2Form =
  /^\$pbkdf2-sha(256|512)\$(?:i=)?(\d{1,7})\$([A-Za-z0-9+/.]+)={0,2}\$([A-Za-z0-9+/.]+)={0,2}$/
/** `$fbscrypt$v=1,n=14,r=8,p=1,ss=<salt separator>,sk=<signer key>$<salt>$<hash>`, in base64. */
const firebaseForm =
  /^\$fbscrypt\$v=1,n=(\d{1,2}),r=(\d{1,2}),p=(\d)(?:,ss=([A-Za-z0-9+/=]+))?,sk=([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+)$/

/** Whether a password is the one of a hash of another system. */
export async function verifyImported(password: string, hash: string, derive: Derive): Promise<boolean> {
  if (bcryptForm.test(hash)) {
    const { default: bcrypt } = await import('bcryptjs')
    return bcrypt.compare(password, hash)
  }
  const pbkdf2 = pbkdf2Form.exec(hash)
  if (pbkdf2) return verifyPbkdf2(password, pbkdf2)
  const firebase = firebaseForm.exec(hash)
  return firebase !== null && verifyFirebase(password, firebase, derive)
}

async function verifyPbkdf2(password: string, found: RegExpExecArray): Promise<boolean> {
  const [, bits = '', rounds = '', salt = '', wanted = ''] = found
  const expected = bytesOf(wanted)
  const key = await crypto.subtle.importKey('raw', encoder.encode(password), 'PBKDF2', false, ['deriveBits'])
  const made = await crypto.subtle.deriveBits(
    { name: 'PBKDF2', hash: `SHA-${bits}`, salt: bytesOf(salt), iterations: Number(rounds) },
    key,
    expected.length * 8,
  )
  return areSame(new Uint8Array(made), expected)
}

/** https://github.com/firebase/scrypt: the signer key, encrypted with what scrypt makes of the password. */
async function verifyFirebase(password: string, found: RegExpExecArray, derive: Derive): Promise<boolean> {
  const [, n = '', r = '', p = '', separator = '', signerKey = '', salt = '', wanted = ''] = found
  const cost = { n: 2 ** Number(n), r: Number(r), p: Number(p) }
  const salted = new Uint8Array([...bytesOf(salt), ...(separator === '' ? [] : bytesOf(separator))])
  const derived = new Uint8Array(await derive(password, salted, cost, 32))
  const key = await crypto.subtle.importKey('raw', derived, 'AES-CTR', false, ['encrypt'])
  const algorithm = { name: 'AES-CTR', counter: new Uint8Array(16), length: 128 }
  const made = await crypto.subtle.encrypt(algorithm, key, bytesOf(signerKey))
  return areSame(new Uint8Array(made), bytesOf(wanted))
}

/** Base64 of any of its dialects. */
function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  const plain = text.replaceAll('.', '+').replaceAll('-', '+').replaceAll('_', '/')
  return Uint8Array.from(atob(plain), (char) => char.charCodeAt(0))
}

function areSame(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  let difference = 0
  for (let i = 0; i < a.length; i++) difference |= (a[i] as number) ^ (b[i] as number)
  return difference === 0
}
