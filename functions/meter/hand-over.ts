import { emit } from './events.ts'
import type { Meter } from './meter.ts'
import type { MetricsAccess } from './metrics-access.ts'

/** After how long what was counted first is handed over, in milliseconds. */
const everyMs = 3000
/** After how long one that has not begun is taken to be lost with its request. */
const lostMs = 30_000

/**
 * Hands over what an isolate has counted, a few seconds after the first of it was: after an answer, and without a further request. What
 * was not taken is handed over again, under the same number, and in parts when it is too much at once.
 *
 * @param open makes a stub, which belongs to the request that it is made in
 */
export function createHandOver(meter: Meter, open: () => MetricsAccess) {
  let waitingSince = Number.NEGATIVE_INFINITY
  return (context: { waitUntil(work: Promise<unknown>): void }): void => {
    if (Date.now() - waitingSince < lostMs) return
    waitingSince = Date.now()
    context.waitUntil(
      (async () => {
        await new Promise((done) => setTimeout(done, everyMs))
        waitingSince = Number.NEGATIVE_INFINITY
        await handOver(meter, open())
      })(),
    )
  }
}

/** Parts of a hand-over that are handed over at a time. */
const maxParts = 64

/** Hands over all that was counted, in parts when it is too much at once. What is not taken stays with the meter: this throws nothing. */
export async function handOver(meter: Meter, store: MetricsAccess): Promise<void> {
  for (let part = 0; part < maxParts; part++) {
    const delta = meter.take()
    if (delta === null) return
    try {
      await store.record(delta)
      if (!meter.arrived(delta)) return
    } catch (error) {
      emit({ kind: 'metrics-not-taken', error })
      if (!meter.refused(delta, error)) return
    }
  }
}
