/**
 * The memory of one isolate of a Miniflare, as its inspector tells: the process has those of the simulated databases and buckets
 * as well, and its allocator gives little back.
 * Source: https://chromedevtools.github.io/devtools-protocol/tot/Runtime/#method-getHeapUsage
 * @module
 */
import { WebSocket } from 'ws'

/** Bytes, garbage included unless it was collected before. */
export interface IsolateMemory {
  /** Of values. */
  readonly used: number
  /** Of the engine's own objects around them. */
  readonly embedder: number
  /** Of buffers. */
  readonly buffers: number
}

/**
 * @param inspector as `getInspectorURL` of Miniflare has it
 * @param collect whether garbage is collected before
 * @throws when there is no such isolate, or it has not answered in time
 */
export async function isolateMemoryOf(
  inspector: URL,
  worker: string,
  { collect = false, timeoutMs = 60_000 } = {},
): Promise<IsolateMemory> {
  const signal = AbortSignal.timeout(timeoutMs)
  const answer = await fetch(`http://127.0.0.1:${inspector.port}/json`, { signal })
  const targets = (await answer.json()) as { readonly id: string; readonly webSocketDebuggerUrl: string }[]
  const found = targets.find(({ id }) => id === `core:user:${worker}`)
  if (!found) throw new Error(`no isolate of ${worker} among ${targets.map(({ id }) => id).join(', ')}`)
  const socket = new WebSocket(found.webSocketDebuggerUrl)
  signal.addEventListener('abort', () => socket.terminate())
  try {
    await new Promise((done, failed) => socket.once('open', done).once('error', failed))
    if (collect) await call(socket, 1, 'HeapProfiler.collectGarbage')
    const usage = await call(socket, 2, 'Runtime.getHeapUsage')
    const { usedSize = 0, embedderHeapUsedSize = 0, backingStorageSize = 0 } = usage
    return { used: usedSize, embedder: embedderHeapUsedSize, buffers: backingStorageSize }
  } finally {
    socket.close()
  }
}

function call(socket: WebSocket, id: number, method: string): Promise<Record<string, number>> {
  return new Promise((done, failed) => {
    socket.on('message', (data) => {
      const answer = JSON.parse(String(data)) as {
        id?: number
        result?: Record<string, number>
        error?: unknown
      }
      if (answer.id !== id) return
      if (answer.result) done(answer.result)
      else failed(new Error(JSON.stringify(answer)))
    })
    socket.once('error', failed)
    socket.once('close', () => failed(new Error('the inspector has closed the connection')))
    socket.send(JSON.stringify({ id, method }))
  })
}
