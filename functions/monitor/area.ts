/**
 * What operators look at: `/metrics`, the dashboard at `/_atoll`, service levels, alerts, advice.
 * @module
 */

import type { Area, GatewayParts } from '../core/area.ts'
import { sealingSecretOf } from '../core/config.ts'
import type { CoreServices } from '../core/context.ts'
import { Sealer } from '../core/sealer.ts'
import type { AdvisorAccess } from './advise/advisor.ts'
import { alertJobs } from './alerts.ts'
import { monitorDefaults } from './config.ts'
import { duties } from './duties.ts'
import { errors } from './errors.ts'
import { createDashboard, createMetricsRoute } from './monitor.ts'
import type { Engine, MonitorEnv, MonitorServices } from './services.ts'

// What areas above it use.
export type { MonitorEvent } from './events.ts'
export type { Engine, Services } from './services.ts'

export const monitor = {
  name: 'monitor',
  defaults: monitorDefaults,
  errors,
  duties,
  jobs: alertJobs,
  routes: (engine: Engine, _app: unknown, { ask, gauges }: GatewayParts) => [
    ['/metrics', createMetricsRoute(engine, gauges)],
    ['/_atoll', createDashboard(engine, ask)],
  ],

  open(env: MonitorEnv, _engine: unknown, { keys }: CoreServices): MonitorServices {
    return {
      advisor: advisorOf(env),
      sealer: new Sealer('atoll-dashboard', sealingSecretOf(keys)),
    }
  },
} satisfies Area

function advisorOf({ ADVISOR }: MonitorEnv): MonitorServices['advisor'] {
  return ADVISOR ? () => ADVISOR.getByName('advisor') as unknown as AdvisorAccess : null
}
