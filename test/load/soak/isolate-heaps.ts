import type { Isolates } from '../../support/isolates.ts'
import { isolateMemoryOf } from '../isolate-memory.ts'

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
