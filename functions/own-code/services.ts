import type { CacheServices } from '../cache/area.ts'
import type { CoreServices, Visit as VisitOf } from '../core/context.ts'
import type { DatabasesServices } from '../databases/area.ts'

/** What the room's code uses. */
export interface Services extends CoreServices, CacheServices, DatabasesServices {
  /** Whether changes of rows start anything. */
  readonly registry: { readonly subscriptions: ReadonlyMap<string, unknown> }
}

export type Visit = VisitOf<Services>
