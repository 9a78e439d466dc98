/**
 * The statements over uploads in parts: tus, and bodies whose length was not known.
 * @module
 */
import type { BoundStatement, Row } from '../../db/sql/statement.ts'

/** An upload that is under way. */
export interface Upload {
  readonly id: string
  readonly bucket: string
  readonly name: string
  readonly blob: string
  /** R2's name of it; empty as long as there is no part. */
  readonly multipart: string
  /** In bytes; null while the client has not said. */
  readonly size: number | null
  /** Bytes that are stored: in parts, and in the tail. */
  readonly received: number
  readonly parts: readonly R2UploadedPart[]
  readonly tail: number
  /** Where the tail lies in R2; each time elsewhere, so that nobody writes over another's. */
  readonly tailKey: string | null
  readonly mime: string
  readonly cacheControl: string
  readonly metadata: string | null
  readonly owner: string | null
  readonly upsert: boolean
  /** Whether it is the secret key's own. */
  readonly secret: boolean
  /** Who signed the address that it was begun with, JSON; null when it was begun without one. */
  readonly caller: string | null
  /** `Upload-Metadata` as it was sent. */
  readonly said: string | null
  /** The bucket's version when it was begun. */
  readonly version: string | null
  /** Whether it is an object by now. */
  readonly isDone: boolean
  /** Milliseconds since 1970. */
  readonly expires: number
}

const dayMs = 86_400_000

/** Notes an upload in parts that one request makes, so that it is cleared away if the Worker dies over it. */
export function beginUpload(upload: {
  readonly id: string
  readonly bucket: string
  readonly name: string
  readonly blob: string
  readonly multipart: string
  readonly mime: string
  readonly owner: string | null
  readonly upsert: boolean
  readonly secret?: boolean
  readonly caller?: string | null
  readonly said?: string | null
  readonly version?: string | null
  readonly size?: number | null
  readonly cacheControl?: string
  readonly metadata?: string | null
  readonly expires?: number
}): BoundStatement {
  const now = Date.now()
  const row = {
    secret: false,
    caller: null,
    said: null,
    version: null,
    size: null,
    cacheControl: '',
    metadata: null,
    expires: now + dayMs,
    ...upload,
    now,
  }
  return {
    text: `INSERT INTO _atoll_uploads (id, bucket, name, blob, multipart, size, mime, cache_control, metadata, owner, upsert, secret, caller, said, version, created, expires)
      SELECT value->>'id', value->>'bucket', value->>'name', value->>'blob', value->>'multipart', value->>'size', value->>'mime',
      value->>'cacheControl', value->>'metadata', value->>'owner', value->>'upsert', value->>'secret', value->>'caller', value->>'said', value->>'version', value->>'now', value->>'expires'
      FROM json_each(json_array(json(?1)))`,
    parameters: [JSON.stringify(row)],
  }
}

/** What the text of a refusal has when a caller has too many unfinished uploads. */
export const uploadsMark = 'atoll/unfinished-uploads'

/**
 * Counts an upload as one of its caller's, in the transaction that begins it; that fails with `uploadsMark` when they have so many
 * unfinished ones already. To come before it.
 */
export function countUpload(id: string, caller: string, max: number): BoundStatement[] {
  return [
    {
      text: `INSERT INTO _atoll_guard SELECT '${uploadsMark}' WHERE
        (SELECT count(*) FROM _atoll_upload_callers WHERE caller = ?1) >= CAST(?2 AS INTEGER)`,
      parameters: [caller, String(max)],
    },
    { text: 'INSERT INTO _atoll_upload_callers VALUES (?1, ?2)', parameters: [id, caller] },
  ]
}

export function endUpload(id: string): BoundStatement {
  return { text: 'DELETE FROM _atoll_uploads WHERE id = ?1', parameters: [id] }
}

const columns =
  'id, bucket, name, blob, multipart, size, received, parts, tail, tail_key, mime, cache_control, metadata, owner, upsert, secret, caller, said, version, done, expires'

