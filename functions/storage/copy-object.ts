/**
 * Copies and moves objects. A move changes the row alone; a copy has bytes of its own.
 * @module
 */
import { errors } from './errors.ts'
import { checkBucketName, checkObjectName } from './object-name.ts'
import { moveObject, objectOf, readObject, type StoredObject } from './object-rows.ts'
import { findBucket, maxBytesOf, type StorageVisit } from './storage-context.ts'
import { commitObject, findPlace, newBlob } from './store-object.ts'

export interface Naming {
  readonly bucketId: string
  readonly sourceKey: string
  readonly destinationKey: string
  readonly destinationBucket?: string | null | undefined
}

export async function copyOrMove(visit: StorageVisit, naming: Naming, what: 'copy' | 'move') {
  const { session, rights, config, raw } = visit
  const bucket = checkBucketName(naming.bucketId)
  const source = await findReadable(visit, bucket, checkObjectName(naming.sourceKey), what)
  const target = await findBucket(visit, checkBucketName(naming.destinationBucket ?? bucket))
  const name = checkObjectName(naming.destinationKey)
  if (source.size > maxBytesOf(target, config)) throw errors.objectTooLarge(maxBytesOf(target, config))
  const upsert = what === 'copy' && raw.headers.get('x-upsert') === 'true'
  const owner = what === 'move' ? source.owner : rights.owner
  const wanted = { bucket: target.id, name, upsert, owner, rights }
  const Key = `${target.id}/${name}`
  if (what === 'move') {
    await findPlace(visit, wanted, source.mime)
    const [rows = []] = await session.primary([moveObject(source, target.id, name, Date.now())])
    if (!rows[0]) throw errors.objectExists()
    return { message: 'Successfully moved', Id: source.id, Key }
  }
  const { found } = await findPlace(visit, wanted, source.mime)
  const copied = await copyBytes(visit, source, newBlob(target.id))
  const { id } = await commitObject(visit, wanted, { ...source, ...copied }, source, [], found)
  return { Id: id, Key }
}

/** What is moved must be the caller's to take away, what is copied theirs to read. */
async function findReadable(
  { session, rights }: StorageVisit,
  bucket: string,
  name: string,
  what: 'copy' | 'move',
): Promise<StoredObject> {
  const rules = what === 'move' ? (['select', 'update'] as const) : (['select'] as const)
  const all = rules.map((operation) => rights.rule(bucket, operation))
  const { text, parameters } = readObject(bucket, name)
  const [rows = []] = await session.primary([
    {
      text: `${text.replace('?1', '?').replace('?2', '?')} AND ${all.map((rule) => `(${rule.text}) <> 0`).join(' AND ')}`,
      parameters: [...parameters, ...all.flatMap((rule) => rule.parameters)],
    },
  ])
  if (!rows[0]) throw errors.noObject()
  return objectOf(rows[0])
}

/** R2's binding copies nothing by itself: the bytes flow through, and no more of them than are on their way are kept. */
async function copyBytes({ files }: StorageVisit, source: StoredObject, blob: string) {
  const found = await files.get(source.blob)
  if (!found) throw errors.noObject()
  const fixed = new FixedLengthStream(source.size)
  const flow = found.body.pipeTo(fixed.writable)
  flow.catch(() => undefined)
  const stored = await files.put(blob, fixed.readable, { httpMetadata: { contentType: source.mime } })
  await flow
  return { blob, etag: stored.httpEtag }
}
