/**
 * Makes an upload whose bytes are all there an object. Each step can be done again, so that whoever finds it half done goes on.
 * @module
 */
import { makeUlid } from '../../db/cluster/slots.ts'
import { insertJobs } from '../jobs/job-rows.ts'
import type { ObjectRights } from './object-access.ts'
import type { StoredObject } from './object-rows.ts'
import { tailKey } from './receive-part.ts'
import type { StorageVisit } from './storage-context.ts'
import { hashObjectJob } from './storage-jobs.ts'
import { commitObject } from './store-object.ts'
import { endUpload, type Upload } from './upload-rows.ts'

/** @param rights of who uploads; null when the right was granted before */
export async function finishUpload(
  visit: StorageVisit,
  upload: Upload,
  rights: ObjectRights | null,
): Promise<StoredObject> {
  const { files, services, later } = visit
  const { bucket, name, upsert, owner, blob, mime, cacheControl, metadata } = upload
  const { size, etag } = (await files.head(blob).then(stored)) ?? (await putTogether(files, upload))
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
  const object = await commitObject(visit, wanted, received, { mime, cacheControl, metadata }, [
    endUpload(upload.id),
    ...hash,
  ])
  await files.delete(tailKey(upload)).catch(() => undefined)
  if (services.relay) later(services.relay.carry(primary).catch(() => undefined))
  return object
}

function stored(found: R2Object | null) {
  return found === null ? null : { size: found.size, etag: found.httpEtag }
}

async function putTogether(files: R2Bucket, upload: Upload) {
  const options = { httpMetadata: { contentType: upload.mime } }
  const tail =
    upload.tail === 0 ? null : await files.get(tailKey(upload), { range: { offset: 0, length: upload.tail } })
  if (upload.tail > 0 && !tail) throw new Error(`the tail of upload ${upload.id} is gone`)
  const rest = tail ? await tail.arrayBuffer() : new ArrayBuffer(0)
  if (upload.parts.length === 0)
    return stored(await files.put(upload.blob, rest, options)) as { size: number; etag: string }
  const multipart = files.resumeMultipartUpload(upload.blob, upload.multipart)
  const last = rest.byteLength > 0 ? [await multipart.uploadPart(upload.parts.length + 1, rest)] : []
  return stored(await multipart.complete([...upload.parts, ...last])) as { size: number; etag: string }
}

/** Takes an upload away with all that it has stored. */
export async function dropUpload(
  { files, session }: Pick<StorageVisit, 'files' | 'session'>,
  upload: Upload,
): Promise<void> {
  if (upload.multipart) {
    await files
      .resumeMultipartUpload(upload.blob, upload.multipart)
      .abort()
      .catch(() => undefined)
  }
  await files.delete([tailKey(upload)])
  await session.primary([endUpload(upload.id)])
}
