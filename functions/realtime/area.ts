/**
 * Changes of rows, messages and presence over WebSockets, as Supabase Realtime's clients speak. `/realtime/v1`.
 * @module
 */
import type { Area } from '../core/area.ts'
import { realtimeJobs } from './broadcast-job.ts'
import { createChannelPolicy } from './channel-policy.ts'
import { realtimeDefaults } from './config.ts'
import type { RealtimeDeclarations } from './define-realtime.ts'
import { duties } from './duties.ts'
import { errors } from './errors.ts'
import { gauges } from './gauges.ts'
import { createRealtimeApi } from './realtime-api.ts'
import type { Engine, RealtimeEngine } from './services.ts'

// What areas above it use.
export type { RealtimeEvent } from './events.ts'

/** What an app brings for it. */
export interface RealtimeApp {
  readonly realtime?: RealtimeDeclarations
}

export const realtime = {
  name: 'realtime',
  defaults: realtimeDefaults,
  errors,
  gauges,
  duties,
  jobs: () => realtimeJobs,
  roles: ({ realtime: { channels = {} } = {} }: RealtimeApp) => Object.values(channels).flatMap(Object.keys),

  /** @throws Error for a pattern of channels that is none */
  read(
    { realtime: { publicChannels = true, channels = {} } = {} }: RealtimeApp,
    { catalog, followed }: Omit<Engine, 'realtime'>,
  ): RealtimeEngine {
    return {
      realtime: { tables: followed, publicChannels, ask: createChannelPolicy(channels, catalog) },
    }
  },

  /** @throws Error for tables that are not served */
  follows({ realtime: { tables = [] } = {} }: RealtimeApp, { catalog }: Pick<Engine, 'catalog'>) {
    const own = [...catalog.tables.values()].filter(({ kind }) => kind === 'table').map(({ name }) => name)
    if (tables === 'all') return own
    const unknown = tables.find((name) => !own.includes(name))
    if (unknown === undefined) return tables
    throw new Error(
      `functions/app/realtime.ts: ${unknown} is no table that is served; name tables as SQL does`,
    )
  },

  routes: (engine: Engine) => [['/realtime/v1', createRealtimeApi(engine)]],
} satisfies Area
