/**
 * `/storage/v1/object`: upload, download, list, move, copy, remove, sign.
 * @module
 */
import { Hono } from 'hono'
import { z } from 'zod'
import { copyOrMove } from './copy-object.ts'
import { errors } from './errors.ts'
import { find, place, serve, type Visiting } from './find-object.ts'
import { list, listV2 } from './list-routes.ts'
import { checkBucketName } from './object-name.ts'
import { objectInfo, objectOf, readObject, type StoredObject, shownObject } from './object-rows.ts'
import { readJson } from './read-json.ts'
import { maxAtOnce, removeObjects } from './remove-objects.ts'
import { renderImage } from './render-image.ts'
import {
  downloadSigned,
  renderSigned,
  signDownload,
  signDownloads,
  signUpload,
  uploadSigned,
} from './sign-routes.ts'
import { findBucket, type StorageEnv, type StorageVisit } from './storage-context.ts'
import { type NewObject, storeBody } from './store-object.ts'
import { transformOf } from './transform.ts'

const naming = z.object({
  bucketId: z.string(),
  sourceKey: z.string(),
  destinationKey: z.string(),
  destinationBucket: z.string().nullish(),
  copyMetadata: z.boolean().optional(),
})
export function createObjectRoutes() {
  const area = new Hono<StorageEnv>({ strict: false })

  area.post('/list/:bucket', list)
  area.post('/list-v2/:bucket', listV2)
  area.post('/move', async (c) =>
    c.json(await copyOrMove(c.var.storage, await readJson(c.var.storage, naming), 'move')),
  )
  area.post('/copy', async (c) =>
    c.json(await copyOrMove(c.var.storage, await readJson(c.var.storage, naming), 'copy')),
  )
  area.post('/upload/sign/:bucket/:name{[^]+}', signUpload)
  area.put('/upload/sign/:bucket/:name{[^]+}', uploadSigned)
  area.post('/sign/:bucket/:name{[^]+}', signDownload)
  area.post('/sign/:bucket', signDownloads)
  area.get('/sign/:bucket/:name{[^]+}', downloadSigned)
  area.get('/info/public/:bucket/:name{[^]+}', async (c) =>
    c.json(objectInfo(await findPublic(c, 'info/public'))),
  )
  area.get('/info/authenticated/:bucket/:name{[^]+}', async (c) =>
    c.json(objectInfo(await find(c.var.storage, ...place(c, 'info/authenticated')))),
  )
  area.get('/info/:bucket/:name{[^]+}', async (c) =>
    c.json(objectInfo(await find(c.var.storage, ...place(c, 'info')))),
  )
  area.get('/public/:bucket/:name{[^]+}', (c) => serve(c, () => findPublic(c, 'public'), true))
  area.get('/authenticated/:bucket/:name{[^]+}', (c) =>
    serve(c, () => find(c.var.storage, ...place(c, 'authenticated')), false),
  )
  area.get('/:bucket/:name{[^]+}', (c) => serve(c, () => find(c.var.storage, ...place(c, '')), false))
  area.post('/:bucket/:name{[^]+}', async (c) => store(c, c.req.header('x-upsert') === 'true', false))
  area.put('/:bucket/:name{[^]+}', async (c) => store(c, true, true))
  area.delete('/:bucket/:name{[^]+}', async (c) => {
    const [bucket, name] = place(c, '')
    const removed = await remove(c.var.storage, bucket, [name])
    if (removed.length === 0) throw errors.noObject()
    return c.json({ message: 'Successfully deleted' })
  })
  area.delete('/:bucket', async (c) => {
    const { prefixes } = await readJson(
      c.var.storage,
      z.object({ prefixes: z.array(z.string()).max(maxAtOnce) }),
    )
    const bucket = checkBucketName(c.req.param('bucket'))
    const removed = await remove(c.var.storage, bucket, prefixes)
    return c.json(
      removed.map((object) => ({ ...shownObject(object), bucket_id: bucket, owner: object.owner ?? '' })),
    )
  })
  return area
}

/** `/storage/v1/render/image`: images in other sizes. */
export function createRenderRoutes() {
  const area = new Hono<StorageEnv>({ strict: false })
  area.get('/public/:bucket/:name{[^]+}', (c) =>
    renderImage(c, () => findPublic(c, 'image/public'), transformOf(c.req.query()), true),
  )
  area.get('/authenticated/:bucket/:name{[^]+}', (c) => {
    const look = () => find(c.var.storage, ...place(c, 'image/authenticated'))
    return renderImage(c, look, transformOf(c.req.query()), false)
  })
  area.get('/sign/:bucket/:name{[^]+}', renderSigned)
  return area
}

async function findPublic(c: Visiting, words: string): Promise<StoredObject> {
  const [bucket, name] = place(c, words)
  const { session } = c.var.storage
  if (!(await findBucket(c.var.storage, bucket)).isPublic) throw errors.noBucket()
  const [rows = []] = await session.primary([readObject(bucket, name)])
  if (!rows[0]) throw errors.noObject()
  return objectOf(rows[0])
}

async function store(c: Visiting, upsert: boolean, mustExist: boolean): Promise<Response> {
  const { storage } = c.var
  const [bucket, name] = place(c, '')
  const wanted: NewObject = {
    bucket,
    name,
    upsert,
    mustExist,
    owner: storage.rights.owner,
    rights: storage.rights,
  }
  const { id } = await storeBody(storage, wanted)
  return c.json({ Id: id, Key: `${bucket}/${name}` })
}

/** Takes away those of the names that the caller may take away and see; the others are passed over. */
async function remove(
  visit: StorageVisit,
  bucket: string,
  names: readonly string[],
): Promise<StoredObject[]> {
  const { session, rights } = visit
  const [may, sees] = [rights.rule(bucket, 'delete'), rights.rule(bucket, 'select')]
  const [rows = []] = await session.primary([
    {
      text: `SELECT * FROM _atoll_objects WHERE bucket = ? AND name IN (SELECT value FROM json_each(?))
        AND (${may.text}) <> 0 AND (${sees.text}) <> 0`,
      parameters: [bucket, JSON.stringify(names), ...may.parameters, ...sees.parameters],
    },
  ])
  return removeObjects(
    visit,
    rows.map((row) => objectOf({ ...row })),
  )
}
