import type { Duty } from '../core/duty.ts'
import type { CoreEngine } from '../core/engine.ts'
import { sweepChanges } from './invalidate.ts'
import type { CacheServices } from './services.ts'

/** What relays look after for the cache. */
export const duties = (): readonly Duty<CacheServices, CoreEngine<unknown>>[] => [
  {
    name: 'changes',
    when: 'repair',
    async run({ services: { cache }, session, database, engine }) {
      if (cache) await sweepChanges(cache, session, database, engine.catalog)
    },
  },
]
