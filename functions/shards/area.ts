/**
 * Slots that move between databases, and those who say so. `/shards/v1`.
 * @module
 */
import type { Area } from '../core/area.ts'
import type { CoreConfig } from '../core/config.ts'
import type { CoreEngine } from '../core/engine.ts'
import { errors } from './errors.ts'
import { createShardsApi } from './shards-api.ts'

// What areas above it use.
export type { RowsAstray } from './ask-moves.ts'
export type { ShardsEvent } from './events.ts'
export { MoverRounds } from './run-mover.ts'
export type { ShownMove, ShownPlan } from './shown.ts'

export const shards = {
  name: 'shards',
  errors,
  routes: (engine: CoreEngine<CoreConfig>) => [['/shards/v1', createShardsApi(engine)]],
} satisfies Area
