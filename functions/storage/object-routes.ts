/**
 * `/storage/v1/object`: upload, download, list, move, copy, remove, sign.
 * @module
 */
import { type Context, Hono } from 'hono'
import { z } from 'zod'
import { errors } from '../errors.ts'
import { copyOrMove } from './copy-object.ts'
import { cursorOf, entryOf, listAll, listLevel, searchLevel, sortColumns } from './list-objects.ts'
import { rightsOfSigned } from './object-access.ts'
import { checkBucketName, nameFromPath } from './object-name.ts'
import { objectInfo, objectOf, readObject, type StoredObject, shownObject } from './object-rows.ts'
import { readJson } from './read-json.ts'
import { maxAtOnce, removeObjects } from './remove-objects.ts'
import { type ServeTerms, serveObject } from './serve-object.ts'
import { findBucket, type StorageEnv, type StorageVisit } from './storage-context.ts'
import { findPlace, type NewObject, storeBody } from './store-object.ts'

type Visiting = Context<StorageEnv>

const sorting = z.object({
  column: z.enum(sortColumns).catch('name').default('name'),
  order: z.enum(['asc', 'desc']).catch('asc').default('asc'),
})
const listing = z.object({
  prefix: z.string().max(1000).default(''),
  limit: z.number().int().min(1).max(maxAtOnce).default(100),
  offset: z.number().int().min(0).default(0),
  search: z.string().max(1000).nullish(),
  sortBy: sorting.nullish(),
})
const listingV2 = z.object({
  prefix: z.string().max(1000).default(''),
  limit: z.number().int().min(1).max(maxAtOnce).default(maxAtOnce),
  cursor: z.string().max(4000).nullish(),
  with_delimiter: z.boolean().default(false),
  sortBy: sorting.nullish(),
})
const naming = z.object({
  bucketId: z.string(),
  sourceKey: z.string(),
  destinationKey: z.string(),
  destinationBucket: z.string().nullish(),
  copyMetadata: z.boolean().optional(),
})
/** Seconds; a century is for ever. */
const expiry = z.number().int().min(1).max(3_155_760_000)
const uploadSeconds = 7200

export function createObjectRoutes() {
  const area = new Hono<StorageEnv>({ strict: false })

  area.post('/list/:bucket', list)
  area.post('/list-v2/:bucket', listV2)
  area.post('/move', async (c) =>
    c.json(await copyOrMove(c.var.storage, await readJson(c.req.raw, naming), 'move')),
  )
  area.post('/copy', async (c) =>
    c.json(await copyOrMove(c.var.storage, await readJson(c.req.raw, naming), 'copy')),
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
    const { prefixes } = await readJson(c.req.raw, z.object({ prefixes: z.array(z.string()).max(maxAtOnce) }))
    const bucket = checkBucketName(c.req.param('bucket'))
    const removed = await remove(c.var.storage, bucket, prefixes)
    return c.json(
      removed.map((object) => ({ ...shownObject(object), bucket_id: bucket, owner: object.owner ?? '' })),
    )
  })
  return area
}

/** Bucket and name in the path of an address, behind its first words. */
function place(c: Visiting, words: string): [bucket: string, name: string] {
  const { pathname } = new URL(c.req.url)
  // `/storage/v1/object`, and the words, each a segment however it is encoded.
  const segments = pathname.split('/').slice(4 + (words === '' ? 0 : words.split('/').length))
  const [bucket = '', ...rest] = segments
  return [checkBucketName(decodedOr(bucket)), nameFromPath(rest.join('/'))]
}

function decodedOr(text: string): string | null {
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}

/** An object that the caller may see; one that they may not see is not there. */
async function find(
  { session, rights }: Pick<StorageVisit, 'session' | 'rights'>,
  bucket: string,
  name: string,
): Promise<StoredObject> {
  const rule = rights.rule(bucket, 'select')
  const { text, parameters } = readObject(bucket, name)
  const [rows = []] = await session.primary([
    {
      text: `${text.replace('?1', '?').replace('?2', '?')} AND (${rule.text}) <> 0`,
      parameters: [...parameters, ...rule.parameters],
    },
  ])
  if (!rows[0]) throw errors.noObject()
  return objectOf(rows[0])
}

async function findPublic(c: Visiting, words: string): Promise<StoredObject> {
  const [bucket, name] = place(c, words)
  const { session } = c.var.storage
  if (!(await findBucket(c.var.storage, bucket)).isPublic) throw errors.noBucket()
  const [rows = []] = await session.primary([readObject(bucket, name)])
  if (!rows[0]) throw errors.noObject()
  return objectOf(rows[0])
}

