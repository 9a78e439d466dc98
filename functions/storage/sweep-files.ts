/**
 * Compares rows and bytes, a page at a time: bytes that no row names go, rows whose bytes are gone are reported, and uploads that
 * nobody goes on with are cleared away.
 * @module
 */
import type { ClusterSession } from '../../db/cluster/session.ts'
import { emit } from '../events.ts'
import { dropUpload } from './finish-upload.ts'
import { lockMs, tailPrefix } from './receive-part.ts'
import { expiredUploads, lockUpload, uploadOf } from './upload-rows.ts'

const prefix = 'objects/'
const pageSize = 500

/** Younger bytes may be some whose row is about to be written, in milliseconds. */
export const orphanAgeMs = 3_600_000

export interface Swept {
  /** Keys of bytes that were taken away. */
  readonly orphans: readonly string[]
  /** Keys of bytes that rows name and that are not there. */
  readonly missing: readonly string[]
  /** Uploads that were cleared away. */
  readonly uploads: number
  /** Where the next page begins; null: at the beginning. */
  readonly after: string | null
}

/** @param after the last key of the page before */
export async function sweepFiles(
  files: R2Bucket,
  session: ClusterSession,
  after: string | null,
  now = Date.now(),
  minAgeMs = orphanAgeMs,
): Promise<Swept> {
  const uploads = await dropExpired(files, session, now)
  const tails = await findLeftTails(files, session, now - minAgeMs)
  const listed = await files.list({
    prefix,
    limit: pageSize,
    ...(after === null ? {} : { startAfter: after }),
  })
  const keys = listed.objects.map(({ key }) => key)
  const end = listed.truncated ? (keys.at(-1) as string) : null
  // Rows are read after the listing: what was committed before it is in both.
  const [named = [], pending = []] = await session.primary([
    {
      text: `SELECT blob, updated FROM _atoll_objects WHERE blob > ?1 AND (?2 IS NULL OR blob <= ?2)`,
      parameters: [after ?? '', end],
    },
    {
      text: 'SELECT blob FROM _atoll_uploads WHERE blob IN (SELECT value FROM json_each(?1))',
      parameters: [JSON.stringify(keys)],
    },
  ])
  const known = new Set([...named, ...pending].map((row) => row.blob as string))
  const blobs = listed.objects
    .filter(({ key, uploaded }) => !known.has(key) && uploaded.getTime() <= now - minAgeMs)
    .map(({ key }) => key)
  const orphans = [...blobs, ...tails]
  const there = new Set(keys)
  const missing = named
    .filter((row) => !there.has(row.blob as string) && Number(row.updated) <= now - minAgeMs)
    .map((row) => row.blob as string)
  if (orphans.length > 0) await files.delete(orphans)
  if (orphans.length + missing.length + uploads > 0) {
    emit({ kind: 'files-swept', orphans: orphans.length, missing, uploads })
  }
  return { orphans, missing, uploads, after: end }
}

/** Tails of uploads that are no more. There are never many. */
async function findLeftTails(files: R2Bucket, session: ClusterSession, before: number): Promise<string[]> {
  const { objects } = await files.list({ prefix: tailPrefix, limit: 1000 })
  const old = objects.filter(({ uploaded }) => uploaded.getTime() <= before).map(({ key }) => key)
  if (old.length === 0) return []
  const [rows = []] = await session.primary([
    {
      text: 'SELECT tail_key FROM _atoll_uploads WHERE tail_key IS NOT NULL',
      parameters: [],
    },
  ])
  const known = new Set(rows.map((row) => row.tail_key as string))
  return old.filter((key) => !known.has(key))
}

const uploadsAtOnce = 50

async function dropExpired(files: R2Bucket, session: ClusterSession, now: number): Promise<number> {
  const [rows = []] = await session.primary([expiredUploads(now, uploadsAtOnce)])
  for (const row of rows) {
    // Whoever comes back to it just now finds it locked.
    const lock = crypto.randomUUID()
    const [locked = []] = await session.primary([lockUpload(row.id as string, lock, now, lockMs)])
    if (locked[0]) await dropUpload({ files, session }, uploadOf(locked[0]))
  }
  return rows.length
}
