/**
 * Takes in one request's bytes of an upload in parts. What is acknowledged is stored: full parts in R2's upload, what is too
 * little for one in an object beside it, the tail; the row says how much of both there is.
 * @module
 */

import type { Room } from '../core/pending-work.ts'
import { errors } from './errors.ts'
import { type Chunks, flowBytes, hex, PartBuffer, partBytes, ticking } from './receive.ts'
import type { StorageVisit } from './storage-context.ts'
import { noteReceived, type Upload } from './upload-rows.ts'

/** How long a lock is held without news of its holder, and how often there is some, in milliseconds. */
export const lockMs = 8000
const beatMs = 2000
/** How long one waits for room, in milliseconds. */
const waitForRoomMs = 4000

export interface PartTerms {
  readonly lock: string
  /** Of all the bytes of this request; null when the client has given none. */
  readonly checksum: { readonly algorithm: string; readonly value: Uint8Array } | null
  readonly maxBytes: number
  /** Room for what is held of it. */
  readonly room: Room
}

export const tailPrefix = 'uploads/'

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
  const digest = terms.checksum ? new crypto.DigestStream(terms.checksum.algorithm) : null
  digest?.digest.catch(() => undefined)
  const writer = digest?.getWriter()
  let current = upload
  /** As the row has it. */
  let known = upload
  let received = upload.received
  let beat = Date.now()
  /** Tails that the row has named and may not name any more. */
  const tails = [upload.tailKey]
  const { room } = terms
  /** Puts what is held beside the parts, in R2, so that others have its room. What has a checksum is not stored before it is right. */
  const putAside = async () => {
    if (digest) throw errors.noRoomForUpload()
    current = await keepTail(visit, current, buffer.rest(), terms.lock)
    known = current
    tails.push(current.tailKey)
    buffer.clear()
    await room.resize(flowBytes)
    beat = Date.now()
  }
  /** Room for so many more bytes. What is held does not wait for it: of those who all hold something, nobody would get on. */
  const makeRoom = async (bytes: number) => {
    const wanted = () => flowBytes + buffer.capacityWith(bytes + (buffer.length === 0 ? current.tail : 0))
    if (wanted() > room.bytes) {
      await room.resize(wanted(), 0).catch(async () => {
        if (buffer.length > 0) await putAside()
        // The lock is ours while it waits.
        known = await note(visit, known, terms.lock)
        await room.resize(wanted(), waitForRoomMs).catch(() => {
          throw errors.noRoomForUpload()
        })
      })
    }
    if (buffer.length > 0 || current.tail === 0) return
    // It is less than a part, so none is full.
    for (const _ of buffer.add(await readTail(files, current)));
  }
  try {
    for await (const chunk of ticking(chunks)) {
      if (chunk === null) {
        if (room.isWanted && buffer.length > 0) await putAside()
        continue
      }
      room.came(chunk.byteLength)
      received += chunk.byteLength
      if (received > (upload.size ?? terms.maxBytes))
        throw errors.objectTooLarge(upload.size ?? terms.maxBytes)
      await writer?.write(chunk)
      await makeRoom(chunk.byteLength)
      for (const part of buffer.add(chunk)) {
        // The lock is ours still, and R2's upload is known to the row before there is anything in it.
        const multipart = current.multipart || (await beginMultipart(files, current))
        known = { ...known, multipart }
        await note(visit, known, terms.lock)
        current = await addPart(files, { ...current, multipart }, part)
        // What has a checksum counts when it is known to be right.
        if (!digest) known = await note(visit, current, terms.lock)
        beat = Date.now()
      }
      if (Date.now() - beat > beatMs) {
        await note(visit, known, terms.lock)
        beat = Date.now()
      }
    }
  } catch (error) {
    await writer?.abort().catch(() => undefined)
    // The client is gone: what came is kept, so that it need not come again.
    if (!digest && !(error instanceof LockLost) && received <= (upload.size ?? terms.maxBytes)) {
      // A part that was not taken is to come again.
      if (buffer.length > 0 && buffer.length < partBytes)
        await keepTail(visit, current, buffer.rest(), terms.lock).catch(() => undefined)
    }
    throw error
  }
  await writer?.close()
  if (digest && terms.checksum && hex(new Uint8Array(await digest.digest)) !== hex(terms.checksum.value)) {
    throw errors.uploadChecksum()
  }
  const kept =
    buffer.length > 0 || current.tail === 0
      ? await keepTail(visit, current, buffer.rest(), terms.lock)
      : await note(visit, current, terms.lock)
  buffer.clear()
  await room.resize(flowBytes)
  const left = tails.filter((key) => key !== null && key !== kept.tailKey) as string[]
  if (left.length > 0) await files.delete(left).catch(() => undefined)
  return kept
}

async function beginMultipart(files: R2Bucket, { blob, mime }: Upload): Promise<string> {
  const { uploadId } = await files.createMultipartUpload(blob, { httpMetadata: { contentType: mime } })
  return uploadId
}

/**
 * Should two requests ever write the same part, the row has the etag of one of them, and R2 refuses to put the upload together
 * with the other.
 */
async function addPart(files: R2Bucket, upload: Upload, part: Uint8Array): Promise<Upload> {
  const multipart = files.resumeMultipartUpload(upload.blob, upload.multipart)
  const stored = await multipart.uploadPart(upload.parts.length + 1, part)
  const parts = [...upload.parts, { partNumber: stored.partNumber, etag: stored.etag }]
  return { ...upload, parts, received: parts.length * partBytes, tail: 0, tailKey: null }
}

/** The bytes that are too few for a part yet. */
export async function readTail(files: R2Bucket, { id, tail, tailKey }: Upload): Promise<Uint8Array> {
  if (tail === 0 || tailKey === null) return new Uint8Array()
  const found = await files.get(tailKey)
  const bytes = found ? new Uint8Array(await found.arrayBuffer()) : null
  if (bytes?.byteLength !== tail) throw new Error(`the tail of upload ${id} is not what was stored`)
  return bytes
}

/** Each tail has a key of its own, which counts once the row names it; the one before is nobody's then. */
async function keepTail(
  visit: Pick<StorageVisit, 'files' | 'session' | 'config'>,
  upload: Upload,
  rest: Uint8Array,
  lock: string,
): Promise<Upload> {
  const tailKey = rest.byteLength > 0 ? `${tailPrefix}${upload.id}/${crypto.randomUUID()}` : null
  if (tailKey !== null) await visit.files.put(tailKey, rest)
  const received = upload.parts.length * partBytes + rest.byteLength
  return note(visit, { ...upload, received, tail: rest.byteLength, tailKey }, lock)
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