function serve(c: Visiting, look: () => Promise<StoredObject>, isPublic: boolean): Promise<Response> {
  const terms: ServeTerms = { isPublic, download: c.req.query('download') ?? null }
  return serveObject(c.var.storage, look, terms)
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

async function list(c: Visiting): Promise<Response> {
  const { storage } = c.var
  const { id: bucket } = await findBucket(storage, c.req.param('bucket') ?? '')
  const { prefix, limit, offset, search, sortBy } = await readJson(c.req.raw, listing)
  // Folders' names come with a slash behind them or without.
  const folder = prefix.replace(/^\/+|\/+$/g, '')
  const level = { bucket, prefix: folder === '' ? '' : `${folder}/`, after: '', limit }
  const terms = {
    search: search ?? '',
    offset,
    column: sortBy?.column ?? 'name',
    isDescending: sortBy?.order === 'desc',
  }
  const [rows = []] = await storage.session.primary([
    searchLevel(level, storage.rights.rule(bucket, 'select'), terms),
  ])
  return c.json(
    rows.map((row) => {
      const name = row.entry as string
      const entry = entryOf(row)
      if (entry.kind === 'object') return { ...shownObject(entry.object), name }
      return { name, id: null, created_at: null, updated_at: null, last_accessed_at: null, metadata: null }
    }),
  )
}

async function listV2(c: Visiting): Promise<Response> {
  const { storage } = c.var
  const { id: bucket } = await findBucket(storage, c.req.param('bucket') ?? '')
  const { prefix, limit, cursor, with_delimiter: byFolder, sortBy } = await readJson(c.req.raw, listingV2)
  const isDescending = sortBy?.order === 'desc' && byFolder
  const level = { bucket, prefix, after: readCursor(cursor ?? null), limit: limit + 1, isDescending }
  const rule = storage.rights.rule(bucket, 'select')
  const [rows = []] = await storage.session.primary([
    byFolder ? listLevel(level, rule) : listAll(level, rule),
  ])
  const entries = rows.slice(0, limit).map((row) => entryOf({ is_folder: null, ...row }))
  const end = rows.length > limit ? entries.at(-1) : undefined
  return c.json({
    hasNext: end !== undefined,
    ...(end === undefined ? {} : { nextCursor: writeCursor(cursorOf(end, isDescending)) }),
    folders: entries.flatMap((entry) =>
      entry.kind === 'folder' ? [{ name: entry.name.slice(0, -1), key: entry.name }] : [],
    ),
    objects: entries.flatMap((entry) =>
      entry.kind === 'object' ? [{ ...shownObject(entry.object), key: entry.object.name }] : [],
    ),
  })
}

const writeCursor = (name: string) => btoa(encodeURIComponent(name))

function readCursor(text: string | null): string {
  if (text === null || text === '') return ''
  try {
    return decodeURIComponent(atob(text))
  } catch {
    throw errors.invalidStorageRequest('the cursor is none of ours')
  }
}

async function signDownload(c: Visiting): Promise<Response> {
  const { storage } = c.var
  const [bucket, name] = place(c, 'sign')
  const { expiresIn, transform } = await readJson(
    c.req.raw,
    z.object({ expiresIn: expiry, transform: z.unknown().optional() }),
  )
  if (transform !== undefined) throw errors.notTransformed()
  await find(storage, bucket, name)
  const { version } = await findBucket(storage, bucket)
  return c.json({ signedURL: await downloadAddress(storage, version, bucket, name, expiresIn) })
}

async function signDownloads(c: Visiting): Promise<Response> {
  const { storage } = c.var
  const bucket = checkBucketName(c.req.param('bucket'))
  const { expiresIn, paths } = await readJson(
    c.req.raw,
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
): Promise<string> {
  const path = `${bucket}/${name}`
  const exp = Math.floor(Date.now() / 1000) + seconds
  const token = await services.addresses.sign({
    purpose: 'download',
    path,
    version,
    upsert: false,
    caller: null,
    exp,
  })
  // Clients encode it themselves.
  return `/object/sign/${path}?token=${token}`
}

async function downloadSigned(c: Visiting): Promise<Response> {
  const { storage } = c.var
  const [bucket, name] = place(c, 'sign')
  const token = c.req.query('token') ?? ''
  const { version } = await storage.services.addresses.verify(token, 'download', `${bucket}/${name}`)
  await checkVersion(storage, bucket, version)
  const look = async () => {
    const [rows = []] = await storage.session.primary([readObject(bucket, name)])
    if (!rows[0]) throw errors.noObject()
    return objectOf(rows[0])
  }
  return serve(c, look, false)
}

async function checkVersion(visit: StorageVisit, bucket: string, version: string): Promise<void> {
  if ((await findBucket(visit, bucket)).version !== version) {
    throw errors.badSignature('it was signed for another bucket of this name')
  }
}

async function signUpload(c: Visiting): Promise<Response> {
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

async function uploadSigned(c: Visiting): Promise<Response> {
  const { storage } = c.var
  const [bucket, name] = place(c, 'upload/sign')
  const token = c.req.query('token') ?? ''
  const grant = await storage.services.addresses.verify(token, 'upload', `${bucket}/${name}`)
  await checkVersion(storage, bucket, grant.version)
  const rights = rightsOfSigned(storage.declarations, grant.caller ?? { role: 'anon', claims: {} })
  const { id } = await storeBody(storage, { bucket, name, upsert: grant.upsert, owner: rights.owner, rights })
  return c.json({ Id: id, Key: `${bucket}/${name}` })
}
