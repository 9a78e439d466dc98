/**
 * Stores an object: its bytes under a key of their own, then its row, which is what readers see; then the bytes that it replaced
 * are nobody's, and a job takes them away. Whatever fails in between leaves the old object whole.
 * @module
 */

import { pause } from '../../db/cluster/pause.ts'
import { makeUlid } from '../../db/slots/slots.ts'
import type { BoundStatement } from '../../db/sql/statement.ts'
import { type Bucket, bucketOf, readBucket } from './bucket-rows.ts'
import { errors } from './errors.ts'
import type { ObjectRights } from './object-access.ts'
import { objectOf, putObject, readObject, type StoredObject } from './object-rows.ts'
import { readForm } from './read-form.ts'
import {
  chunksOf,
  flowBytes,
  type Received,
  type ReceiveTerms,
  receiveBody,
  receiveChunks,
  type WantedChecksums,
} from './receive.ts'
import { deleteBlobs, wakeFor } from './remove-objects.ts'
import { checkMime, findBucket, maxBytesOf, type StorageVisit } from './storage-context.ts'
import { beginUpload, endUpload } from './upload-rows.ts'

/** What is to be stored, and how. */
export interface NewObject {
  readonly bucket: string
  readonly name: string
  /** Whether it may take the place of another. */
  readonly upsert: boolean
  /** Whether there must be another in whose place it comes. */
  readonly mustExist?: boolean
  readonly owner: string | null
  /** Of who writes it, or of who signed the address; asked before and after the bytes have come in. */
  readonly rights: ObjectRights
}

export interface Described {
  readonly mime: string
  readonly cacheControl: string
  readonly metadata: string | null
}

/** The key in R2 for a new version of an object. */
export function newBlob(bucket: string): string {
  return `objects/${bucket}/${makeUlid()}`
}

/** Stores the body of a request. */
export async function storeBody(visit: StorageVisit, wanted: NewObject): Promise<StoredObject> {
  const { raw } = visit
  const type = raw.headers.get('content-type') ?? 'application/octet-stream'
  const body = raw.body ?? new Blob([]).stream()
  if (type.toLowerCase().startsWith('multipart/form-data')) {
    // What comes before the file is held, too.
    const { pending } = visit.services
    await pending.enterFor(raw, flowBytes)
    try {
      const form = await readForm(body, type)
      const described = () =>
        describe(form.mime, form.fields.get('cacheControl') ?? null, form.fields.get('metadata') ?? null)
      return await store(visit, wanted, described, (terms) => receiveChunks(form.file, terms), form.mime)
    } finally {
      pending.done(raw)
    }
  }
  const length = Number(raw.headers.get('content-length') ?? Number.NaN)
  const described = (mime: string) =>
    describe(mime, raw.headers.get('cache-control'), metadataOf(raw.headers))
  return store(
    visit,
    wanted,
    described,
    (terms) =>
      Number.isSafeInteger(length) && raw.headers.get('content-encoding') === null
        ? receiveBody(body, length, terms)
        : receiveChunks(chunksOf(body), terms),
    type,
    Number.isSafeInteger(length) ? length : 0,
  )
}

/** @param described asked once the bytes are in, since fields of a form may come behind its file */
async function store(
  visit: StorageVisit,
  wanted: NewObject,
  described: (mime: string) => Described,
  receive: (terms: ReceiveTerms) => Promise<Received>,
  said: string,
  announcedBytes = 0,
): Promise<StoredObject> {
  const { session, files, config, raw } = visit
  const { bucket, found, mime } = await findPlace(visit, wanted, said)
  const maxBytes = maxBytesOf(bucket, config)
  if (announcedBytes > maxBytes) throw errors.objectTooLarge(maxBytes)
  const blob = newBlob(wanted.bucket)
  let multipart: string | null = null
  const room = await visit.services.pending.enterFor(raw, flowBytes)
  const received = await receive({
    room,
    files,
    blob,
    mime,
    maxBytes,
    wanted: checksumsOf(raw.headers),
    began: async (id) => {
      multipart = id
      const { name, owner, upsert } = wanted
      await session.primary([
        beginUpload({ id: blob, bucket: bucket.id, name, blob, multipart: id, mime, owner, upsert }),
      ])
    },
  })
    .catch(async (error) => {
      if (multipart !== null) await session.primary([endUpload(blob)]).catch(() => undefined)
      throw error
    })
    .finally(() => room.release())
  const beside = multipart === null ? [] : [endUpload(blob)]
  return commitObject(visit, wanted, { ...received, blob }, described(mime), beside, found)
}

/** The bucket, and what has the name there; null when it is free. */
export interface Place {
  readonly bucket: Bucket
  readonly found: StoredObject | null
  /** The content type, as it is kept. */
  readonly mime: string
}

/**
 * Whether the name is free, or what is there may be replaced.
 *
 * @throws AtollError when the caller may not write it so
 */
export async function findPlace(
  { session }: Pick<StorageVisit, 'session'>,
  { bucket, name, upsert, mustExist, owner, rights }: NewObject,
  said: string,
): Promise<Place> {
  const rule = rights.rule(bucket, 'update')
  const [[bucketRow] = [], rows = [], [may] = []] = await session.primary([
    readBucket(bucket),
    readObject(bucket, name),
    {
      text: `SELECT (${rule.text}) <> 0 AS allowed FROM _atoll_objects WHERE bucket = ? AND name = ?`,
      parameters: [...rule.parameters, bucket, name],
    },
  ])
  if (!bucketRow) throw errors.noBucket()
  const found = rows[0] ? objectOf(rows[0]) : null
  const kept = bucketOf(bucketRow)
  const mime = said === '' ? '' : checkMime(kept, said)
  const replaces = found !== null && upsert
  const operation = replaces || mustExist ? 'update' : 'insert'
  await rights.check(session, operation, { bucket, name, mime, owner })
  if (found === null && mustExist) throw errors.noObject()
  // That a name is taken is told to those who could have written it.
  if (found !== null && !upsert) throw errors.objectExists()
  if (replaces && may?.allowed !== 1) throw rights.denied()
  return { bucket: kept, found, mime }
}

