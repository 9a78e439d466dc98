/**
 * A Worker beside the Worker, which the platform tells of each run: a Worker cannot see its own processor time. Deployed by itself, with
 * `tail.toml`; the end of `wrangler.toml` says how to have it told.
 * Source: https://developers.cloudflare.com/workers/observability/logs/tail-workers/
 * @module
 */
import { handOver, Meter, type MetricsAccess, type MetricsStore } from '../../meter/area.ts'

interface TailEnv {
  readonly METRICS: DurableObjectNamespace<MetricsStore>
}

const meter = new Meter(() => [])

/** Runs, by what set them off: a request, a batch of a queue, an alarm, a schedule. */
function kindOf({ event }: TraceItem): string {
  if (event === null) return 'other'
  if ('request' in event) return 'fetch'
  if ('queue' in event) return 'queue'
  if ('cron' in event) return 'scheduled'
  return 'scheduledTime' in event ? 'alarm' : 'other'
}

export default {
  async tail(runs: readonly TraceItem[], { METRICS }: TailEnv): Promise<void> {
    for (const run of runs) {
      const kind = kindOf(run)
      meter.count('invocations', { kind, outcome: run.outcome })
      meter.time('cpu_seconds', { kind }, run.cpuTime)
      meter.time('wall_seconds', { kind }, run.wallTime)
    }
    await handOver(meter, METRICS.getByName('metrics') as unknown as MetricsAccess)
  },
}
