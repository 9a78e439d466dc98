import type { CacheServices } from '../cache/area.ts'
import type { CoreServices, Visit as VisitOf } from '../core/context.ts'
import type { DatabasesServices, Followed } from '../databases/area.ts'

/** What the room's code uses. */
export interface Services extends CoreServices, CacheServices, DatabasesServices, Followed {}

export type Visit = VisitOf<Services>
