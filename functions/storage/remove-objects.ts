/**
 * Takes objects away: their rows at once, and their bytes by a job that is committed with that.
 * @module
 */

import { makeUlid } from '../../db/slots/slots.ts'
import type { BoundStatement } from '../../db/sql/statement.ts'
import { insertJobs } from '../jobs/area.ts'
import { deleteObjects, objectColumns, objectOf, type StoredObject } from './object-rows.ts'
import type { StorageVisit } from './storage-context.ts'

export const deleteBlobsJob = 'atoll:delete-blobs'

/** How long bytes are kept that no row names any more, for those who are reading them, in milliseconds. */
export const readersMs = 60_000

/** Bytes that no row names any more, of a JSON array of keys, and that a backup may name: they stay until it goes. */
export const keptForBackups =
  "SELECT blob FROM _atoll_gone_blobs WHERE blob IN (SELECT value FROM json_each(?1)) AND at >= (SELECT CAST(value AS INTEGER) FROM _atoll_state WHERE key = 'backups-since')"

/** Most names in one call. */
export const maxAtOnce = 1000

/** Puts in a job that takes bytes away from R2, to be committed with what makes them nobody's. */
export function deleteBlobs(blobs: readonly string[], database: string, now = Date.now()): BoundStatement[] {
  return insertJobs([
    {
      id: `${database}.${makeUlid(now)}`,
      name: deleteBlobsJob,
      queue: 'default',
      payload: JSON.stringify({ blobs }),
      value: null,
      lane: null,
      key: null,
      key_until: null,
      due: now + readersMs,
      created: now,
      deadline: null,
    },
  ])
}

/** Takes away the versions that were seen. What has changed since stays. */
export async function removeObjects(
  { session, services, later }: StorageVisit,
  objects: readonly StoredObject[],
): Promise<StoredObject[]> {
  if (objects.length === 0) return []
  const blobs = objects.map(({ blob }) => blob)
  const { primary } = services.cluster
  // The job deletes only what no row names, so that versions which were not taken away here stay.
  const [rows = []] = await session.primary([deleteObjects(objects), ...deleteBlobs(blobs, primary)])
  wakeFor({ services, later })
  return rows.map(objectOf)
}

/** Has the relay look when the bytes may go. */
export function wakeFor({ services, later }: Pick<StorageVisit, 'services' | 'later'>): void {
  const { relay, cluster } = services
  if (relay) later(relay.carry(cluster.primary, readersMs).catch(() => undefined))
}

/** Takes away everything in a bucket. */
export async function removeAll(visit: StorageVisit, bucket: string): Promise<void> {
  for (;;) {
    const [rows = []] = await visit.session.primary([
      {
        text: `SELECT ${objectColumns} FROM _atoll_objects WHERE bucket = ?1 LIMIT ${maxAtOnce}`,
        parameters: [bucket],
      },
    ])
    if (rows.length === 0) return
    await removeObjects(visit, rows.map(objectOf))
  }
}
