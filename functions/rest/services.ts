import type { CacheServices } from '../cache/area.ts'
import type { CoreConfig } from '../core/config.ts'
import type { AtollEnv as AtollEnvOf, CoreServices, Visit as VisitOf } from '../core/context.ts'
import type { CoreEngine } from '../core/engine.ts'
import type { DatabasesConfig, DatabasesServices } from '../databases/area.ts'
import type { JobsServices } from '../jobs/area.ts'
import type { MeterServices } from '../meter/area.ts'
import type { RestConfig } from './config.ts'

/** What the area's code uses. */
export interface Services
  extends CoreServices,
    MeterServices,
    CacheServices,
    DatabasesServices,
    JobsServices {}

/** What its code reads of the app. */
export type Engine = CoreEngine<CoreConfig & DatabasesConfig & RestConfig>

export type Visit = VisitOf<Services>

export type AtollEnv = AtollEnvOf<Services>
