import type { CacheServices } from '../cache/area.ts'
import type { AtollEnv as AtollEnvOf, CoreServices } from '../core/context.ts'
import type { CoreEngine } from '../core/engine.ts'
import type { DatabasesServices } from '../databases/area.ts'
import type { JobsServices } from '../jobs/area.ts'
import type { MeterServices } from '../meter/area.ts'

/** What the area's code uses. */
export interface Services
  extends CoreServices,
    MeterServices,
    CacheServices,
    DatabasesServices,
    JobsServices {}

export type Engine = CoreEngine<object>

export type AtollEnv = AtollEnvOf<Services>
