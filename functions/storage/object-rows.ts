/**
 * The statements over objects' rows. A row is the truth of what a name holds; bytes that no row names are nobody's.
 * @module
 */
import type { BoundStatement, Row } from '../../db/sql/statement.ts'

export interface StoredObject {
  readonly id: string
  readonly bucket: string
  readonly name: string
  /** Key of its bytes in R2; another one for each version. */
  readonly blob: string
  readonly size: number
  readonly mime: string
  /** With its quotation marks. */
  readonly etag: string
  /** Hexadecimal; null while it is not known, as of files that came in parts. */
  readonly sha256: string | null
  readonly cacheControl: string
  /** What the client said of it, JSON. */
  readonly metadata: string | null
  readonly owner: string | null
  readonly created: number
  readonly updated: number
}

export const objectColumns =
  'id, bucket, name, blob, size, mime, etag, sha256, cache_control, metadata, owner, created, updated'

export function objectOf(row: Row): StoredObject {
  return {
    id: row.id as string,
    bucket: row.bucket as string,
    name: row.name as string,
    blob: row.blob as string,
    size: Number(row.size),
    mime: row.mime as string,
    etag: row.etag as string,
    sha256: row.sha256 as string | null,
    cacheControl: row.cache_control as string,
    metadata: row.metadata as string | null,
    owner: row.owner as string | null,
    created: Number(row.created),
    updated: Number(row.updated),
  }
}

export function readObject(bucket: string, name: string): BoundStatement {
  return {
    text: `SELECT ${objectColumns} FROM _atoll_objects WHERE bucket = ?1 AND name = ?2`,
    parameters: [bucket, name],
  }
}

const values = `value->>'id', value->>'bucket', value->>'name', value->>'blob', value->>'size', value->>'mime', value->>'etag',
  value->>'sha256', value->>'cacheControl', value->>'metadata', value->>'owner', value->>'created', value->>'updated'`

/**
 * Puts an object where there is none, or in the place of the very version that was seen; answers with its row, or with none when
 * somebody else was quicker. The bucket must be there.
 *
 * @param replaces blob of the version in whose place it comes
 */
export function putObject(object: StoredObject, replaces: string | null): BoundStatement {
  const json = JSON.stringify(object)
  const isThere = 'EXISTS (SELECT 1 FROM _atoll_buckets WHERE id = ?2)'
  if (replaces === null) {
    return {
      text: `INSERT INTO _atoll_objects (${objectColumns}) SELECT ${values} FROM json_each(json_array(json(?1))) WHERE ${isThere}
        ON CONFLICT DO NOTHING RETURNING ${objectColumns}`,
      parameters: [json, object.bucket],
    }
  }
  return {
    text: `UPDATE _atoll_objects SET (blob, size, mime, etag, sha256, cache_control, metadata, owner, updated) =
      (SELECT value->>'blob', value->>'size', value->>'mime', value->>'etag', value->>'sha256', value->>'cacheControl',
      value->>'metadata', value->>'owner', value->>'updated' FROM json_each(json_array(json(?1))))
      WHERE bucket = ?2 AND name = json_extract(?1, '$.name') AND blob = ?3 RETURNING ${objectColumns}`,
    parameters: [json, object.bucket, replaces],
  }
}

/** Moves an object; answers with its row, or none when it has changed or the name is taken. */
export function moveObject(from: StoredObject, bucket: string, name: string, now: number): BoundStatement {
  return {
    text: `UPDATE _atoll_objects SET bucket = ?3, name = ?4, updated = CAST(?5 AS INTEGER) WHERE bucket = ?1 AND name = ?2 AND blob = ?6
      AND NOT EXISTS (SELECT 1 FROM _atoll_objects WHERE bucket = ?3 AND name = ?4)
      AND EXISTS (SELECT 1 FROM _atoll_buckets WHERE id = ?3) RETURNING ${objectColumns}`,
    parameters: [from.bucket, from.name, bucket, name, String(now), from.blob],
  }
}

/** Takes objects away by the versions that were seen; answers with their rows. */
export function deleteObjects(objects: readonly StoredObject[]): BoundStatement {
  return {
    text: `DELETE FROM _atoll_objects WHERE (bucket, name, blob) IN
      (SELECT value->>0, value->>1, value->>2 FROM json_each(?1)) RETURNING ${objectColumns}`,
    parameters: [JSON.stringify(objects.map(({ bucket, name, blob }) => [bucket, name, blob]))],
  }
}

/** An object as `list` shows it. */
export function shownObject(object: StoredObject) {
  const updated = new Date(object.updated).toISOString()
  return {
    id: object.id,
    name: object.name,
    created_at: new Date(object.created).toISOString(),
    updated_at: updated,
    last_accessed_at: updated,
    metadata: {
      eTag: object.etag,
      size: object.size,
      mimetype: object.mime,
      cacheControl: object.cacheControl,
      lastModified: updated,
      contentLength: object.size,
      httpStatusCode: 200,
      ...(object.sha256 === null ? {} : { sha256: object.sha256 }),
    },
  }
}

/** An object as `info` shows it. */
export function objectInfo(object: StoredObject) {
  return {
    id: object.id,
    name: object.name,
    version: object.blob.slice(object.blob.lastIndexOf('/') + 1),
    bucket_id: object.bucket,
    size: object.size,
    content_type: object.mime,
    cache_control: object.cacheControl,
    etag: object.etag,
    sha256: object.sha256,
    metadata: object.metadata === null ? {} : JSON.parse(object.metadata),
    last_modified: new Date(object.updated).toISOString(),
    created_at: new Date(object.created).toISOString(),
  }
}
