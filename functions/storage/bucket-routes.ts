/**
 * `/storage/v1/bucket`: for the secret key.
 * @module
 */
import { Hono } from 'hono'
import { z } from 'zod'
import {
  bucketOf,
  deleteBucket,
  insertBucket,
  readBuckets,
  shownBucket,
  updateBucket,
} from './bucket-rows.ts'
import { errors } from './errors.ts'
import { checkBucketName } from './object-name.ts'
import { readJson } from './read-json.ts'
import { removeAll } from './remove-objects.ts'
import { findBucket, type StorageEnv } from './storage-context.ts'

const units: Readonly<Record<string, number>> = { b: 1, kb: 1e3, mb: 1e6, gb: 1e9, tb: 1e12 }

/** Bytes as a number, or as text: `20MB`. */
const byteSize = z.union([
  z.number().int().min(0),
  z
    .string()
    .regex(/^\d+(\.\d+)?\s*([kmgt]?b)?$/i)
    .transform((text) => {
      const [, digits = '0', , unit = 'b'] = /^(\d+(\.\d+)?)\s*([kmgt]?b)?$/i.exec(text) ?? []
      return Math.round(Number(digits) * (units[unit.toLowerCase()] ?? 1))
    }),
])

const settings = z.object({
  public: z.boolean().optional(),
  file_size_limit: byteSize.nullish(),
  allowed_mime_types: z.array(z.string().max(200)).max(100).nullish(),
})
const creation = settings.extend({ id: z.string().optional(), name: z.string() })

const listing = z.object({
  limit: z.coerce.number().int().min(1).max(1000).default(100),
  offset: z.coerce.number().int().min(0).default(0),
  search: z.string().default(''),
  sortColumn: z.enum(['id', 'name', 'created_at', 'updated_at']).default('name'),
  sortOrder: z.enum(['asc', 'desc']).default('asc'),
})

export function createBucketRoutes() {
  const area = new Hono<StorageEnv>({ strict: false })
  area.use(async ({ var: { storage } }, next) => {
    if (!storage.rights.unbounded) throw storage.rights.denied()
    await next()
  })

  area.get('/', async (c) => {
    const asked = listing.safeParse(c.req.query())
    if (!asked.success) throw errors.invalidStorageRequest(asked.error.issues)
    const { limit, offset, search, sortColumn, sortOrder } = asked.data
    const [rows = []] = await c.var.storage.session.primary([readBuckets])
    const found = rows
      .map((row) => shownBucket(bucketOf(row)))
      .filter(({ name }) => name.toLowerCase().includes(search.toLowerCase()))
      .sort((a, b) => (a[sortColumn] < b[sortColumn] ? -1 : 1) * (sortOrder === 'asc' ? 1 : -1))
    return c.json(found.slice(offset, offset + limit))
  })

  area.post('/', async (c) => {
    const { storage } = c.var
    const body = await readJson(storage, creation)
    const id = checkBucketName(body.id ?? body.name)
    const wanted = {
      isPublic: body.public ?? false,
      maxBytes: body.file_size_limit ?? null,
      mimeTypes: body.allowed_mime_types ?? null,
    }
    const [rows = []] = await storage.session.primary([insertBucket(id, wanted, null, Date.now())])
    if (rows.length === 0) throw errors.bucketExists()
    return c.json({ name: id })
  })

  area.get('/:id', async (c) => c.json(shownBucket(await findBucket(c.var.storage, c.req.param('id')))))

  area.put('/:id', async (c) => {
    const { storage } = c.var
    const bucket = await findBucket(storage, c.req.param('id'))
    if (storage.policies.has(bucket.id)) throw errors.declaredBucket(bucket.id)
    const body = await readJson(storage, settings)
    const wanted = {
      isPublic: body.public ?? bucket.isPublic,
      maxBytes: body.file_size_limit === undefined ? bucket.maxBytes : body.file_size_limit,
      mimeTypes: body.allowed_mime_types === undefined ? bucket.mimeTypes : body.allowed_mime_types,
    }
    await storage.session.primary([updateBucket(bucket.id, wanted, Date.now())])
    return c.json({ message: 'Successfully updated' })
  })

  area.post('/:id/empty', async (c) => {
    const bucket = await findBucket(c.var.storage, c.req.param('id'))
    await removeAll(c.var.storage, bucket.id)
    return c.json({ message: 'Successfully emptied' })
  })

  area.delete('/:id', async (c) => {
    const { session, policies } = c.var.storage
    const bucket = await findBucket(c.var.storage, c.req.param('id'))
    if (policies.has(bucket.id)) throw errors.declaredBucket(bucket.id)
    const [rows = []] = await session.primary([deleteBucket(bucket.id)])
    if (rows.length === 0) throw errors.bucketNotEmpty()
    return c.json({ message: 'Successfully deleted' })
  })
  return area
}
