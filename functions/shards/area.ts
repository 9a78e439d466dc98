/**
 * Slots that move between databases, and those who say so. `/shards/v1`.
 * @module
 */
import type { Area } from '../core/area.ts'
import type { CoreConfig } from '../core/config.ts'
import type { CoreApp, CoreEngine } from '../core/engine.ts'
import type { StorageApp } from '../storage/area.ts'
import { errors } from './errors.ts'
import type { Declared } from './services.ts'
import { createShardsApi } from './shards-api.ts'

// What areas above it use.
export { mapByNow, type RowsAstray } from './ask-moves.ts'
export type { ShardsEvent } from './events.ts'
export { MoverRounds } from './run-mover.ts'
export type { Declared } from './services.ts'
export type { ConversionStatus, PlannedConversion, ShownConversion, ShownMove, ShownPlan } from './shown.ts'

export const shards = {
  name: 'shards',
  errors,
  read: ({ tables, storage = {} }: CoreApp & StorageApp): Declared => ({
    declarations: tables,
    buckets: storage,
  }),
  routes: (engine: CoreEngine<CoreConfig> & Declared) => [['/shards/v1', createShardsApi(engine)]],
} satisfies Area
