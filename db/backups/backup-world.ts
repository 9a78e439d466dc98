import type { Catalog } from '../catalog/catalog.ts'
import type { ClusterSession } from '../cluster/session.ts'
import type { Signer } from './format.ts'

/** Where backups lie: a bucket, or a part of one. */
export interface BackupFiles {
  put(key: string, bytes: Uint8Array): Promise<void>
  /** @returns null when there is none */
  get(key: string): Promise<Uint8Array | null>
  /** Names that begin with a text, all of them. */
  list(prefix: string): Promise<readonly string[]>
  remove(keys: readonly string[]): Promise<void>
}

/** What backups and restores work with. */
export interface BackupWorld {
  readonly session: ClusterSession
  readonly catalog: Catalog
  readonly files: BackupFiles
  readonly signer: Signer
  /** Milliseconds since 1970. */
  now(): number
  /** Leaves the databases to others for a while, after a call that has taken so many milliseconds. */
  rest(ms: number): Promise<void>
  /** Characters of rows after which a part is full. */
  readonly partLength: number
  /** Whether increments are made by a schedule: databases keep their change logs from each backup to the next then. Left out: not. */
  readonly keepsLogs?: boolean
  /** Lets nobody be served what was cached of databases before rows were laid there. */
  forget(databases: readonly string[]): Promise<void>
}
