/**
 * Takes in one request's bytes of an upload in parts. What is acknowledged is stored: full parts in R2's upload, what is too
 * little for one in an object beside it, the tail; the row says how much of both there is.
 * @module
 */
import { errors } from '../errors.ts'
import { type Chunks, hex, PartBuffer, partBytes } from './receive.ts'
import type { StorageVisit } from './storage-context.ts'
import { noteReceived, type Upload } from './upload-rows.ts'

/** How long a lock is held without news of its holder, and how often there is some, in milliseconds. */
export const lockMs = 10_000
const beatMs = 2500

export interface PartTerms {
  readonly lock: string
  /** Of all the bytes of this request; null when the client has given none. */
  readonly checksum: { readonly algorithm: string; readonly value: Uint8Array } | null
  readonly maxBytes: number
}

export const tailPrefix = 'uploads/'
export const tailKey = ({ id }: Pick<Upload, 'id'>) => `${tailPrefix}${id}/tail`
export const uploadOfTail = (key: string) => key.slice(tailPrefix.length, key.lastIndexOf('/'))

/** Somebody else has taken the upload over. */
export class LockLost extends Error {
  override readonly name = 'LockLost'
}

/** @returns the upload as it is now, as far as it is stored */
export async function receivePart(
  visit: Pick<StorageVisit, 'files' | 'session' | 'config'>,
  upload: Upload,
  chunks: Chunks,
  terms: PartTerms,
): Promise<Upload> {
  const { files } = visit
  const buffer = new PartBuffer()
  if (upload.tail > 0) {
    const tail = await files.get(tailKey(upload), { range: { offset: 0, length: upload.tail } })
    if (!tail) throw new Error(`the tail of upload ${upload.id} is gone`)
    // It is less than a part, so none is full.
    for (const _ of buffer.add(new Uint8Array(await tail.arrayBuffer())));
  }
  const digest = terms.checksum ? new crypto.DigestStream(terms.checksum.algorithm) : null
  digest?.digest.catch(() => undefined)
  const writer = digest?.getWriter()
  let current = upload
  let received = upload.received
  let beat = Date.now()
  try {
    for await (const chunk of chunks) {
      received += chunk.byteLength
      if (received > (upload.size ?? terms.maxBytes))
        throw errors.objectTooLarge(upload.size ?? terms.maxBytes)
      await writer?.write(chunk)
      for (const part of buffer.add(chunk)) {
        current = await addPart(visit, current, part)
        // What has a checksum counts when it is known to be right.
        if (!digest) await note(visit, current, terms.lock)
        beat = Date.now()
      }
      if (Date.now() - beat > beatMs) {
        await note(visit, digest ? upload : current, terms.lock)
        beat = Date.now()
      }
    }
  } catch (error) {
    await writer?.abort().catch(() => undefined)
    // The client is gone: what came is kept, so that it need not come again.
    if (!digest && !(error instanceof LockLost) && received <= (upload.size ?? terms.maxBytes)) {
      await keepTail(visit, current, buffer.rest(), terms.lock).catch(() => undefined)
    }
    throw error
  }
  await writer?.close()
  if (digest && terms.checksum && hex(new Uint8Array(await digest.digest)) !== hex(terms.checksum.value)) {
    throw errors.uploadChecksum()
  }
  return keepTail(visit, current, buffer.rest(), terms.lock)
}

async function addPart(
  { files }: Pick<StorageVisit, 'files'>,
  upload: Upload,
  part: Uint8Array,
): Promise<Upload> {
  const multipart = upload.multipart
    ? files.resumeMultipartUpload(upload.blob, upload.multipart)
    : await files.createMultipartUpload(upload.blob, { httpMetadata: { contentType: upload.mime } })
  const stored = await multipart.uploadPart(upload.parts.length + 1, part)
  const parts = [...upload.parts, { partNumber: stored.partNumber, etag: stored.etag }]
  return { ...upload, multipart: multipart.uploadId, parts, received: parts.length * partBytes, tail: 0 }
}

/** The tail is written before the row counts it; what it begins with is what it was before. */
async function keepTail(
  visit: Pick<StorageVisit, 'files' | 'session' | 'config'>,
  upload: Upload,
  rest: Uint8Array,
  lock: string,
): Promise<Upload> {
  if (rest.byteLength > 0) await visit.files.put(tailKey(upload), rest)
  const received = upload.parts.length * partBytes + rest.byteLength
  return note(visit, { ...upload, received, tail: rest.byteLength }, lock)
}

async function note(
  { session, config }: Pick<StorageVisit, 'session' | 'config'>,
  upload: Upload,
  lock: string,
): Promise<Upload> {
  const now = Date.now()
  const expires = now + config.uploadExpirySeconds * 1000
  const [rows = []] = await session.primary([noteReceived(upload, lock, now + lockMs, expires)])
  if (!rows[0]) throw new LockLost()
  return { ...upload, expires }
}
