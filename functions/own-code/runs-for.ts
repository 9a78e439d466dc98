import type { Account } from '../../db/cluster/account.ts'

/** Whose code it is, and for whom it runs. */
export interface RunsFor {
  /** Null: nobody's. */
  readonly account: Account | null
  /** `rpc/top_tracks`, say: what its slow queries are known by. */
  readonly name: string
  /** Whether it may change nothing. Default false. */
  readonly readOnly?: boolean
}
