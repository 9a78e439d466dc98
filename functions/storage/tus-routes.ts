/**
 * `/storage/v1/upload/resumable`: uploads that go on where they were cut off, by tus 1.0 with creation (with upload, with the length
 * later), termination, expiration and checksum. Source: https://tus.io/protocols/resumable-upload
 * @module
 */
import { type Context, Hono } from 'hono'
import { callerNetwork } from '../access/area.ts'
import { identityOf } from '../core/caller.ts'
import { errors } from './errors.ts'
import { dropUpload, finishUpload } from './finish-upload.ts'
import { type ObjectRights, rightsOfSigned } from './object-access.ts'
import { checkBucketName, checkObjectName } from './object-name.ts'
import { chunksOf, flowBytes } from './receive.ts'
import { LockLost, lockMs, receivePart } from './receive-part.ts'
import type { AddressGrant } from './signed-address.ts'
import { checkMime, findBucket, maxBytesOf, type StorageEnv, type StorageVisit } from './storage-context.ts'
import { describe, findPlace, newBlob } from './store-object.ts'
import {
  beginUpload,
  countUpload,
  lockUpload,
  readUpload,
  type Upload,
  unlockUpload,
  uploadOf,
  uploadsMark,
} from './upload-rows.ts'

type Visiting = Context<StorageEnv>

const version = '1.0.0'
const chunkType = 'application/offset+octet-stream'
const algorithms: Readonly<Record<string, { readonly name: string; readonly bytes: number }>> = {
  sha1: { name: 'SHA-1', bytes: 20 },
  sha256: { name: 'SHA-256', bytes: 32 },
  md5: { name: 'MD5', bytes: 16 },
}

export function createTusRoutes() {
  const area = new Hono<StorageEnv>({ strict: false })
  area.use(async (c, next) => {
    const method = methodOf(c)
    if (method !== 'OPTIONS' && c.req.header('tus-resumable') !== version) throw errors.tusVersion()
    await next()
    c.header('Tus-Resumable', version)
  })
  // With a signed address, its token comes with each request and stands for the right.
  for (const base of ['/sign', '']) {
    area.on('OPTIONS', base || '/', options)
    area.post(base || '/', create)
    area.all(`${base}/:id{[0-9a-f-]{36}}`, (c) => {
      switch (methodOf(c)) {
        case 'OPTIONS':
          return options(c)
        case 'HEAD':
          return head(c)
        case 'PATCH':
          return patch(c)
        case 'DELETE':
          return terminate(c)
        default:
          throw errors.invalidStorageRequest('tus has HEAD, PATCH and DELETE here')
      }
    })
  }
  return area
}

/** Some clients can send no PATCH. */
function methodOf(c: Visiting): string {
  return (c.req.method === 'POST' && c.req.header('x-http-method-override')) || c.req.method
}

function options(c: Visiting): Response {
  c.header('Tus-Version', version)
  c.header(
    'Tus-Extension',
    'creation,creation-with-upload,creation-defer-length,termination,expiration,checksum',
  )
  c.header('Tus-Max-Size', String(c.var.storage.config.storageMaxObjectBytes))
  c.header('Tus-Checksum-Algorithm', Object.keys(algorithms).join(','))
  return c.body(null, 204)
}

