import { sweepKeys } from '../../db/cluster/write-keys.ts'
import type { Duty } from '../core/duty.ts'
import type { CoreEngine } from '../core/engine.ts'
import type { RestConfig } from './config.ts'

/** Five hundred keys each: 170 a second can be swept, round after round. */
const maxKeyBatches = 20

/** What relays look after for the data API. */
export const duties = (): readonly Duty<unknown, CoreEngine<RestConfig>>[] => [
  {
    name: 'keys of writes',
    when: 'repair',
    // So many in a round that other duties have their turn.
    async run({ engine: { config }, session, database }) {
      for (let batches = 0; batches < maxKeyBatches; batches++) {
        const [, rows = []] = await session.on(database, sweepKeys(config.idempotencyKeySeconds * 1000))
        if (Number(rows[0]?.more) !== 1) return
      }
    },
  },
]
