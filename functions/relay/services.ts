import type { CacheConfig, CacheEnv } from '../cache/area.ts'
import type { CoreEnv } from '../core/context.ts'
import type { CoreEngine } from '../core/engine.ts'
import type { DatabasesConfig } from '../databases/area.ts'
import type { Engine as MonitorEngine, Services as MonitorServices } from '../monitor/area.ts'
import type { RestConfig } from '../rest/area.ts'
import type { Declared } from '../shards/area.ts'
import type { StorageServices } from '../storage/area.ts'

export type RelayEnv = CoreEnv & CacheEnv

/** What relays work with: all that duties of areas ask for. */
export type Services = MonitorServices & StorageServices

export type Engine = MonitorEngine & Declared & CoreEngine<CacheConfig & DatabasesConfig & RestConfig>
