/**
 * The databases of a deployment as one: routed, watched, repaired.
 * @module
 */

import type { CacheServices } from '../cache/area.ts'
import type { Area } from '../core/area.ts'
import { sealingSecretOf } from '../core/config.ts'
import type { CoreServices } from '../core/context.ts'
import type { CoreEngine } from '../core/engine.ts'
import type { MeterServices } from '../meter/area.ts'
import { type DatabasesConfig, databasesDefaults } from './config.ts'
import { duties } from './duties.ts'
import { errors } from './errors.ts'
import { gauges } from './gauges.ts'
import { openAccount } from './open-account.ts'
import { openCluster } from './open-cluster.ts'
import type { DatabasesServices } from './services.ts'
import { SessionTokens } from './session-token.ts'

export type { DatabaseLocation, DatabasesConfig } from './config.ts'
export { noteWentBack } from './duties.ts'
// What areas above it use.
export type { DatabasesEvent } from './events.ts'
export { databaseSizes } from './gauges.ts'
export { accountOf, openSession, writeInnerSession, writeSession } from './request-session.ts'
export type { DatabasesServices, Followed } from './services.ts'
export { sessionHeader } from './session-token.ts'

export const databases = {
  name: 'databases',
  defaults: databasesDefaults,
  errors,
  gauges,
  duties,

  open(
    _env: unknown,
    engine: CoreEngine<DatabasesConfig>,
    below: CoreServices & MeterServices & CacheServices,
  ): DatabasesServices {
    const { bindings, keys, timeTravel } = below
    return {
      ...openCluster(bindings, engine, below),
      openAccount: (caller, address) => openAccount(engine.config, caller, address),
      sessions: new SessionTokens(sealingSecretOf(keys), timeTravel?.id ?? null),
    }
  },
} satisfies Area
