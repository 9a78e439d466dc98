/**
 * A soak: honest and hostile clients against several isolates that share databases and a cache store, while the store fails by turns and
 * the process is killed. Then all is quiet, and what clients were told is held against what the databases have.
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Isolates, startIsolates } from '../../support/isolates.ts'
import { workerProcesses } from '../../support/kill-workers.ts'
import { publishableKey } from '../../support/local-server.ts'
import { type RedisBridge, startRedisBridge } from '../../support/redis-bridge.ts'
import { seededRandom } from '../../support/seeded-random.ts'
import { memoryOf } from '../process-memory.ts'
import { Asker } from './asker.ts'
import { comeToRest, isBelieved } from './come-to-rest.ts'
import { HonestClient } from './honest-clients.ts'
import { hostileRequest } from './hostile-clients.ts'
import { heapsOf, reservedBy } from './isolate-heaps.ts'
import { Ledger } from './ledger.ts'
import { RowOracle } from './row-oracle.ts'
import { endFault, everyFault, type Fault } from './store-faults.ts'
import { Tally } from './tally.ts'
import { jwtSecret, makeWorld, type World } from './world.ts'

export interface SoakOptions {
  /** How long clients ask. */
  readonly seconds: number
  readonly seed: number
  readonly tell?: (line: string) => void
}

/** In megabytes. */
export interface Memory {
  /** After the first seconds. */
  start: number
  peak: number
  /** After all was quiet. */
  end: number
  readonly bound: number
}

export interface SoakResult {
  readonly tally: Tally
  /** How often each fault was played. */
  readonly faults: ReadonlyMap<string, number>
  /** Of the isolate that had most. */
  readonly isolate: Memory
  /** Of the process that they share with their databases and objects; 0 where the system does not tell. */
  readonly process: Memory
  /** Writes whose outcome clients had not been told in the end. */
  readonly unknown: number
}

const isolateCount = 3
/** What the platform gives an isolate: one whose heap is larger is ended, and here all with it. */
const isolateMb = 128
/**
 * Those that work in one process: three Workers, four databases, who hands requests on, and half as much again for what an allocator keeps: nine
 * minutes came to 1196 MB, more and more slowly, while the Workers' own stayed below 90 each.
 */
const isolatesOfAll = 12
/** What Miniflare hands on to the engine. */
const flagsName = 'MINIFLARE_WORKERD_V8_FLAGS'
const honestClients = 8
const hostileClients = 3
const warmUpMs = 5000

export async function runSoak({ seconds, seed, tell = () => undefined }: SoakOptions): Promise<SoakResult> {
  const random = seededRandom(seed)
  const tally = new Tally()
  const bridge = await startRedisBridge()
  let isolates: Isolates | undefined
  const flags = process.env[flagsName]
  process.env[flagsName] = `--max-old-space-size=${isolateMb}`
  try {
    isolates = await startIsolates(
      isolateCount,
      {
        UPSTASH_REDIS_REST_URL: bridge.url,
        ATOLL_JWT_SECRET: jwtSecret,
        ATOLL_PUBLISHABLE_KEY: publishableKey,
        // Busy machines: a store that answers within it is not slow.
        CACHE_TIMEOUT_MS: '1000',
      },
      {
        ownVariables: (i) => ({ UPSTASH_REDIS_REST_TOKEN: `${bridge.token}.isolate${i}` }),
        onLog: (text) => note(tally, text),
        inspects: true,
      },
    )
    return await new Soak(isolates, bridge, tally, random, tell).run(seconds)
  } finally {
    await isolates?.stop()
    await bridge.stop()
    if (flags === undefined) delete process.env[flagsName]
    else process.env[flagsName] = flags
  }
}

/** Events of the Workers: failures that nobody is told of are violations. */
function note(tally: Tally, text: string): void {
  if (!text.startsWith('{')) return
  const [, kind = 'none'] = /"kind":"([\w-]+)"/.exec(text) ?? []
  tally.event(kind)
  if (kind === 'internal-error') tally.violate(`internal error: ${text.slice(0, 1500)}`)
}

class Soak {
  readonly #isolates: Isolates
  readonly #bridge: RedisBridge
  readonly #tally: Tally
  readonly #random: () => number
  readonly #tell: (line: string) => void
  readonly #asker: Asker
  readonly #oracle = new RowOracle()
  readonly #ledger = new Ledger()
  readonly #faults = new Map<string, number>()
  readonly #isolate: Memory = { start: 0, peak: 0, end: 0, bound: isolateMb }
  readonly #process: Memory = { start: 0, peak: 0, end: 0, bound: isolateMb * isolatesOfAll }
  /** The process that runs; null while it is being ended. */
  #running: number | null = null

  constructor(
    isolates: Isolates,
    bridge: RedisBridge,
    tally: Tally,
    random: () => number,
    tell: (line: string) => void,
  ) {
    this.#isolates = isolates
    this.#bridge = bridge
    this.#tally = tally
    this.#random = random
    this.#tell = tell
    this.#asker = new Asker(isolates, tally, seededRandom(random() * 2 ** 32))
  }

