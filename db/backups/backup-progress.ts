import type { Place } from '../moves/read-rows.ts'
import type { Counted, Manifest, ParentLink } from './format.ts'

/** How far a backup has come. */
export interface BackupProgress {
  readonly phase: 'read' | 'end' | 'seal'
  /** What each database said of itself at the beginning: when that changes, it begins anew. */
  readonly marks: Readonly<Record<string, string>>
  /** Whatever each log says up to here is in a part. */
  readonly positions: Readonly<Record<string, number>>
  /** Databases and tables that are read, and where the next one has come to. */
  readonly databases: number
  readonly tables: number
  readonly place: Place
  /** Parts that are written, and that are read back. */
  readonly parts: number
  readonly sealed: number
  readonly rows: number
  readonly bytes: number
  readonly restarts: number
  /** Of an increment; left out: it is a full one. */
  readonly parent?: ParentLink
  /** Why it is a full one, though an increment was asked for. */
  readonly instead?: string
  /** By database and table, `RowSum`s of what was read back. */
  readonly sums: Readonly<Record<string, Readonly<Record<string, Counted>>>>
  /** What is known since the last transaction. */
  readonly ended: Pick<Manifest, 'databases' | 'leftOut' | 'migrations' | 'tables'> | null
}
