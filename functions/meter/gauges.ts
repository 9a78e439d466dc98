import type { CoreServices } from '../core/context.ts'
import type { Gauge, GaugeSource } from '../core/gauge.ts'
import type { KeptBy } from './metrics-access.ts'
import { addKept } from './metrics-tables.ts'
import type { MeterServices } from './services.ts'

export const gauges: readonly GaugeSource<CoreServices & MeterServices, unknown>[] = [
  { what: 'isolates', read: isolateGauges },
]

/** What isolates keep, as they said when they handed over last; without a store of metrics, this one's. */
async function isolateGauges({ metrics, budget }: CoreServices & MeterServices): Promise<readonly Gauge[]> {
  const kept = metrics === null ? addKept([budget.gauges()]) : await metrics().kept()
  const gauge = (name: string, help: string, read: (kept: KeptBy) => number): Gauge => ({
    name,
    help,
    ...(name.endsWith('_bytes') ? { unit: 'bytes' } : {}),
    values: Object.entries(kept).map(([keeper, one]) => ({ labels: { keeper }, value: read(one) })),
  })
  return [
    gauge('isolates_keeping', 'Isolates that have said lately what they keep.', ({ isolates }) => isolates),
    gauge('isolate_kept_most_bytes', 'What the isolate keeps that keeps most.', ({ mostBytes }) => mostBytes),
    gauge('isolate_kept_bytes', 'What all of them keep, by what it is.', ({ bytes }) => bytes),
    gauge('isolate_kept_entries', 'Entries of that.', ({ entries }) => entries),
  ]
}
