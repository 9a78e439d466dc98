/**
 * Compares rows and bytes, a page at a time: bytes that no row names go, rows whose bytes are gone are reported, and uploads that
 * nobody goes on with are cleared away.
 * @module
 */
import type { ClusterSession } from '../../db/cluster/session.ts'
import { emit } from './events.ts'
import { abortMultipart } from './finish-upload.ts'
import { lockMs, tailPrefix } from './receive-part.ts'
import { keptForBackups } from './remove-objects.ts'
import { endLocked, lockExpired, type Upload, uploadOf } from './upload-rows.ts'

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
  /** Whether more of them wait, so that it should go on at once. */
  readonly isMore: boolean
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
  const { uploads, isMore } = await dropExpired(files, session, now)
  const tails = await findLeftTails(files, session, now - minAgeMs)
  const listed = await files.list({
    prefix,
    limit: pageSize,
    ...(after === null ? {} : { startAfter: after }),
  })
  const keys = listed.objects.map(({ key }) => key)
  const end = listed.truncated ? (keys.at(-1) as string) : null
  // Rows are read after the listing: what was committed before it is in both.
  const [named = [], pending = [], kept = []] = await session.primary([
    {
      text: `SELECT blob, updated FROM _atoll_objects WHERE blob > ?1 AND (?2 IS NULL OR blob <= ?2)`,
      parameters: [after ?? '', end],
    },
    {
      text: 'SELECT blob FROM _atoll_uploads WHERE blob IN (SELECT value FROM json_each(?1))',
      parameters: [JSON.stringify(keys)],
    },
    { text: keptForBackups, parameters: [JSON.stringify(keys)] },
    forgetGone,
  ])
  const known = new Set([...named, ...pending, ...kept].map((row) => row.blob as string))
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
  return { orphans, missing, uploads, isMore, after: end }
}

/** What no backup keeps needs no note: bytes without a row go. */
const forgetGone = {
  text: "DELETE FROM _atoll_gone_blobs WHERE at < ifnull((SELECT CAST(value AS INTEGER) FROM _atoll_state WHERE key = 'backups-since'), unixepoch() * 1000)",
  parameters: [],
}

/** Tails of uploads that are no more, of the first thousand: a tail is there for each upload that waits. */
async function findLeftTails(files: R2Bucket, session: ClusterSession, before: number): Promise<string[]> {
  const { objects } = await files.list({ prefix: tailPrefix, limit: 1000 })
  const old = objects.filter(({ uploaded }) => uploaded.getTime() <= before).map(({ key }) => key)
  if (old.length === 0) return []
  const [rows = []] = await session.primary([
    {
      text: 'SELECT tail_key FROM _atoll_uploads WHERE tail_key IN (SELECT value FROM json_each(?1))',
      parameters: [JSON.stringify(old)],
    },
  ])
  const known = new Set(rows.map((row) => row.tail_key as string))
  return old.filter((key) => !known.has(key))
}

/** Uploads that are cleared away together: two statements for them, and a call to R2 for each that has parts. */
const uploadsAtOnce = 100
/** Of one run: calls of an invocation are bounded, and whoever has more goes on in the next. */
const uploadsOfRun = 500
/** Connections that may wait for an answer at the same time, in production, less one for others. */
const abortsAtOnce = 5

/** Clears away what nobody goes on with. Whoever comes back to one just now finds it locked. */
export async function dropExpired(
  files: R2Bucket,
  session: ClusterSession,
  now: number,
): Promise<{ readonly uploads: number; readonly isMore: boolean }> {
  let uploads = 0
  for (let run = 0; run < uploadsOfRun; run += uploadsAtOnce) {
    const lock = crypto.randomUUID()
    const [rows = []] = await session.primary([lockExpired(lock, now, lockMs, uploadsAtOnce)])
    const ended = await emptyUploads(files, rows.map(uploadOf))
    if (ended.length > 0) await session.primary([endLocked(ended, lock)])
    uploads += ended.length
    if (rows.length < uploadsAtOnce) return { uploads, isMore: false }
  }
  return { uploads, isMore: true }
}

/** @returns those of which R2 has nothing any more; the others are tried again when their lock is over */
async function emptyUploads(files: R2Bucket, uploads: readonly Upload[]): Promise<string[]> {
  const empty: Upload[] = []
  const left = [...uploads]
  const worker = async () => {
    for (let upload = left.pop(); upload; upload = left.pop()) {
      try {
        await abortMultipart(files, upload)
        empty.push(upload)
      } catch (error) {
        emit({ kind: 'relay-failed', what: `upload ${upload.id}`, error })
      }
    }
  }
  await Promise.all(Array.from({ length: abortsAtOnce }, worker))
  const tails = empty.flatMap(({ tailKey }) => tailKey ?? [])
  if (tails.length > 0) await files.delete(tails)
  return empty.map(({ id }) => id)
}
