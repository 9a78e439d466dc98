/**
 * Makes an upload whose bytes are all there an object. Each step can be done again, so that whoever finds it half done goes on.
 * @module
 */

import { AtollError } from '../../db/errors/atoll-error.ts'
import { makeUlid } from '../../db/slots/slots.ts'
import { insertJobs } from '../jobs/area.ts'
import { errors } from './errors.ts'
import type { ObjectRights } from './object-access.ts'
import type { StoredObject } from './object-rows.ts'
import { readTail } from './receive-part.ts'
import { findBucket, type StorageVisit } from './storage-context.ts'
import { hashObjectJob } from './storage-jobs.ts'
import { commitObject } from './store-object.ts'
import { endUpload, type Upload, uploadDone } from './upload-rows.ts'

/**
 * @param rights of who uploads, or of who signed the address for it
 * @throws AtollError when it may not be there: then it is taken away
 */
export async function finishUpload(
  visit: StorageVisit,
  upload: Upload,
  rights: ObjectRights,
): Promise<StoredObject> {
  const { files, services, later } = visit
  const { bucket, name, upsert, owner, blob, mime, cacheControl, metadata } = upload
  const place = await findBucket(visit, bucket)
  // Its bytes, its type and its right were checked for another bucket of this name.
  if (upload.version !== null && place.version !== upload.version) {
    await dropUpload(visit, upload)
    throw errors.noBucket()
  }
  const { size, etag } = (await files.head(blob).then(stored)) ?? (await putTogether(visit, upload))
  if (size !== upload.size) throw new Error(`upload ${upload.id} has ${size} bytes`)
  const { primary } = services.cluster
  const now = Date.now()
  const hash = insertJobs([
    {
      id: `${primary}.${makeUlid(now)}`,
      name: hashObjectJob,
      queue: 'default',
      payload: JSON.stringify({ blob }),
      value: null,
      lane: null,
      key: null,
      key_until: null,
      due: now,
      created: now,
      deadline: null,
    },
  ])
  const wanted = { bucket, name, upsert, owner, rights }
  const received = { blob, size, etag, sha256: null }
  const beside = [uploadDone(upload.id), ...hash]
  const object = await commitObject(visit, wanted, received, { mime, cacheControl, metadata }, beside).catch(
    async (error) => {
      if (isRefusal(error)) await dropUpload(visit, upload)
      throw error
    },
  )
  if (upload.tailKey !== null) await files.delete(upload.tailKey).catch(() => undefined)
  if (services.relay) later(services.relay.carry(primary).catch(() => undefined))
  return object
}

function stored(found: R2Object | null) {
  return found === null ? null : { size: found.size, etag: found.httpEtag }
}

/** Whether it would be refused again. */
function isRefusal(error: unknown): boolean {
  return error instanceof AtollError && error.status < 500
}

async function putTogether(visit: StorageVisit, upload: Upload) {
  const room = await visit.services.pending.enter(upload.tail)
  try {
    return await putPartsTogether(visit.files, upload)
  } finally {
    room.release()
  }
}

async function putPartsTogether(files: R2Bucket, upload: Upload) {
  const options = { httpMetadata: { contentType: upload.mime } }
  const rest = await readTail(files, upload)
  const { blob, parts, multipart } = upload
  if (parts.length === 0)
    return stored(await files.put(blob, rest, options)) as {
      size: number
      etag: string
    }
  const resumed = files.resumeMultipartUpload(blob, multipart)
  const last = rest.byteLength > 0 ? [await resumed.uploadPart(parts.length + 1, rest)] : []
  return stored(await resumed.complete([...parts, ...last])) as { size: number; etag: string }
}

/** Takes an upload away with all that it has stored; of one that is done, what is known of it. */
export async function dropUpload(
  { files, session }: Pick<StorageVisit, 'files' | 'session'>,
  upload: Upload,
): Promise<void> {
  await abortMultipart(files, upload)
  if (upload.tailKey !== null) await files.delete(upload.tailKey)
  await session.primary([endUpload(upload.id)])
}

/** Takes away what R2 holds of its parts. */
export async function abortMultipart(files: R2Bucket, upload: Upload): Promise<void> {
  if (upload.isDone || !upload.multipart) return
  const multipart = files.resumeMultipartUpload(upload.blob, upload.multipart)
  // R2 does not know it any more when it was put together.
  await multipart.abort().catch((error) => {
    if (!/does not exist|10024|NoSuchUpload/i.test(String(error))) throw error
  })
}
