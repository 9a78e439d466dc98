/**
 * Puts the app's files for local development into R2 and `DB`, once.
 * @module
 */
import { createHash, randomUUID } from 'node:crypto'
import { drizzle } from 'drizzle-orm/d1'
import type { FileSeed } from '../../db/define.ts'
import { objectColumns, type StoredObject } from '../storage/object-rows.ts'
import { newBlob } from '../storage/store-object.ts'
import type { Stores } from './open-stores.ts'

const doneKey = 'files-seeded'

/** @returns how many files were put in; null when that had been done before */
export async function seedFiles(stores: Stores, seed: FileSeed): Promise<number | null> {
  const databases = await stores.databases()
  const [primary] = [...databases.values()] as [D1Database]
  if (await primary.prepare('SELECT 1 FROM _atoll_state WHERE key = ?').bind(doneKey).first()) return null
  const bucket = await stores.bucket()
  const rows: StoredObject[] = []
  const now = Date.now()
  await seed({
    databases: [...databases.values()].map((database) => drizzle(database)),
    put: async (to, name, body, mime) => {
      const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body
      const blob = newBlob(to)
      const stored = await bucket.put(blob, bytes, { httpMetadata: { contentType: mime } })
      const sha256 = createHash('sha256').update(bytes).digest('hex')
      const about = { bucket: to, name, blob, mime, size: bytes.byteLength, etag: stored.httpEtag, sha256 }
      rows.push({
        id: randomUUID(),
        ...about,
        cacheControl: 'max-age=3600',
        metadata: null,
        owner: null,
        created: now,
        updated: now,
      })
    },
  })
  const names = [
    'id',
    'bucket',
    'name',
    'blob',
    'size',
    'mime',
    'etag',
    'sha256',
    'cacheControl',
    'metadata',
    'owner',
    'created',
    'updated',
  ]
  await primary.batch([
    primary
      .prepare(
        `INSERT OR REPLACE INTO _atoll_objects (${objectColumns}) SELECT ${names.map((name) => `value->>'${name}'`).join(', ')} FROM json_each(?)`,
      )
      .bind(JSON.stringify(rows)),
    primary.prepare("INSERT INTO _atoll_state VALUES (?, datetime('now'))").bind(doneKey),
  ])
  return rows.length
}