async function create(c: Visiting): Promise<Response> {
  const { storage } = c.var
  const said = c.req.header('upload-metadata') ?? ''
  const named = readMetadata(said)
  const bucket = await findBucket(storage, checkBucketName(named.get('bucketName')))
  const name = checkObjectName(named.get('objectName'))
  const mime = checkMime(bucket, named.get('contentType') ?? 'application/octet-stream')
  const { cacheControl, metadata } = describe(
    mime,
    named.get('cacheControl') ?? null,
    named.get('metadata') ?? null,
  )
  const deferred = c.req.header('upload-defer-length')
  if (deferred !== undefined && deferred !== '1')
    throw errors.invalidStorageRequest('Upload-Defer-Length is 1')
  const size = deferred === '1' ? null : wholeNumber(c.req.header('upload-length'), 'Upload-Length')
  const max = maxBytesOf(bucket, storage.config)
  if ((size ?? 0) > max) throw errors.objectTooLarge(max)
  const granted = await grantOf(c, `${bucket.id}/${name}`)
  if (granted && granted.version !== bucket.version) {
    throw errors.badSignature('it was signed for another bucket of this name')
  }
  const rights = rightsOf(c, granted)
  const upsert = granted?.upsert ?? c.req.header('x-upsert') === 'true'
  const { owner } = rights
  await findPlace(storage, { bucket: bucket.id, name, upsert, owner, rights }, mime)
  const expires = Date.now() + storage.config.uploadExpirySeconds * 1000
  const id = crypto.randomUUID()
  const counted = rights.unbounded ? [] : countUpload(id, countedAs(c), storage.config.unfinishedUploads)
  const begun = [
    ...counted,
    beginUpload({
      id,
      bucket: bucket.id,
      name,
      blob: newBlob(bucket.id),
      multipart: '',
      mime,
      owner,
      upsert,
      secret: granted === null && rights.unbounded,
      caller: granted === null ? null : JSON.stringify(granted.caller),
      said,
      version: bucket.version,
      size,
      cacheControl,
      metadata,
      expires,
    }),
  ]
  await storage.session.primary(begun).catch((error: unknown) => {
    const isTooMany = error instanceof Error && String(error.cause).includes(uploadsMark)
    throw isTooMany ? errors.tooManyUploads(storage.config.unfinishedUploads) : error
  })
  const { pathname, origin } = new URL(c.req.url)
  c.header('Location', `${origin}${pathname.replace(/\/+$/, '')}/${id}`)
  c.header('Upload-Expires', new Date(expires).toUTCString())
  const withBytes = c.req.header('content-type') === chunkType
  if (!withBytes && size !== 0) return c.body(null, 201)
  const received = await takeIn(c, id, 0, withBytes, rights)
  c.header('Upload-Offset', String(received))
  return c.body(null, 201)
}

/** Whose uploads they are counted as: those of who is signed in, or of an address. */
function countedAs(c: Visiting): string {
  const identity = identityOf(c.var.caller)
  return identity === null
    ? `ip:${callerNetwork(c.req.header('cf-connecting-ip') ?? null)}`
    : `sub:${identity}`
}

/** What a signed address grants; null when there is none. */
async function grantOf(c: Visiting, path: string): Promise<AddressGrant | null> {
  const token = c.req.header('x-signature')
  return token === undefined ? null : c.var.storage.services.addresses.verify(token, 'upload', path)
}

/** Rights of who signed the address, or of who is calling. */
function rightsOf(c: Visiting, granted: AddressGrant | null): ObjectRights {
  const { rights, policies } = c.var.storage
  return granted === null ? rights : rightsOfSigned(policies, granted.caller ?? { role: 'anon', claims: {} })
}

async function head(c: Visiting): Promise<Response> {
  const { storage } = c.var
  const { upload, rights } = await findUpload(c)
  // Its last bytes came, and then somebody died: the client takes it to be there.
  if (!upload.isDone && upload.received === upload.size) {
    await withLock(storage, upload.id, async (own) => {
      if (!own.isDone) await finishUpload(storage, own, rights)
    })
  }
  c.header('Upload-Offset', String(upload.received))
  if (upload.size === null) c.header('Upload-Defer-Length', '1')
  else c.header('Upload-Length', String(upload.size))
  if (upload.said) c.header('Upload-Metadata', upload.said)
  c.header('Upload-Expires', new Date(upload.expires).toUTCString())
  c.header('Cache-Control', 'no-store')
  return c.body(null, 200)
}

async function patch(c: Visiting): Promise<Response> {
  if (c.req.header('content-type') !== chunkType) throw errors.tusType(chunkType)
  const offset = wholeNumber(c.req.header('upload-offset'), 'Upload-Offset')
  const { upload, rights } = await findUpload(c)
  const received = await takeIn(c, upload.id, offset, true, rights)
  c.header('Upload-Offset', String(received))
  return c.body(null, 204)
}

/** Takes in the body, and makes the upload an object when that was all. */
async function takeIn(
  c: Visiting,
  id: string,
  offset: number,
  withBytes: boolean,
  rights: ObjectRights,
): Promise<number> {
  const { storage } = c.var
  const checksum = readChecksum(c.req.header('upload-checksum'))
  const room = await storage.services.pending.enter(flowBytes, undefined, c.req.raw)
  const work = withLock(storage, id, async (locked, lock) => {
    if (offset !== locked.received) throw errors.uploadOffset(locked.received)
    if (locked.isDone) return locked.received
    const bucket = await findBucket(storage, locked.bucket)
    const maxBytes = maxBytesOf(bucket, storage.config)
    const size = sizeOf(c, locked, maxBytes)
    const body = withBytes ? c.req.raw.body : null
    const before = { ...locked, size }
    const upload = body
      ? await receivePart(storage, before, chunksOf(body), { lock, checksum, maxBytes, room })
      : before
    c.header('Upload-Expires', new Date(upload.expires).toUTCString())
    // Rights were asked when it was begun, and are asked again now that it is done.
    if (upload.received === size) await finishUpload(storage, upload, rights)
    return upload.received
  }).finally(() => room.release())
  // A client that goes away does not stop it: what came is stored, and the lock is given back.
  storage.later(work.catch(() => undefined))
  return work
}

