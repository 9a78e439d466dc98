import type { Isolates } from '../../support/isolates.ts'
import { allIsolatesOf, isolateMemoryOf } from '../isolate-memory.ts'

const timeoutMs = 5000

/** @returns megabytes by isolate, garbage included; null for one that has not answered in time, or is being started */
export function heapsOf(isolates: Isolates): Promise<(number | null)[]> {
  return Promise.all(
    Array.from({ length: isolates.count }, async (_, i) => {
      try {
        const { used, embedder, buffers } = await isolateMemoryOf(await isolates.inspector(), `isolate${i}`, {
          timeoutMs,
        })
        return Math.round((used + embedder + buffers) / 1e6)
      } catch {
        return null
      }
    }),
  )
}

/**
 * What all isolates of the process have of it, those of simulated databases and objects included.
 *
 * @returns megabytes; null when they have not answered in time
 */
export async function reservedBy(isolates: Isolates): Promise<number | null> {
  try {
    const all = await allIsolatesOf(await isolates.inspector(), { timeoutMs })
    const bytes = [...all.values()].reduce((sum, { reserved, buffers }) => sum + reserved + buffers, 0)
    return Math.round(bytes / 1e6)
  } catch {
    return null
  }
}
