import type { AtollEnv as AtollEnvOf } from '../core/context.ts'
import type { Services as RestServices } from '../rest/area.ts'

/** What the area's code uses. */
export type Services = RestServices

export type { Engine } from '../rest/area.ts'

export type AtollEnv = AtollEnvOf<Services>
