/**
 * The load balancer before servers that the team keeps; what is asked of it is `/balancer/v1`.
 * @module
 */

import type { Area } from '../core/area.ts'
import { sealingSecretOf } from '../core/config.ts'
import type { CoreServices } from '../core/context.ts'
import { countAnswer, type MeterServices } from '../meter/area.ts'
import { createBalancerApi } from './balancer-api.ts'
import { checkOrigins } from './check-origins.ts'
import type { OriginDeclarations } from './declarations.ts'
import { errors } from './errors.ts'
import { gauges } from './gauges.ts'
import { openPools, openWatch } from './open-pools.ts'
import type { BalancerEngine, BalancerEnv, BalancerServices } from './services.ts'
import { StickyCookies } from './sticky.ts'

// What areas above it use.
export type { BalancerEvent } from './events.ts'
export type { BalancerEngine, BalancerServices } from './services.ts'

/** What an app brings for it. */
export interface BalancerApp {
  readonly origins?: OriginDeclarations
}

export const balancer = {
  name: 'balancer',
  errors,
  gauges,

  /** @throws OriginsError for origins that cannot be used */
  read({ origins = { pools: {}, routes: [] } }: BalancerApp, _engine: unknown): BalancerEngine {
    checkOrigins(origins)
    return { origins }
  },

  routes: ({ origins }: BalancerEngine) => [['/balancer/v1', createBalancerApi(origins)]],

  open(
    env: BalancerEnv,
    { origins }: BalancerEngine,
    { keys, setting, meter, spans }: CoreServices & MeterServices,
  ): BalancerServices {
    const poolWatch = openWatch(env.POOLS)
    return {
      pool: openPools(origins.pools, setting, poolWatch, (pool, origin, answer, ms) =>
        countAnswer(meter, spans, { pool, origin, answer, ms }),
      ),
      poolWatch,
      stickyCookies: new StickyCookies(sealingSecretOf(keys)),
    }
  },
} satisfies Area