/** Times that a commit is tried when others write the same name. */
const maxTries = 20

/**
 * Makes what came in the object of its name. Its bytes are taken away again when that fails.
 *
 * @param beside what is committed with it
 * @param seen what had the name when the caller's right to write it was found; asked again when something else has it by now
 */
export async function commitObject(
  visit: StorageVisit,
  wanted: NewObject,
  received: Omit<Received, 'sha256'> & { readonly blob: string; readonly sha256: string | null },
  { mime, cacheControl, metadata }: Described,
  beside: readonly BoundStatement[] = [],
  seen: StoredObject | null | undefined = undefined,
): Promise<StoredObject> {
  const { session, services } = visit
  const { blob, size, etag, sha256 } = received
  try {
    for (let tries = 1; tries <= maxTries; tries++) {
      const isKnown = tries === 1 && seen !== undefined
      const old = isKnown ? seen : (await findPlace(visit, wanted, mime)).found
      const now = Date.now()
      const object: StoredObject = {
        id: old?.id ?? crypto.randomUUID(),
        bucket: wanted.bucket,
        name: wanted.name,
        blob,
        size,
        mime,
        etag,
        sha256,
        cacheControl,
        metadata,
        owner: wanted.owner,
        created: old?.created ?? now,
        updated: now,
      }
      const replaced = old === null ? [] : deleteBlobs([old.blob], services.cluster.primary, now)
      const [rows = []] = await session
        .primary([putObject(object, old?.blob ?? null), isThere(blob), ...replaced, ...beside])
        .catch((error) => {
          if (isOvertaken(error)) return []
          throw error
        })
      if (!rows[0]) {
        await pause(Math.random() * 20)
        continue
      }
      if (old !== null) wakeFor(visit)
      return objectOf(rows[0])
    }
    await findBucket(visit, wanted.bucket)
    throw errors.objectExists()
  } catch (error) {
    // The row may be there though the answer was lost: then the bytes are not nobody's, and the sweep knows.
    if (isAnswer(error)) await visit.files.delete(blob).catch(() => undefined)
    throw error
  }
}

const overtaken = 'atoll/overtaken'

/** Fails, and with it the transaction, when somebody else was quicker: then nothing beside it is done either. */
function isThere(blob: string): BoundStatement {
  return {
    text: `INSERT INTO _atoll_guard SELECT '${overtaken}' WHERE NOT EXISTS (SELECT 1 FROM _atoll_objects WHERE blob = ?1)`,
    parameters: [blob],
  }
}

function isOvertaken(error: unknown): boolean {
  return error instanceof Error && String(error.cause).includes(overtaken)
}

/** Whether an error says that nothing was written. */
function isAnswer(error: unknown): boolean {
  return error instanceof Error && 'status' in error && Number(error.status) < 500
}

const defaultCacheControl = 'no-cache'

export function describe(mime: string, cacheControl: string | null, metadata: string | null): Described {
  // Some send seconds, some a directive.
  const seconds =
    cacheControl !== null && /^\d+$/.test(cacheControl) ? `max-age=${cacheControl}` : cacheControl
  return {
    mime,
    cacheControl: checkHeader(seconds ?? defaultCacheControl),
    metadata: checkMetadata(metadata),
  }
}

function checkHeader(value: string): string {
  if (!/^[\x20-\x7e]{1,200}$/.test(value))
    throw errors.invalidStorageRequest('Cache-Control is no such header')
  return value
}

const maxMetadataLength = 10_000

function checkMetadata(text: string | null): string | null {
  if (text === null || text === '') return null
  if (text.length > maxMetadataLength) throw errors.invalidStorageRequest('the metadata is too large')
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return JSON.stringify(value)
  } catch {
    // It is told below.
  }
  throw errors.invalidStorageRequest('the metadata is no JSON object')
}

function metadataOf(headers: Headers): string | null {
  const encoded = headers.get('x-metadata')
  if (encoded === null) return null
  try {
    return new TextDecoder().decode(Uint8Array.from(atob(encoded), (char) => char.charCodeAt(0)))
  } catch {
    throw errors.invalidStorageRequest('x-metadata is no base64')
  }
}

/** RFC 1864 and the header that S3 has for SHA-256, both in base64. */
function checksumsOf(headers: Headers): WantedChecksums {
  const read = (name: string, length: number) => {
    const text = headers.get(name)
    if (text === null) return null
    try {
      const bytes = Uint8Array.from(atob(text.trim()), (char) => char.charCodeAt(0))
      if (bytes.length === length) return bytes
    } catch {
      // It is told below.
    }
    throw errors.invalidStorageRequest(`${name} is no such checksum in base64`)
  }
  const md5 = read('content-md5', 16)
  const sha256 = read('x-amz-checksum-sha256', 32)
  return { ...(md5 ? { MD5: md5 } : {}), ...(sha256 ? { 'SHA-256': sha256 } : {}) }
}
