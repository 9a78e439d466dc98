import type { PoolView } from '../../balancer/shown-pool.ts'
import type { ObjectiveState } from '../shown.ts'

/** What `/_atoll/api/state` answers. */
export interface State {
  readonly databases: readonly {
    readonly database: string
    readonly bytes: number | null
    readonly slots: readonly { readonly first: number; readonly last: number }[]
  }[]
  readonly epoch: number | null
  readonly jobs: Readonly<Record<string, Readonly<Record<string, number>>>> | null
  /** Milliseconds since 1970. */
  readonly oldestDue: number | null
  readonly pools: readonly PoolView[]
  readonly isMeasured: boolean
  readonly cache: { readonly store: string } | null
  readonly objectives: readonly ObjectiveState[]
}
