/**
 * Asks at a rate, whatever the answers take: a slow server does not slow the questions. Latencies count from when a request was due, so
 * that what a stall delays counts as delayed (coordinated omission: Gil Tene, "How NOT to Measure Latency").
 * @module
 */
import { Agent, get } from 'node:http'
import { Histogram } from '../../functions/monitor/histogram.ts'

export interface OpenLoop {
  readonly url: string
  /** Requests a second, on average: they come by chance, as those of many independent clients do. */
  readonly rate: number
  readonly seconds: number
  readonly random?: () => number
}

export interface OpenLoopResult {
  readonly requests: number
  /** Answers of 400 and more, and requests without one. */
  readonly failed: number
  /** Milliseconds. */
  readonly latencies: Histogram
}

export async function askAtRate({
  url,
  rate,
  seconds,
  random = Math.random,
}: OpenLoop): Promise<OpenLoopResult> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1024 })
  const latencies = new Histogram()
  const begun = performance.now()
  const under = new Set<Promise<void>>()
  let failed = 0
  let requests = 0
  for (let dueMs = 0; dueMs < seconds * 1000; dueMs += (-Math.log(1 - random()) * 1000) / rate) {
    const wait = begun + dueMs - performance.now()
    if (wait > 0) await new Promise((done) => setTimeout(done, wait))
    requests++
    const due = begun + dueMs
    const one = ask(url, agent).then((isGood) => {
      latencies.add(performance.now() - due)
      if (!isGood) failed++
      under.delete(one)
    })
    under.add(one)
  }
  await Promise.all(under)
  agent.destroy()
  return { requests, failed, latencies }
}

function ask(url: string, agent: Agent): Promise<boolean> {
  return new Promise((done) => {
    const request = get(url, { agent }, (answer) => {
      answer.on('error', () => done(false))
      answer.on('end', () => done((answer.statusCode ?? 500) < 400))
      answer.resume()
    })
    request.on('error', () => done(false))
  })
}
