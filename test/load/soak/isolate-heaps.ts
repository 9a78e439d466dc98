/**
 * What isolates hold, as their engine counts it: a process that they share with local databases says little of each.
 * @module
 */
import type { Isolates } from '../../support/isolates.ts'

interface HeapUsage {
  readonly usedSize: number
  readonly embedderHeapUsedSize: number
  readonly backingStorageSize: number
}

const timeoutMs = 5000

/** @returns megabytes by isolate, garbage included; null for one that has not answered in time, or is being started */
export async function heapsOf(isolates: Isolates): Promise<(number | null)[]> {
  try {
    const { port } = await isolates.inspector()
    const answer = await fetch(`http://127.0.0.1:${port}/json`, { signal: AbortSignal.timeout(timeoutMs) })
    const targets = (await answer.json()) as { readonly id: string; readonly webSocketDebuggerUrl: string }[]
    return await Promise.all(
      Array.from({ length: isolates.count }, async (_, i) => {
        const target = targets.find(({ id }) => id === `core:user:isolate${i}`)
        return target ? await heapAt(target.webSocketDebuggerUrl) : null
      }),
    )
  } catch {
    return Array.from({ length: isolates.count }, () => null)
  }
}

/** Source: https://chromedevtools.github.io/devtools-protocol/tot/Runtime/#method-getHeapUsage */
function heapAt(address: string): Promise<number | null> {
  return new Promise((done) => {
    const socket = new WebSocket(address)
    const end = (megabytes: number | null) => {
      clearTimeout(timer)
      socket.close()
      done(megabytes)
    }
    const timer = setTimeout(() => end(null), timeoutMs)
    socket.addEventListener('error', () => end(null))
    socket.addEventListener('open', () =>
      socket.send(JSON.stringify({ id: 1, method: 'Runtime.getHeapUsage' })),
    )
    socket.addEventListener('message', ({ data }) => {
      const { id, result } = JSON.parse(String(data)) as { id?: number; result?: HeapUsage }
      if (id !== 1 || result === undefined) return
      end(Math.round((result.usedSize + result.embedderHeapUsedSize + result.backingStorageSize) / 1e6))
    })
  })
}
