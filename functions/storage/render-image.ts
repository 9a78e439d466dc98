/**
 * `/storage/v1/render/image`: images in another size, by Cloudflare's Images, where a binding to it is there.
 * https://supabase.com/docs/guides/storage/serving/image-transformations
 * @module
 */
import { AtollError } from '../../db/errors/atoll-error.ts'
import { errors } from './errors.ts'
import type { Visiting } from './find-object.ts'
import type { StoredObject } from './object-rows.ts'
import { headersOf, isSameAs } from './serve-object.ts'
import type { Transform } from './transform.ts'

/** Bytes of the largest image that is taken, as Supabase has it. */
const maxImageBytes = 25_000_000

const formats = ['image/jpeg', 'image/png', 'image/gif', 'image/webp', 'image/avif'] as const
type Format = (typeof formats)[number]

/**
 * An image in another size.
 *
 * @param look finds it, as far as the caller may have it
 * @throws `STORE016` where nothing transforms images, InvalidRequest for what is no image
 */
export async function renderImage(
  c: Visiting,
  look: () => Promise<StoredObject>,
  transform: Transform,
  isPublic: boolean,
): Promise<Response> {
  const { files, raw, services } = c.var.storage
  if (services.images === null) throw errors.notTransformed()
  const object = await look()
  const own = formats.find((format) => format === object.mime.split(';')[0]?.trim().toLowerCase())
  if (own === undefined) throw errors.invalidStorageRequest('it is no image that can be transformed')
  if (object.size > maxImageBytes) throw errors.objectTooLarge(maxImageBytes)
  const format = formatFor(transform, own, raw.headers.get('accept') ?? '')
  const etag = `"${await hashOf([object.etag, transform, format])}"`
  const headers = headersOf(
    { ...object, mime: format, etag },
    { isPublic, download: c.req.query('download') ?? null },
  )
  headers.delete('Accept-Ranges')
  headers.set('Vary', 'Accept')
  if (isSameAs(raw.headers, etag)) return new Response(null, { status: 304, headers })
  const found = await files.get(object.blob)
  if (found === null) throw errors.noObject()
  try {
    const result = await services.images
      .input(found.body)
      .transform(sizeOf(transform))
      .output({ format, quality: transform.quality })
    headers.set('Content-Type', result.contentType())
    return new Response(raw.method === 'HEAD' ? null : result.image(), { headers })
  } catch (error) {
    if (error instanceof AtollError) throw error
    // What is stored under the name of an image need be none.
    throw errors.invalidStorageRequest(`the image cannot be transformed: ${(error as Error).message}`)
  }
}

function formatFor({ format }: Transform, own: Format, accept: string): Format {
  return format === undefined && /image\/webp/.test(accept) ? 'image/webp' : own
}

function sizeOf({ width, height, resize }: Transform): ImageTransform {
  const fits = { cover: 'cover', contain: 'contain', fill: 'squeeze' } as const
  // Of one side, the other follows.
  const fit = width === undefined || height === undefined ? 'scale-down' : fits[resize]
  return {
    ...(width === undefined ? {} : { width }),
    ...(height === undefined ? {} : { height }),
    fit,
  }
}

async function hashOf(parts: unknown): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(JSON.stringify(parts)))
  return btoa(String.fromCharCode(...new Uint8Array(digest).slice(0, 18)))
}
