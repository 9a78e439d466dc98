import type { Duty } from '../core/duty.ts'
import type { CoreEngine } from '../core/engine.ts'
import type { RestConfig } from './config.ts'
import { sweepWriteKeys } from './execute/sweep-write-keys.ts'

/** What relays look after for the data API. */
export const duties = (): readonly Duty<unknown, CoreEngine<RestConfig>>[] => [
  {
    name: 'keys of writes',
    when: 'repair',
    run: ({ engine: { config }, session, database }) =>
      sweepWriteKeys(session, database, config.idempotencyKeySeconds * 1000),
  },
]