  async run(seconds: number): Promise<SoakResult> {
    await this.#asker.findAddresses()
    const world = await makeWorld(this.#asker, this.#oracle, this.#ledger)
    const until = performance.now() + warmUpMs + seconds * 1000
    const isOver = () => performance.now() > until
    const chances = () => seededRandom(this.#random() * 2 ** 32)
    const clients = [
      ...Array.from({ length: honestClients }, () => new HonestClient(world, chances()).run(isOver)),
      ...Array.from({ length: hostileClients }, () => this.#beHostile(world, chances(), isOver)),
    ]
    await sleep(warmUpMs)
    this.#running = workerProcesses()[0] ?? null
    this.#process.start = this.#look()
    this.#isolate.start = await this.#lookInside()
    const sampling = setInterval(() => this.#look(), 500)
    const sounding = setInterval(() => void this.#lookInside(), 3000)
    try {
      await this.#playFaults(world, seconds, isOver)
      await Promise.all(clients)
      this.#tell('clients have ended')
      await comeToRest(world, this.#isolates, this.#tell)
    } finally {
      clearInterval(sampling)
      clearInterval(sounding)
    }
    this.#process.end = this.#look()
    this.#isolate.end = await this.#lookInside()
    for (const [whose, { peak, bound }] of [
      ['an isolate', this.#isolate],
      ['the process', this.#process],
    ] as const) {
      if (peak > bound) this.#tally.violate(`${whose} held ${peak} MB, more than ${bound}`)
    }
    const { invoices, artists } = this.#ledger
    const unknown = [...invoices.values(), ...artists.values()].filter((one) => one === 'unknown').length
    return {
      tally: this.#tally,
      faults: this.#faults,
      isolate: this.#isolate,
      process: this.#process,
      unknown,
    }
  }

  async #beHostile(world: World, chance: () => number, isOver: () => boolean): Promise<void> {
    const below = (n: number) => Math.floor(chance() * n)
    const callers = [
      { apikey: publishableKey },
      { apikey: 'sb_publishable_none' },
      {},
      world.customer(1),
      world.customer(2),
    ]
    for (let n = 0; !isOver(); n++) {
      await this.#asker.ask(hostileRequest(n, below, callers[below(callers.length)] ?? {}))
      await sleep(chance() * 200)
    }
  }

  /** Every fault once a round, in another order each time, with calm in between in which the cache is used again. */
  async #playFaults(world: World, seconds: number, isOver: () => boolean): Promise<void> {
    const began = performance.now()
    const faults = everyFault(isolateCount)
    const longestMs = Math.min(12_000, Math.max(4000, (seconds * 400) / faults.length))
    const below = (n: number) => Math.floor(this.#random() * n)
    while (!isOver()) {
      for (const fault of this.#shuffled(faults)) {
        if (isOver()) return
        // In the second half nobody loses what they keep: then it shows what that comes to.
        const keeps = performance.now() - began > (seconds * 1000) / 2
        if (keeps && fault.ends) continue
        if (!keeps) {
          const isolate = below(isolateCount)
          await this.#asker.ask({ kind: 'isolate is evicted', path: '/forget', isHostile: true }, isolate)
        }
        this.#tell(
          `${((performance.now() - began) / 1000).toFixed(0)} s: ${fault.name}; isolates ${(await heapsOf(this.#isolates)).join(', ')} MB, all that there are have ${await reservedBy(this.#isolates)} MB, process ${this.#look()} MB, ${this.#tally.violations} violations`,
        )
        this.#faults.set(fault.name, (this.#faults.get(fault.name) ?? 0) + 1)
        this.#tally.phase = fault.name
        if (fault.ends) this.#running = null
        await fault.begin(this.#bridge, below)
        if (fault.ends) await this.#isBack()
        await sleep(2000 + this.#random() * (longestMs - 2000))
        await endFault(fault, this.#bridge)
        // Isolates leave a store alone for seconds after it has failed: the next fault would find nothing to spoil.
        await isBelieved(world, longestMs * 2)
        this.#tally.phase = 'calm'
        await sleep(longestMs / 2)
      }
    }
  }

  /** Those that end the process come in the first half of the order, so that a short run has them. */
  #shuffled(faults: readonly Fault[]): readonly Fault[] {
    const mixed = faults
      .filter(({ ends }) => !ends)
      .map((fault) => [this.#random(), fault] as const)
      .toSorted(([a], [b]) => a - b)
      .map(([, fault]) => fault)
    for (const fault of faults.filter(({ ends }) => ends)) {
      mixed.splice(Math.floor((this.#random() * faults.length) / 3), 0, fault)
    }
    return mixed
  }

  /** Miniflare starts the process again by itself. */
  async #isBack(): Promise<void> {
    for (let tries = 0; tries < 300; tries++) {
      await sleep(100)
      await this.#asker.findAddresses()
      const { status } = await this.#asker.ask({ kind: 'is it back', path: '/calls', isHostile: true })
      if (status === 200) {
        this.#running = workerProcesses()[0] ?? null
        return
      }
    }
    throw new Error('the Workers did not come back')
  }

  /** @returns what the process holds, in megabytes */
  #look(): number {
    const processes = workerProcesses()
    if (this.#running !== null && !processes.includes(this.#running)) {
      this.#tally.violate('the process has ended by itself: an isolate had more than there is, or it crashed')
      this.#running = processes[0] ?? null
    }
    const now = Math.max(0, ...processes.map(memoryOf))
    this.#process.peak = Math.max(this.#process.peak, now)
    return now
  }

  /** @returns what the isolate holds that has most, in megabytes */
  async #lookInside(): Promise<number> {
    const now = Math.max(0, ...(await heapsOf(this.#isolates)).map((megabytes) => megabytes ?? 0))
    this.#isolate.peak = Math.max(this.#isolate.peak, now)
    return now
  }
}