/** Keeps the row of an upload that is an object now, for those who ask how far it came. */
export function uploadDone(id: string): BoundStatement {
  return {
    text: `UPDATE _atoll_uploads SET done = 1, parts = '[]', tail = 0, tail_key = NULL, received = ifnull(size, received) WHERE id = ?1`,
    parameters: [id],
  }
}

export function readUpload(id: string): BoundStatement {
  return { text: `SELECT ${columns} FROM _atoll_uploads WHERE id = ?1`, parameters: [id] }
}

export function uploadOf(row: Row): Upload {
  return {
    id: row.id as string,
    bucket: row.bucket as string,
    name: row.name as string,
    blob: row.blob as string,
    multipart: row.multipart as string,
    size: row.size === null ? null : Number(row.size),
    received: Number(row.received),
    parts: JSON.parse(row.parts as string) as R2UploadedPart[],
    tail: Number(row.tail),
    tailKey: row.tail_key as string | null,
    mime: row.mime as string,
    cacheControl: row.cache_control as string,
    metadata: row.metadata as string | null,
    owner: row.owner as string | null,
    upsert: row.upsert === 1,
    secret: row.secret === 1,
    caller: row.caller as string | null,
    said: row.said as string | null,
    version: row.version as string | null,
    isDone: row.done === 1,
    expires: Number(row.expires),
  }
}

/** Takes the lock of an upload, for a lease; answers with its row when nobody else has it. */
export function lockUpload(id: string, lock: string, now: number, leaseMs: number): BoundStatement {
  return {
    text: `UPDATE _atoll_uploads SET lock = ?2, lock_until = CAST(?3 AS INTEGER) + CAST(?4 AS INTEGER)
      WHERE id = ?1 AND (lock IS NULL OR lock_until <= CAST(?3 AS INTEGER)) RETURNING ${columns}`,
    parameters: [id, lock, String(now), String(leaseMs)],
  }
}

export function unlockUpload(id: string, lock: string): BoundStatement {
  return {
    text: 'UPDATE _atoll_uploads SET lock = NULL WHERE id = ?1 AND lock = ?2',
    parameters: [id, lock],
  }
}

/** Notes what is stored by now, and prolongs the lock; answers with a row as long as the lock is held. */
export function noteReceived(
  { id, received, parts, tail, tailKey, size, multipart }: Upload,
  lock: string,
  lockUntil: number,
  expires: number,
): BoundStatement {
  return {
    text: `UPDATE _atoll_uploads SET received = CAST(?3 AS INTEGER), parts = ?4, tail = CAST(?5 AS INTEGER), size = CAST(?6 AS INTEGER),
      lock_until = CAST(?7 AS INTEGER), expires = CAST(?8 AS INTEGER), multipart = ?9, tail_key = ?10 WHERE id = ?1 AND lock = ?2 RETURNING id`,
    parameters: [
      id,
      lock,
      String(received),
      JSON.stringify(parts),
      String(tail),
      size === null ? null : String(size),
      String(lockUntil),
      String(expires),
      multipart,
      tailKey,
    ],
  }
}

/** Takes the locks of uploads that nobody goes on with, so many of them; answers with their rows. */
export function lockExpired(lock: string, now: number, leaseMs: number, limit: number): BoundStatement {
  return {
    text: `UPDATE _atoll_uploads SET lock = ?1, lock_until = CAST(?2 AS INTEGER) + CAST(?3 AS INTEGER) WHERE id IN
      (SELECT id FROM _atoll_uploads WHERE expires <= CAST(?2 AS INTEGER) AND lock_until <= CAST(?2 AS INTEGER)
      ORDER BY expires LIMIT ${limit}) RETURNING ${columns}`,
    parameters: [lock, String(now), String(leaseMs)],
  }
}

/** Ends those of the uploads that are still held by a lock. */
export function endLocked(ids: readonly string[], lock: string): BoundStatement {
  return {
    text: 'DELETE FROM _atoll_uploads WHERE lock = ?2 AND id IN (SELECT value FROM json_each(?1))',
    parameters: [JSON.stringify(ids), lock],
  }
}
