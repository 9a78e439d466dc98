/**
 * Which object an address means, and whether the caller may have it.
 * @module
 */
import type { Context } from 'hono'
import { errors } from './errors.ts'
import { checkBucketName, nameFromPath } from './object-name.ts'
import { objectOf, readObject, type StoredObject } from './object-rows.ts'
import { type ServeTerms, serveObject } from './serve-object.ts'
import type { StorageEnv, StorageVisit } from './storage-context.ts'

export type Visiting = Context<StorageEnv>

/** Bucket and name in the path of an address, behind its first words. */
export function place(c: Visiting, words: string): [bucket: string, name: string] {
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
export async function find(
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

/** @param look finds it, as far as the caller may have it */
export function serve(c: Visiting, look: () => Promise<StoredObject>, isPublic: boolean): Promise<Response> {
  const terms: ServeTerms = { isPublic, download: c.req.query('download') ?? null }
  return serveObject(c.var.storage, look, terms)
}
