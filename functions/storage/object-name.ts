/**
 * Names of buckets and objects: checked, and then taken as they are.
 * @module
 */
import { errors } from './errors.ts'

const bucketForm = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/

/** Longest name of an object, in bytes of UTF-8: R2 takes keys of 1024. */
const maxNameBytes = 900

/** Words that stand in the place of a bucket in addresses of objects. */
const reserved = new Set([
  'authenticated',
  'copy',
  'info',
  'list',
  'list-v2',
  'move',
  'public',
  'sign',
  'upload',
])

export function isBucketName(name: string): boolean {
  return bucketForm.test(name) && !reserved.has(name)
}

export function checkBucketName(name: unknown): string {
  if (typeof name !== 'string' || !isBucketName(name)) throw errors.invalidBucketName()
  return name
}

/** @throws AtollError for a name that no object may have */
export function checkObjectName(name: unknown): string {
  if (typeof name !== 'string' || name === '') throw errors.invalidObjectName('it is empty')
  if (!name.isWellFormed()) throw errors.invalidObjectName('it is no Unicode text')
  // C0, DEL and C1, what is no character, line and paragraph separators, and marks that make text run the other way.
  if (/[\p{Cc}\p{Noncharacter_Code_Point}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u.test(name)) {
    throw errors.invalidObjectName('it holds control characters')
  }
  if (name.includes('\\')) throw errors.invalidObjectName('it holds a backslash')
  const segments = name.split('/')
  if (segments.some((segment) => segment === '' || segment === '.' || segment === '..')) {
    throw errors.invalidObjectName('its folders must have names other than . and ..')
  }
  if (new TextEncoder().encode(name).byteLength > maxNameBytes) {
    throw errors.invalidObjectName(`it takes more than ${maxNameBytes} bytes`)
  }
  return name
}

/** The name in the rest of an address's path. */
export function nameFromPath(path: string): string {
  try {
    return checkObjectName(decodeURIComponent(path.replace(/^\/+/, '')))
  } catch (error) {
    if (error instanceof URIError) throw errors.invalidObjectName('its percent signs are no encoding')
    throw error
  }
}
