/**
 * The memory of one isolate of a Miniflare, as its inspector tells: the process has those of the simulated databases and buckets
 * as well, and its allocator gives little back.
 * Source: https://chromedevtools.github.io/devtools-protocol/tot/Runtime/#method-getHeapUsage
 * @module
 */
import type { Miniflare } from 'miniflare'
import { WebSocket } from 'ws'

export interface IsolateMemory {
  /** Values, in megabytes. */
  readonly used: number
  /** Of buffers, in megabytes. */
  readonly buffers: number
}

/** @param collect whether garbage is collected before */
export async function isolateMemoryOf(
  miniflare: Miniflare,
  worker: string,
  collect: boolean,
): Promise<IsolateMemory> {
  const inspector = new URL(String(await miniflare.getInspectorURL()).replace(/^ws/, 'http'))
  const listed = (await (await fetch(new URL('/json', inspector))).json()) as readonly { id: string }[]
  const found = listed.find(({ id }) => id === `core:user:${worker}`)
  if (!found) throw new Error(`no isolate of ${worker} among ${listed.map(({ id }) => id).join(', ')}`)
  const socket = new WebSocket(`${inspector.origin.replace(/^http/, 'ws')}/${found.id}`)
  try {
    await new Promise((done, failed) => socket.once('open', done).once('error', failed))
    if (collect) await call(socket, 1, 'HeapProfiler.collectGarbage')
    const { usedSize = 0, backingStorageSize = 0 } = await call(socket, 2, 'Runtime.getHeapUsage')
    return { used: usedSize / 2 ** 20, buffers: backingStorageSize / 2 ** 20 }
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
    socket.send(JSON.stringify({ id, method }))
  })
}
