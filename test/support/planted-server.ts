/**
 * A server whose faults are known, in a process of its own: how much it computes for each answer, and how long it stalls when.
 * @module
 */
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import { startOwnProcess } from './own-process.ts'

export interface Planted {
  /** Rounds of a hash that are computed for each answer. */
  readonly work?: number
  /** How long each answer waits, in milliseconds. */
  readonly waitMs?: number
  /** From this time after the first request on, nothing is answered for so long. Milliseconds. */
  readonly stall?: { readonly atMs: number; readonly forMs: number }
  /** Every so many requests one fails with 500. */
  readonly failEvery?: number
}

export interface PlantedServer {
  readonly url: URL
  stop(): Promise<void>
}

export async function startPlanted(planted: Planted): Promise<PlantedServer> {
  const { said, stop } = await startOwnProcess(import.meta.filename, JSON.stringify(planted))
  return { url: new URL(said), stop }
}

function serve({ work = 0, waitMs: always = 0, stall, failEvery = 0 }: Planted): void {
  let first = 0
  let count = 0
  const server = createServer((_, response) => {
    first ||= performance.now()
    count++
    const now = performance.now() - first
    const isStalled = stall !== undefined && now >= stall.atMs && now < stall.atMs + stall.forMs
    const waitMs = isStalled ? stall.atMs + stall.forMs - now : always
    let text = 'atoll'
    for (let i = 0; i < work; i++) text = createHash('sha256').update(text).digest('hex')
    const status = failEvery > 0 && count % failEvery === 0 ? 500 : 200
    const answer = () => response.writeHead(status, { 'content-type': 'application/json' }).end(`["${text}"]`)
    if (waitMs > 0) setTimeout(answer, waitMs)
    else answer()
  })
  server.listen(0, '127.0.0.1', () => {
    console.log(`http://127.0.0.1:${(server.address() as { port: number }).port}`)
  })
  process.stdin.resume()
  process.stdin.once('end', () => process.exit())
}

if (import.meta.main) serve(JSON.parse(process.argv[2] ?? '{}') as Planted)
