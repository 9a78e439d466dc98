/**
 * Buckets: their rows in `DB`, and what the app declares of them.
 * @module
 */

import { makeUlid } from '../../db/slots/slots.ts'
import type { BoundStatement, Row } from '../../db/sql/statement.ts'

export interface Bucket {
  readonly id: string
  readonly isPublic: boolean
  /** In bytes; null: the app's own limit. */
  readonly maxBytes: number | null
  /** Null: all types. */
  readonly mimeTypes: readonly string[] | null
  readonly owner: string | null
  readonly version: string
  readonly created: number
  readonly updated: number
}

const columns = 'id, public, size_limit, mime_types, owner, version, created, updated'

export function bucketOf(row: Row): Bucket {
  return {
    id: row.id as string,
    isPublic: row.public === 1,
    maxBytes: row.size_limit === null ? null : Number(row.size_limit),
    mimeTypes: row.mime_types === null ? null : (JSON.parse(row.mime_types as string) as string[]),
    owner: row.owner as string | null,
    version: row.version as string,
    created: Number(row.created),
    updated: Number(row.updated),
  }
}

/** A bucket as clients are shown it. */
export function shownBucket(bucket: Bucket) {
  return {
    id: bucket.id,
    name: bucket.id,
    owner: bucket.owner ?? '',
    public: bucket.isPublic,
    type: 'STANDARD',
    file_size_limit: bucket.maxBytes,
    allowed_mime_types: bucket.mimeTypes,
    created_at: new Date(bucket.created).toISOString(),
    updated_at: new Date(bucket.updated).toISOString(),
  }
}

export function readBucket(id: string): BoundStatement {
  return { text: `SELECT ${columns} FROM _atoll_buckets WHERE id = ?1`, parameters: [id] }
}

export const readBuckets: BoundStatement = {
  text: `SELECT ${columns} FROM _atoll_buckets ORDER BY id`,
  parameters: [],
}

export interface BucketSettings {
  readonly isPublic: boolean
  readonly maxBytes: number | null
  readonly mimeTypes: readonly string[] | null
}

function settingsOf({ isPublic, maxBytes, mimeTypes }: BucketSettings): (string | null)[] {
  return [
    isPublic ? '1' : '0',
    maxBytes === null ? null : String(maxBytes),
    mimeTypes && JSON.stringify(mimeTypes),
  ]
}

/** Answers with a row when there was no bucket of the name. */
export function insertBucket(
  id: string,
  settings: BucketSettings,
  owner: string | null,
  now: number,
): BoundStatement {
  return {
    text: `INSERT INTO _atoll_buckets (id, public, size_limit, mime_types, owner, version, created, updated)
      VALUES (?1, CAST(?2 AS INTEGER), CAST(?3 AS INTEGER), ?4, ?5, ?6, CAST(?7 AS INTEGER), CAST(?7 AS INTEGER))
      ON CONFLICT DO NOTHING RETURNING id`,
    parameters: [id, ...settingsOf(settings), owner, makeUlid(now), String(now)],
  }
}

export function updateBucket(id: string, settings: BucketSettings, now: number): BoundStatement {
  return {
    text: `UPDATE _atoll_buckets SET public = CAST(?2 AS INTEGER), size_limit = CAST(?3 AS INTEGER), mime_types = ?4,
      updated = CAST(?5 AS INTEGER) WHERE id = ?1 RETURNING id`,
    parameters: [id, ...settingsOf(settings), String(now)],
  }
}

/** Takes an empty bucket away; answers with its row. */
export function deleteBucket(id: string): BoundStatement {
  return {
    text: `DELETE FROM _atoll_buckets WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM _atoll_objects WHERE bucket = ?1) RETURNING id`,
    parameters: [id],
  }
}
