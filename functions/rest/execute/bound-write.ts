import type { ChangeSet } from '../../../db/changes/change-log.ts'
import type { ClusterSession } from '../../../db/cluster/session.ts'
import type { WriteKey } from '../../../db/cluster/write-keys.ts'
import type { Rights } from '../../access/area.ts'
import type { Budget } from '../ask/budget.ts'
import type { Payload } from '../ask/parse-payload.ts'
import type { CompiledWrite } from '../compile/compile-write.ts'
import type { Bindings } from '../plan/bindings.ts'
import type { WritePlan } from '../plan/plan.ts'
import type { PartResult } from './written.ts'

/** A write and what it writes. */
export interface BoundWrite extends Bindings {
  readonly plan: WritePlan
  readonly compiled: CompiledWrite
  readonly rights: Rights
  readonly payload: Payload
  readonly aftermath: Aftermath
  readonly budget: Budget
  /** Left out without an Idempotency-Key. */
  readonly keyed?: Keyed
}

/** A part of a write that is done. */
export interface DonePart {
  readonly database: string
  readonly attempt: string
  /** Payload rows that it wrote; null: of all that there were. */
  readonly rows: ReadonlySet<number> | null
  /** The databases that a write of rows which are there already was for. */
  readonly planned: readonly string[]
  readonly result: PartResult
}

/** How a write is made with its key. */
export interface Keyed {
  readonly key: WriteKey
  /** Whether the key was opened before; otherwise the write's own transaction does it, as there is but one database. */
  readonly isOpen: boolean
  readonly done: readonly DonePart[]
  /** When the request must be answered, in milliseconds since 1970. */
  readonly deadline: number
}

/** What follows a commit. What fails then is no error of the write, but that others may be shown what was before it. */
export interface Aftermath {
  /** Whether somebody wants to know what was changed: the cache, or jobs that changes start. */
  readonly tracks: boolean
  /**
   * Is told what was changed, before anybody is answered.
   *
   * @throws 503 when others may be shown what was before
   */
  readonly changed: (changes: readonly ChangeSet[], session: ClusterSession) => Promise<void>
  readonly failed: (error: unknown) => void
  /** Has the jobs started, after the answer, that changes on these databases start. */
  readonly start: (databases: readonly string[], changes: readonly ChangeSet[] | null) => void
}
