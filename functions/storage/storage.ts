/**
 * `/storage/v1`: files, as Supabase Storage's clients ask for them. Bytes are in R2, what they are called and whose they are in `DB`.
 * Source: https://supabase.com/docs/reference/javascript/storage-createbucket and its neighbours.
 * @module
 */
import { Hono } from 'hono'
import type { Catalog } from '../../db/catalog/catalog.ts'
import type { StorageDeclarations } from '../../db/catalog/storage-policy.ts'
import { AtollError } from '../../db/errors/atoll-error.ts'
import type { CoreConfig } from '../core/config.ts'
import { briefly, isToldBriefly } from '../core/error-response.ts'
import { createBucketPolicies } from './bucket-policies.ts'
import { createBucketRoutes } from './bucket-routes.ts'
import type { StorageConfig } from './config.ts'
import { errors } from './errors.ts'
import { emit } from './events.ts'
import { createObjectRoutes, createRenderRoutes } from './object-routes.ts'
import { type StorageEnv, visitStorage } from './storage-context.ts'
import { createTusRoutes } from './tus-routes.ts'

/** What older clients know errors by, beside their codes. */
const names: Readonly<Record<string, string>> = {
  NoSuchBucket: 'Bucket not found',
  NoSuchKey: 'not_found',
  BucketAlreadyExists: 'Duplicate',
  ResourceAlreadyExists: 'Duplicate',
  EntityTooLarge: 'Payload too large',
  InvalidMimeType: 'invalid_mime_type',
  InvalidBucketName: 'Invalid Input',
  AccessDenied: 'Unauthorized',
}

export function createStorage(
  declarations: StorageDeclarations,
  catalog: Catalog,
  config: CoreConfig & StorageConfig,
) {
  const terms = { policies: createBucketPolicies(declarations, catalog), config }
  const area = new Hono<StorageEnv>({ strict: false })
  area.onError((error, c) => {
    const told = error instanceof AtollError ? error : errors.internal(error)
    if (told.status === 500) {
      emit({
        kind: 'internal-error',
        method: c.req.method,
        path: new URL(c.req.url).pathname,
        error: told.cause,
      })
    }
    const { status, headers } = told
    const body = isToldBriefly(config, c.var.caller) ? briefly(told.body) : told.body
    const shown = { statusCode: String(status), error: names[body.code] ?? body.code, ...body }
    const answer = new Response(c.req.method === 'HEAD' ? null : JSON.stringify(shown), { status, headers })
    answer.headers.set('Content-Type', 'application/json; charset=utf-8')
    if (new URL(c.req.url).pathname.includes('/upload/resumable'))
      answer.headers.set('Tus-Resumable', '1.0.0')
    return answer
  })
  area.use(async (c, next) => {
    c.set('storage', visitStorage(c, terms))
    await next()
  })
  area.route('/bucket', createBucketRoutes())
  area.route('/object', createObjectRoutes())
  area.route('/upload/resumable', createTusRoutes())
  area.route('/render/image', createRenderRoutes())
  // Nothing of ours stands in front of it that would have to be told.
  area.delete('/cdn/:bucket{.+}', (c) => {
    if (!c.var.storage.rights.unbounded) throw c.var.storage.rights.denied()
    return c.json({ message: 'success' })
  })
  area.all('*', () => {
    throw errors.invalidPath()
  })
  return area
}
