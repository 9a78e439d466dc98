/**
 * What the handlers of `/storage/v1` work with.
 * @module
 */
import type { Context } from 'hono'
import type { ClusterSession } from '../../db/cluster/session.ts'
import { visitOf } from '../core/context.ts'
import { accountOf } from '../databases/area.ts'
import type { BucketPolicies } from './bucket-policies.ts'
import { type Bucket, bucketOf, readBucket } from './bucket-rows.ts'
import type { StorageConfig } from './config.ts'
import { errors } from './errors.ts'
import { ObjectRights } from './object-access.ts'
import type { AtollEnv, Services } from './services.ts'

/** What the app says of files. */
export interface StorageTerms {
  readonly policies: BucketPolicies
  readonly config: StorageConfig
}

/** One request. */
export interface StorageVisit extends StorageTerms {
  readonly services: Services
  readonly files: R2Bucket
  readonly session: ClusterSession
  readonly rights: ObjectRights
  readonly raw: Request
  readonly later: (work: Promise<unknown>) => void
}

export type StorageEnv = {
  readonly Bindings: AtollEnv['Bindings']
  readonly Variables: AtollEnv['Variables'] & { storage: StorageVisit }
}

export function visitStorage(c: Context<StorageEnv>, terms: StorageTerms): StorageVisit {
  const { services, caller } = c.var
  if (services.files === null) throw errors.noFiles()
  return {
    ...terms,
    services,
    files: services.files,
    // What a client has written, it sees: rows are read where they are written.
    session: services.cluster.open({ reads: false, seen: new Map(), account: accountOf(visitOf(c)) }),
    rights: new ObjectRights(terms.policies, caller),
    raw: c.req.raw,
    later: (work) => c.executionCtx.waitUntil(work),
  }
}

/** @throws AtollError when there is none of the name */
export async function findBucket({ session }: Pick<StorageVisit, 'session'>, id: string): Promise<Bucket> {
  const [rows = []] = await session.primary([readBucket(id)])
  if (!rows[0]) throw errors.noBucket()
  return bucketOf(rows[0])
}

/** Largest object that a bucket takes, in bytes. */
export function maxBytesOf({ maxBytes }: Bucket, { storageMaxObjectBytes }: StorageConfig): number {
  return Math.min(maxBytes ?? storageMaxObjectBytes, storageMaxObjectBytes)
}

const typeForm = /^([\w!#$&^.+-]+\/[\w!#$&^.+-]+)((?:\s*;\s*[\w-]+=(?:[\w.+-]+|"[\w.+ -]*"))*)\s*;?$/
const maxTypeLength = 200

/**
 * A content type, if the bucket takes it: one type and plain parameters, so that everybody reads the same in it.
 *
 * @throws AtollError for any other
 */
export function checkMime({ mimeTypes }: Bucket, mime: string): string {
  const [, bare, parameters = ''] = typeForm.exec(mime.trim()) ?? []
  if (bare === undefined || mime.length > maxTypeLength) throw errors.mimeNotAllowed(mime)
  const type = bare.toLowerCase()
  const isTaken = (taken: string) =>
    taken === '*/*' ||
    taken.toLowerCase() === type ||
    (taken.endsWith('/*') && type.startsWith(taken.slice(0, -1).toLowerCase()))
  if (mimeTypes !== null && !mimeTypes.some(isTaken)) throw errors.mimeNotAllowed(type)
  return type + parameters.replace(/\s*;\s*/g, '; ')
}