/** Who did not say the length at first says it later, once. */
function sizeOf(c: Visiting, { size, received }: Upload, maxBytes: number): number | null {
  const text = c.req.header('upload-length')
  if (text === undefined || methodOf(c) !== 'PATCH') return size
  const said = wholeNumber(text, 'Upload-Length')
  if (size !== null && said !== size) throw errors.invalidStorageRequest('Upload-Length cannot be changed')
  if (said < received || said > maxBytes) throw errors.objectTooLarge(maxBytes)
  return said
}

async function terminate(c: Visiting): Promise<Response> {
  const { upload } = await findUpload(c)
  await withLock(c.var.storage, upload.id, (own) => dropUpload(c.var.storage, own))
  return c.body(null, 204)
}

/**
 * An upload that the caller has begun, and whose rights it has; others' are not there. One that was begun with a signed address
 * is theirs who have it.
 */
async function findUpload(c: Visiting): Promise<{ readonly upload: Upload; readonly rights: ObjectRights }> {
  const { session, rights } = c.var.storage
  const [rows = []] = await session.primary([readUpload(c.req.param('id') ?? '')])
  if (!rows[0]) throw errors.noUpload()
  const upload = uploadOf(rows[0])
  if (upload.expires <= Date.now()) throw errors.noUpload()
  if (upload.caller !== null) {
    const granted = await grantOf(c, `${upload.bucket}/${upload.name}`)
    if (granted === null) throw errors.noUpload()
    return { upload, rights: rightsOf(c, granted) }
  }
  const isTheirs = rights.unbounded || (!upload.secret && upload.owner === rights.owner)
  if (!isTheirs) throw errors.noUpload()
  return { upload, rights }
}

/** Nobody else touches the upload meanwhile. */
async function withLock<Result>(
  { session }: Pick<StorageVisit, 'session'>,
  id: string,
  work: (upload: Upload, lock: string) => Promise<Result>,
): Promise<Result> {
  const lock = crypto.randomUUID()
  const [rows = []] = await session.primary([lockUpload(id, lock, Date.now(), lockMs)])
  if (!rows[0]) throw errors.uploadLocked()
  try {
    return await work(uploadOf(rows[0]), lock)
  } catch (error) {
    throw error instanceof LockLost ? errors.uploadLocked() : error
  } finally {
    await session.primary([unlockUpload(id, lock)]).catch(() => undefined)
  }
}

function wholeNumber(text: string | undefined, name: string): number {
  const number = text !== undefined && /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(number)) throw errors.invalidStorageRequest(`${name} is a whole number`)
  return number
}

/** `key base64,key base64`. */
function readMetadata(text: string): ReadonlyMap<string, string> {
  try {
    const pairs = text.split(',').flatMap((pair) => {
      const [key = '', value = ''] = pair.trim().split(' ')
      if (key === '') return []
      const bytes = Uint8Array.from(atob(value), (char) => char.charCodeAt(0))
      return [[key, new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)] as const]
    })
    return new Map(pairs)
  } catch {
    throw errors.invalidStorageRequest('Upload-Metadata is no list of keys and base64')
  }
}

function readChecksum(text: string | undefined) {
  if (text === undefined) return null
  const [name = '', encoded = ''] = text.split(' ')
  const algorithm = Object.hasOwn(algorithms, name) ? algorithms[name] : undefined
  if (!algorithm)
    throw errors.invalidStorageRequest(`Upload-Checksum knows ${Object.keys(algorithms).join(', ')}`)
  try {
    const value = Uint8Array.from(atob(encoded), (char) => char.charCodeAt(0))
    if (value.length === algorithm.bytes) return { algorithm: algorithm.name, value }
  } catch {
    // It is told below.
  }
  throw errors.invalidStorageRequest('Upload-Checksum holds no such checksum in base64')
}
