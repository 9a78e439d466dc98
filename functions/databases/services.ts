import type { Account } from '../../db/cluster/account.ts'
import type { Cluster } from '../../db/cluster/cluster.ts'
import type { Watchdog } from '../../db/cluster/watchdog.ts'
import type { CacheServices } from '../cache/area.ts'
import type { Caller } from '../core/caller.ts'
import type { CoreServices, Visit as VisitOf } from '../core/context.ts'
import type { CoreEngine } from '../core/engine.ts'
import type { MeterServices } from '../meter/area.ts'
import type { DatabasesConfig } from './config.ts'
import type { SessionTokens } from './session-token.ts'

/** What the area offers. */
export interface DatabasesServices {
  readonly cluster: Cluster
  readonly watchdog: Watchdog
  /** Begins to count what a request asks of databases. @param address whence it comes, where that is known */
  readonly openAccount: (caller: Caller, address: string | null) => Account
  readonly sessions: SessionTokens
}

export type Engine = CoreEngine<DatabasesConfig>

/** What its code uses. */
export interface Services extends CoreServices, MeterServices, CacheServices, DatabasesServices {}

/** Whether changes of rows start anything: said by jobs, for what stands below them. */
export interface Followed {
  readonly registry: { readonly subscriptions: ReadonlyMap<string, unknown> }
}

export type Visit = VisitOf<Services>
