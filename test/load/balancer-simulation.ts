/**
 * Discrete events in place of sockets, for what two cores cannot do: many isolates that each see only their own traffic, before origins
 * of uneven capacity. Pools and strategies are the real code, with the time and chance of the simulation.
 * @module
 */
import type { PoolDeclaration, StrategyDeclaration } from '../../functions/balancer/declarations.ts'
import type { Origin } from '../../functions/balancer/origin.ts'
import { Pool } from '../../functions/balancer/pool.ts'
import { hashOf } from '../../functions/balancer/strategies/maglev.ts'
import { Histogram } from '../../functions/meter/histogram.ts'
import { seededRandom } from '../support/seeded-random.ts'

export interface SimulationSettings {
  readonly strategy: StrategyDeclaration
  readonly isolates: number
  readonly origins: number
  readonly requests: number
  /** Of the capacity of all origins together. */
  readonly utilisation: number
  readonly seed: number
}

export interface SimulationResult {
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
  readonly p999: number
  /** Work of the busiest origin for its capacity, over the mean of all: 1 is even. */
  readonly imbalance: number
}

/** Requests that an origin works on at the same time; others queue. */
const workers = 4
/** Mean time of one, at an origin of speed 1, in milliseconds. */
const serviceMs = 20
/** Origins are not alike, and nobody has told the balancer. */
const speeds = [0.5, 1, 1, 2]
/** The beginning is left out: isolates know nothing yet. */
const warmUpShare = 0.3

interface Server {
  readonly speed: number
  busy: number
  workMs: number
  readonly queue: (() => void)[]
}

export function simulate(settings: SimulationSettings): SimulationResult {
  const random = seededRandom(settings.seed)
  const events = new EventQueue()
  let now = 0
  const servers: Server[] = Array.from({ length: settings.origins }, (_, i) => ({
    speed: speeds[i % speeds.length] as number,
    busy: 0,
    workMs: 0,
    queue: [],
  }))
  const declared: PoolDeclaration = { origins: {}, strategy: settings.strategy }
  const targets = servers.map((_, i) => ({
    name: `o${i}`,
    url: new URL('http://origin.test'),
    weight: 1,
    priority: 0,
    headers: {},
  }))
  const clock = { now: () => now, random }
  const pools = Array.from({ length: settings.isolates }, () => new Pool('p', declared, targets, clock))
  const exponential = (mean: number) => -Math.log(1 - random()) * mean
  const capacity = servers.reduce((sum, { speed }) => sum + speed * workers, 0) / serviceMs
  const betweenMs = 1 / (capacity * settings.utilisation)
  const latencies = new Histogram()
  let begun = 0

  const work = (server: Server, done: () => void): void => {
    if (server.busy >= workers) return void server.queue.push(() => work(server, done))
    server.busy++
    const ms = exponential(serviceMs) / server.speed
    server.workMs += ms
    events.add(now + ms, () => {
      server.busy--
      server.queue.shift()?.()
      done()
    })
  }
  const arrive = (): void => {
    const number = begun++
    if (begun < settings.requests) events.add(now + exponential(betweenMs), arrive)
    const pool = pools[Math.floor(random() * pools.length)] as Pool
    const hash = hashOf(`key ${Math.floor(random() * 100_000)}`)
    const origin = pool.pick({ hash, sticky: null, tried: new Set() }) as Origin
    const start = now
    const over = origin.begin(now, Number.POSITIVE_INFINITY)
    work(servers[Number(origin.name.slice(1))] as Server, () => {
      over()
      pool.note(origin, 'answered', '2xx', now - start)
      if (number >= settings.requests * warmUpShare) latencies.add(now - start)
    })
  }
  events.add(0, arrive)
  for (let event = events.next(); event; event = events.next()) {
    now = event.at
    event.run()
  }
  const loads = servers.map(({ workMs }) => workMs)
  const mean = loads.reduce((sum, load) => sum + load, 0) / loads.length
  return {
    p50: latencies.quantile(0.5),
    p99: latencies.quantile(0.99),
    p999: latencies.quantile(0.999),
    imbalance: Math.max(...loads) / mean,
  }
}

interface Event {
  readonly at: number
  readonly run: () => void
}

/** A binary heap: the earliest event first. */
class EventQueue {
  readonly #heap: Event[] = []

  add(at: number, run: () => void): void {
    const heap = this.#heap
    let i = heap.push({ at, run }) - 1
    while (i > 0) {
      const parent = (i - 1) >> 1
      if ((heap[parent] as Event).at <= (heap[i] as Event).at) break
      this.#swap(i, parent)
      i = parent
    }
  }

  next(): Event | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (heap.length === 0 || !last) return first
    heap[0] = last
    for (let i = 0; ; ) {
      const [left, right] = [2 * i + 1, 2 * i + 2]
      let least = i
      for (const child of [left, right])
        if (child < heap.length && (heap[child] as Event).at < (heap[least] as Event).at) least = child
      if (least === i) return first
      this.#swap(i, least)
      i = least
    }
  }

  #swap(i: number, j: number): void {
    const heap = this.#heap
    ;[heap[i], heap[j]] = [heap[j] as Event, heap[i] as Event]
  }
}

/** `npm run load -- simulation` */
export function runSimulation(): void {
  const line = (...cells: string[]) =>
    console.log(cells.map((cell, i) => (i === 0 ? cell.padEnd(26) : cell.padStart(12))).join(''))
  const strategies: readonly [string, StrategyDeclaration][] = [
    ['random', 'random'],
    ['round robin', 'round-robin'],
    ['least request', 'least-request'],
    ['peak EWMA', 'peak-ewma'],
    ['Maglev, bounded loads', { hash: 'path' }],
  ]
  for (const [isolates, utilisation] of [
    [1, 0.4],
    [1000, 0.4],
    [1, 0.6],
    [1000, 0.6],
  ] as const) {
    const settings = { isolates, origins: 100, requests: 400_000, utilisation, seed: 1 }
    console.log(
      `\n${isolates} isolates, 100 origins of speeds ${speeds.join(', ')}, ${utilisation * 100} % used; milliseconds`,
    )
    line('strategy', 'p50', 'p99', 'p99.9', 'imbalance')
    for (const [name, strategy] of strategies) {
      const { p50, p99, p999, imbalance } = simulate({ ...settings, strategy })
      line(name, p50.toFixed(1), p99.toFixed(1), p999.toFixed(1), imbalance.toFixed(2))
    }
  }
}
