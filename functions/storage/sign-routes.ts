/**
 * Signed addresses: made by who may do it themselves, used by whoever has them.
 * @module
 */
import { z } from 'zod'
import { errors } from './errors.ts'
import { find, place, serve, type Visiting } from './find-object.ts'
import { rightsOfSigned } from './object-access.ts'
import { checkBucketName } from './object-name.ts'
import { objectOf, readObject, type StoredObject } from './object-rows.ts'
import { readJson } from './read-json.ts'
import { maxAtOnce } from './remove-objects.ts'
import { renderImage } from './render-image.ts'
import { findBucket, type StorageVisit } from './storage-context.ts'
import { findPlace, type NewObject, storeBody } from './store-object.ts'
import { type Transform, transformOf } from './transform.ts'

/** Seconds; a century is for ever. */
const expiry = z.number().int().min(1).max(3_155_760_000)
const uploadSeconds = 7200

export async function signDownload(c: Visiting): Promise<Response> {
  const { storage } = c.var
  const [bucket, name] = place(c, 'sign')
  const { expiresIn, transform } = await readJson(
    storage,
    z.object({ expiresIn: expiry, transform: z.unknown().optional() }),
  )
  if (transform !== undefined && storage.services.images === null) throw errors.notTransformed()
  await find(storage, bucket, name)
  const { version } = await findBucket(storage, bucket)
  const asked = transform === undefined ? null : transformOf(transform)
  return c.json({ signedURL: await downloadAddress(storage, version, bucket, name, expiresIn, asked) })
}

export async function signDownloads(c: Visiting): Promise<Response> {
  const { storage } = c.var
  const bucket = checkBucketName(c.req.param('bucket'))
  const { expiresIn, paths } = await readJson(
    storage,
    z.object({ expiresIn: expiry, paths: z.array(z.string()).max(maxAtOnce) }),
  )
  const { version } = await findBucket(storage, bucket)
  const rule = storage.rights.rule(bucket, 'select')
  const [rows = []] = await storage.session.primary([
    {
      text: `SELECT name FROM _atoll_objects WHERE bucket = ? AND name IN (SELECT value FROM json_each(?)) AND (${rule.text}) <> 0`,
      parameters: [bucket, JSON.stringify(paths), ...rule.parameters],
    },
  ])
  const there = new Set(rows.map((row) => row.name as string))
  const signed = paths.map(async (path) =>
    there.has(path)
      ? { error: null, path, signedURL: await downloadAddress(storage, version, bucket, path, expiresIn) }
      : { error: 'Either the object does not exist or you do not have access to it', path, signedURL: null },
  )
  return c.json(await Promise.all(signed))
}

async function downloadAddress(
  { services }: StorageVisit,
  version: string,
  bucket: string,
  name: string,
  seconds: number,
  transform: Transform | null = null,
): Promise<string> {
  const path = `${bucket}/${name}`
  const exp = Math.floor(Date.now() / 1000) + seconds
  const token = await services.addresses.sign({
    purpose: transform === null ? 'download' : 'render',
    path,
    version,
    upsert: false,
    caller: null,
    ...(transform === null ? {} : { transform }),
    exp,
  })
  // Clients encode it themselves.
  return `/${transform === null ? 'object' : 'render/image'}/sign/${path}?token=${token}`
}

export async function downloadSigned(c: Visiting): Promise<Response> {
  const { storage } = c.var
  const [bucket, name] = place(c, 'sign')
  const token = c.req.query('token') ?? ''
  const { version } = await storage.services.addresses.verify(token, 'download', `${bucket}/${name}`)
  await checkVersion(storage, bucket, version)
  return serve(c, () => lookUp(storage, bucket, name), false)
}

async function lookUp({ session }: StorageVisit, bucket: string, name: string): Promise<StoredObject> {
  const [rows = []] = await session.primary([readObject(bucket, name)])
  if (!rows[0]) throw errors.noObject()
  return objectOf(rows[0])
}

/** What was signed is what becomes of the image, whatever the address says beside it. */
export async function renderSigned(c: Visiting): Promise<Response> {
  const { storage } = c.var
  const [bucket, name] = place(c, 'image/sign')
  const grant = await storage.services.addresses.verify(
    c.req.query('token') ?? '',
    'render',
    `${bucket}/${name}`,
  )
  await checkVersion(storage, bucket, grant.version)
  return renderImage(c, () => lookUp(storage, bucket, name), transformOf(grant.transform ?? {}), false)
}

async function checkVersion(visit: StorageVisit, bucket: string, version: string): Promise<void> {
  if ((await findBucket(visit, bucket)).version !== version) {
    throw errors.badSignature('it was signed for another bucket of this name')
  }
}

export async function signUpload(c: Visiting): Promise<Response> {
  const { storage } = c.var
  const { rights } = storage
  const [bucket, name] = place(c, 'upload/sign')
  const upsert = c.req.header('x-upsert') === 'true'
  const { version } = await findBucket(storage, bucket)
  // What it is decides later, with all rights asked again; who could not write anything there gets no address.
  await mayComeToWrite(storage, { bucket, name, upsert, owner: rights.owner, rights })
  const path = `${bucket}/${name}`
  const exp = Math.floor(Date.now() / 1000) + uploadSeconds
  const token = await storage.services.addresses.sign({
    purpose: 'upload',
    path,
    version,
    upsert,
    caller: rights.signed,
    exp,
  })
  return c.json({ url: `/object/upload/sign/${path}?token=${token}`, token })
}

/** A rule over the content type can be asked only when there is one. */
async function mayComeToWrite(visit: StorageVisit, wanted: NewObject): Promise<void> {
  const { rights, bucket } = wanted
  const rules = [rights.rule(bucket, 'insert'), rights.rule(bucket, 'update')]
  if (rules.some(({ text }) => text.includes('"mime"'))) return
  await findPlace(visit, wanted, '')
}

export async function uploadSigned(c: Visiting): Promise<Response> {
  const { storage } = c.var
  const [bucket, name] = place(c, 'upload/sign')
  const token = c.req.query('token') ?? ''
  const grant = await storage.services.addresses.verify(token, 'upload', `${bucket}/${name}`)
  await checkVersion(storage, bucket, grant.version)
  const rights = rightsOfSigned(storage.policies, grant.caller ?? { role: 'anon', claims: {} })
  const { id } = await storeBody(storage, { bucket, name, upsert: grant.upsert, owner: rights.owner, rights })
  return c.json({ Id: id, Key: `${bucket}/${name}` })
}
