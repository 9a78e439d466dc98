/** The sample app with a job that fails once, a pool of two origins, a service level, and tables that are to lie elsewhere: what the dashboard has to show. */
import { z } from 'zod'
import { distributed } from '../../db/define.ts'
import type { App } from '../../functions/areas.ts'
import { defineJob, defineOrigins } from '../../functions/define.ts'
import { createWorker } from '../../functions/gateway.ts'
import { createPoolWatch, createRealtime, createRelay } from '../../functions/objects.ts'
import * as schema from '../fixture-app/db/app/schema.ts'
import storage from '../fixture-app/db/app/storage.ts'
import tables from '../fixture-app/db/app/tables.ts'

let tries = 0

const app: App = {
  tables: {
    ...tables,
    playlists: distributed(schema.playlists, { by: 'id' }),
    playlistTracks: distributed(schema.playlistTracks, { by: 'playlistId' }),
  },
  storage,
  config: { objectives: [{ name: 'reads', area: 'rest', target: 0.99 }] },
  jobs: [
    defineJob({
      name: 'once-broken',
      input: z.object({}),
      retry: { maxAttempts: 1 },
      run: async () => {
        if (tries++ === 0) throw new Error('the printer is on fire')
      },
    }),
  ],
  origins: defineOrigins({
    pools: {
      shop: {
        origins: { a: { url: { variable: 'ORIGIN_A' } }, b: { url: { variable: 'ORIGIN_B' } } },
        strategy: 'round-robin',
      },
    },
    routes: [{ path: '/shop/*', pool: 'shop', rewrite: '' }],
  }),
}

export { JobLimits } from '../../functions/jobs/job-limit.ts'
export { Metrics } from '../../functions/meter/metrics-store.ts'
export { Advisor } from '../../functions/monitor/advise/advisor.ts'
export const PoolWatch = createPoolWatch(app)
export const Realtime = createRealtime(app)
export const Relay = createRelay(app)
export default createWorker(app)
