/** The Worker of the runs about jobs. */

import { sql } from 'drizzle-orm'
import { z } from 'zod'
import type { App } from '../../functions/areas.ts'
import { changes, defineJob } from '../../functions/define.ts'
import { createWorker } from '../../functions/gateway.ts'
import { createPoolWatch, createRealtime, createRelay } from '../../functions/objects.ts'
import tables, { done, migrations } from './jobs-tables.ts'

export { JobLimits } from '../../functions/jobs/job-limit.ts'
export { Metrics } from '../../functions/meter/metrics-store.ts'
export { Advisor } from '../../functions/monitor/advise/advisor.ts'

const nothing = defineJob({ name: 'nothing', input: z.object({ n: z.int() }), run: async () => undefined })
const effect = defineJob({
  name: 'effect',
  input: z.object({ n: z.int() }),
  run: ({ database, once }) => once([database.update(done).set({ n: sql`${done.n} + 1` })]),
})
const follow = defineJob({ name: 'follow', on: changes('working', 'insert'), run: async () => undefined })

const app: App = {
  tables,
  config: { cache: false, jobKeepSeconds: 5 },
  jobs: [nothing, effect, follow],
  migrations: migrations.map(({ name }) => name),
}

export const PoolWatch = createPoolWatch(app)
export const Realtime = createRealtime(app)
export const Relay = createRelay(app)
export default createWorker(app)
