/**
 * What can be asked at any time, and is not counted: sizes of databases, jobs that wait, origins as they are. Each area knows its own.
 * @module
 */
import type { Gauge, GaugeSource } from '../core/gauge.ts'
import { emit } from './events.ts'

export async function readGauges<Services, Engine>(
  sources: readonly GaugeSource<Services, Engine>[],
  services: Services,
  engine: Engine,
): Promise<readonly Gauge[]> {
  const parts = await Promise.all(sources.map((source) => orNothing(source, services, engine)))
  return parts.flat()
}

/** A part that cannot be read leaves the others readable. */
async function orNothing<Services, Engine>(
  { what, read }: GaugeSource<Services, Engine>,
  services: Services,
  engine: Engine,
): Promise<readonly Gauge[]> {
  try {
    return await read(services, engine)
  } catch (error) {
    emit({ kind: 'gauges-unread', what, error })
    return []
  }
}
