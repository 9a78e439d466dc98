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
  /** What the heap has of the process, free parts of it included; buffers are not. */
  readonly reserved: number
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
  const targets = await targetsOf(inspector, signal)
  const found = targets.find(({ id }) => id === `core:user:${worker}`)
  if (!found) throw new Error(`no isolate of ${worker} among ${targets.map(({ id }) => id).join(', ')}`)
  return memoryOfTarget(found, collect, signal)
}

/** Of all isolates of a Miniflare, by the names of their services: those of simulated databases and objects among them. */
export async function allIsolatesOf(
  inspector: URL,
  { timeoutMs = 60_000 } = {},
): Promise<ReadonlyMap<string, IsolateMemory>> {
  const signal = AbortSignal.timeout(timeoutMs)
  const targets = await targetsOf(inspector, signal)
  return new Map(
    await Promise.all(
      targets.map(async (target) => [target.id, await memoryOfTarget(target, false, signal)] as const),
    ),
  )
}

interface Target {
  readonly id: string
  readonly webSocketDebuggerUrl: string
}

async function targetsOf(inspector: URL, signal: AbortSignal): Promise<readonly Target[]> {
  const answer = await fetch(`http://127.0.0.1:${inspector.port}/json`, { signal })
  return (await answer.json()) as Target[]
}

async function memoryOfTarget(
  { webSocketDebuggerUrl }: Target,
  collect: boolean,
  signal: AbortSignal,
): Promise<IsolateMemory> {
  const socket = new WebSocket(webSocketDebuggerUrl)
  signal.addEventListener('abort', () => socket.terminate())
  try {
    await new Promise((done, failed) => socket.once('open', done).once('error', failed))
    if (collect) await call(socket, 1, 'HeapProfiler.collectGarbage')
    const usage = await call(socket, 2, 'Runtime.getHeapUsage')
    const { usedSize = 0, totalSize = 0, embedderHeapUsedSize = 0, backingStorageSize = 0 } = usage
    return {
      used: usedSize,
      embedder: embedderHeapUsedSize,
      buffers: backingStorageSize,
      reserved: totalSize,
    }
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
