/**
 * What is counted, timed and traced, and who keeps it.
 * @module
 */
import type { Area } from '../core/area.ts'
import type { CoreEngine } from '../core/engine.ts'
import { drainEvents } from '../core/events.ts'
import { type MeterConfig, meterDefaults } from './config.ts'
import { gauges } from './gauges.ts'
import { createHandOver } from './hand-over.ts'
import { Meter, SilentMeter } from './meter.ts'
import type { MetricsAccess } from './metrics-access.ts'
import { joinStores } from './metrics-stores.ts'
import type { MeterEnv, MeterServices } from './services.ts'
import { readSpanExport, Spans } from './spans.ts'

export { countAnswer, countCall, countRefusal } from './count-call.ts'
export type { ShapeCost, ShapeDelta } from './delta.ts'
// What areas above it use.
export type { MeterEvent } from './events.ts'
export { handOver } from './hand-over.ts'
export { boundOf, Histogram } from './histogram.ts'
export { writeHeaders } from './measure.ts'
export { type Measures, nothing } from './merge.ts'
export { Meter } from './meter.ts'
export type { MetricsAccess, Point } from './metrics-access.ts'
export type { MetricsStore } from './metrics-store.ts'
export { steps } from './metrics-tables.ts'
export { type Family, families, familyOf, labelsOf } from './series.ts'
export type { MeterServices } from './services.ts'

export const meter = {
  name: 'meter',
  defaults: meterDefaults,
  gauges,

  open(env: MeterEnv, { config, budget }: CoreEngine<MeterConfig>): MeterServices {
    const metrics = metricsOf(env, config)
    const meter = metrics === null ? new SilentMeter() : new Meter(drainEvents, budget)
    const spanExport = readSpanExport(env)
    return {
      meter,
      spans: spanExport && new Spans(spanExport),
      metrics,
      handOver: metrics && createHandOver(meter, metrics),
    }
  },
} satisfies Area

function metricsOf(
  { METRICS, ATOLL_METRICS }: MeterEnv,
  { metricsStores }: MeterConfig,
): MeterServices['metrics'] {
  if (!METRICS || ATOLL_METRICS === 'off') return null
  // The types of calls between isolates know no tuples.
  const open = (i: number) =>
    METRICS.getByName(i === 0 ? 'metrics' : `metrics-${i}`) as unknown as MetricsAccess
  return () => joinStores(metricsStores, open)
}
