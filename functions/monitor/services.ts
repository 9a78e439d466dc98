import type { AuthServices } from '../auth/area.ts'
import type { BackupsConfig, BackupsServices } from '../backups/area.ts'
import type { BalancerEngine, BalancerServices } from '../balancer/area.ts'
import type { CoreConfig } from '../core/config.ts'
import type { AtollEnv as AtollEnvOf, CoreEnv } from '../core/context.ts'
import type { CoreEngine } from '../core/engine.ts'
import type { Sealer } from '../core/sealer.ts'
import type { JobsConfig } from '../jobs/area.ts'
import type { RestEngine, Services as RestServices } from '../rest/area.ts'
import type { AdvisorAccess, AdvisorObject } from './advise/advisor.ts'
import type { MonitorConfig } from './config.ts'

export interface MonitorEnv extends CoreEnv {
  /** Tries indexes on a copy. */
  readonly ADVISOR?: DurableObjectNamespace<AdvisorObject>
}

/** What the area offers. */
export interface MonitorServices {
  readonly advisor: (() => AdvisorAccess) | null
  /** Seals what the dashboard remembers of who has signed in. */
  readonly sealer: Sealer
}

/** What its code uses. */
export interface Services
  extends RestServices,
    AuthServices,
    BalancerServices,
    BackupsServices,
    MonitorServices {}

/** What its code reads of the app. */
export interface Engine
  extends CoreEngine<CoreConfig & JobsConfig & BackupsConfig & MonitorConfig>,
    BalancerEngine,
    Pick<RestEngine, 'schemas'> {}

export type AtollEnv = AtollEnvOf<Services>
