import type { AccessServices } from '../access/area.ts'
import type { AtollEnv as AtollEnvOf, CoreEnv, CoreServices } from '../core/context.ts'
import type { MeterServices } from '../meter/area.ts'
import type { OriginDeclarations } from './declarations.ts'
import type { WatchPool } from './open-pools.ts'
import type { PoolLink } from './pool-link.ts'
import type { PoolWatch } from './pool-watch.ts'
import type { StickyCookies } from './sticky.ts'

export interface BalancerEnv extends CoreEnv {
  /** Watches over the origins of pools: one for each. */
  readonly POOLS?: DurableObjectNamespace<PoolWatch>
}

/** What the area makes of an app. */
export interface BalancerEngine {
  readonly origins: OriginDeclarations
}

/** What the area offers. */
export interface BalancerServices {
  /** A pool of origins as this isolate knows it. @throws 503 when a variable that it needs is not set */
  readonly pool: (name: string) => PoolLink
  /** What watches over a pool; null when there is none. */
  readonly poolWatch: WatchPool | null
  readonly stickyCookies: StickyCookies
}

/** What its code uses. */
export interface Services extends CoreServices, AccessServices, MeterServices, BalancerServices {}

export type AtollEnv = AtollEnvOf<Services>
