/**
 * The cache's protocol in a world of its own: several isolates, one store, a database with a replica that lags, readers and
 * writers, delays before and after each step, and faults. Time is virtual and every choice comes from a seed, so that a
 * history can be played again. What the readers see is held against the promises.
 * @module
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { vi } from 'vitest'
import type { Filled, FillTerms, Served } from '../../functions/cache/cache-query.ts'
import type { CacheStore } from '../../functions/cache/cache-store.ts'
import type { ConsistentCache } from '../../functions/cache/consistent-cache.ts'
import type { Footprint } from '../../functions/cache/footprint.ts'
import { GatheredStore } from '../../functions/cache/gathered-store.ts'
import { makeGeneration } from '../../functions/cache/generation.ts'
import type { Invalidator } from '../../functions/cache/invalidate.ts'
import type { Kept } from '../../functions/cache/trust-keeper.ts'
import { seededRandom } from '../support/seeded-random.ts'
import { type Fault, faults, type GenerationCode, SimulatedStore } from './simulated-store.ts'

/** The code under test, as it is or changed on purpose. */
export interface CacheCode extends GenerationCode {
  readonly ConsistentCache: typeof ConsistentCache
  readonly FirstLevel: typeof import('../../functions/cache/first-level.ts').FirstLevel
  readonly MemoryStore: typeof import('../../functions/cache/memory-store.ts').MemoryStore
  readonly invalidate: typeof import('../../functions/cache/invalidate.ts').invalidate
  readonly sweepChanges: typeof import('../../functions/cache/invalidate.ts').sweepChanges
  readonly StoreLags: typeof import('../../functions/cache/trust.ts').StoreLags
  readonly TrustedStore: typeof import('../../functions/cache/trusted-store.ts').TrustedStore
  readonly TrustKeeper: typeof import('../../functions/cache/trust-keeper.ts').TrustKeeper
}

export interface SimulationOptions {
  readonly seed: number
  readonly operations: number
  readonly maxStaleMs?: number
  /** How long readers may serve without asking, and writers wait. */
  readonly leaseMs?: number
  /** Whether the store gives leases back without looking at their token. */
  readonly ignoresTokens?: boolean
  /** Whether a new generation forgets what the one before knew. */
  readonly forgetsBookmarks?: boolean
  /** Longest pause of a reader between its bursts, in milliseconds. */
  readonly pauseMs?: number
  /** How the store fails at times; left out: by every way. */
  readonly faults?: readonly Fault[]
  /** Whether there is one isolate, whose store is its own memory, with nothing that can fail but that it lets go. */
  readonly isLocal?: boolean
  /** Whether isolates go by the cache where it does not pay: here it seldom does. */
  readonly judges?: boolean
  /** Whether renewals are not looked for by reading. */
  readonly blind?: boolean
  /** Whether a replica that lags answers the first isolate alone, whose reads may then be behind for as long as trust lives. */
  readonly regional?: boolean
  /** Whether what is to be forgotten is renewed in its place. */
  readonly renewsAll?: boolean
}

export interface SimulationResult {
  /** What was broken, in words. */
  readonly violations: readonly string[]
  readonly reads: number
  readonly hits: number
  readonly fromReplica: number
  readonly stale: number
  readonly failures: number
  /** Times that the store was no longer believed, and that it was again. */
  readonly distrusted: number
  readonly trusted: number
  /** Writes that were not acknowledged, though committed. */
  readonly unfresh: number
}

const registers = 4
const isolates = 3
const sessionCount = 5
/** How long the store is believed, in milliseconds. */
const trustMs = 1000

interface Write {
  readonly value: number
  readonly sequence: number
  /** When it was answered, or told in its writer's place; infinite: not yet. */
  ackedAt: number
  /** Whether its writer has died, so that the sweep must tell of it. */
  isLost: boolean
}

/** A write by which a register is on the page, or is not. */
interface Toggle extends Write {
  readonly isShown: boolean
}

interface Session {
  seen: ReadonlyMap<string, string>
  /** Least value of each register that it may read. */
  readonly known: number[]
  /** Of each register, the write that it knows to have put it on the page or taken it off, or one before. */
  readonly toggled: number[]
  busy: boolean
}

/** What of a register a write changes; null: all of it, as the row comes or goes. */
type Column = 'value' | 'other' | 'hidden' | null

const rowFootprint: Footprint = { deciding: ['id'], shown: ['value'], marks: null }
const pageFootprint: Footprint = { deciding: ['id', 'hidden'], shown: ['value'], marks: ['"id":'] }

/** The clock of a request, which goes on with what comes from elsewhere, and stands still while it works. */
class FrozenClock {
  readonly #real: () => number
  now: number

  constructor(real: () => number) {
    this.#real = real
    this.now = real()
  }

  goOn(): void {
    this.now = this.#real()
  }
}

/** Has each request see its own clock, by which its timers go as well: they end too early when it is behind. */
function frozenClocks() {
  const request = new AsyncLocalStorage<FrozenClock>()
  const [now, wait] = [Date.now, globalThis.setTimeout]
  const outside = <T>(work: () => T): T => request.exit(work)
  Date.now = () => request.getStore()?.now ?? now()
  const timer = (done: () => void, ms: number) => {
    const clock = request.getStore()
    if (clock === undefined) return wait(done, ms)
    const come = () => {
      clock.goOn()
      done()
    }
    return wait(come, Math.max(0, ms - (now() - clock.now)))
  }
  globalThis.setTimeout = timer as typeof globalThis.setTimeout
  const restore = () => {
    Date.now = now
    globalThis.setTimeout = wait
  }
  return { now, wait, request, outside, restore }
}

/** Runs one history. Call with fake timers on. */
export async function simulate(code: CacheCode, options: SimulationOptions): Promise<SimulationResult> {
  const { seed, operations, maxStaleMs = 0, leaseMs = 0, pauseMs = 6000 } = options
  const random = seededRandom(seed)
  const { now, wait, request, outside, restore } = frozenClocks()
  const sleep = (maxMs: number) => new Promise<void>((done) => wait(done, random() * maxMs))
  /** Mostly short, at times very long: an isolate that stands still in the middle of things. Its clock goes on here, and not in its work. */
  const step = async () => {
    await sleep(random() < 0.03 ? 3000 : 12)
    request.getStore()?.goOn()
    if (leaseMs > 0 && random() < 0.1) await sleep(200)
  }
  const violations: string[] = []
  let [reads, hits, fromReplica, stale, unfresh, distrusted, trusted] = [0, 0, 0, 0, 0, 0, 0]

  // --- the database: a log of writes, and a replica that has a part of it ---------------------------------------
  const log: { register: number; value: number; column: Column }[] = []
  let replicated = 0
  let swept = 0
  const bookmarkOf = (position: number) => String(position).padStart(8, '0')
  const valueAt = (register: number, position: number) => {
    for (let i = position - 1; i >= 0; i--) {
      const { register: of, value, column } = log[i] as (typeof log)[number]
      if (of === register && (column === 'value' || column === null)) return value
    }
    return 0
  }
  const toggles: Toggle[][] = Array.from({ length: registers }, () => [
    { value: 0, sequence: 0, ackedAt: 0, isLost: false, isShown: true },
  ])
  const pageAt = (position: number) =>
    JSON.stringify(
      toggles.flatMap((own, id) => {
        const last = own.findLast(({ sequence }) => sequence <= position)
        return last?.isShown ? [{ id, value: valueAt(id, position) }] : []
      }),
    )
  const writes: Write[][] = Array.from({ length: registers }, () => [])

  const readDatabase = async (register: number | null, { seen, primary }: FillTerms): Promise<Filled> => {
    await step()
    const needed = Number(seen.get('DB') ?? 0)
    const usesReplica = !primary && replicated >= needed && random() < 0.8
    if (usesReplica) fromReplica++
    const position = usesReplica ? replicated : log.length
    const body = register === null ? pageAt(position) : String(valueAt(register, position))
    await step()
    return {
      answer: { rows: 1, total: null, body, tag: 'x' },
      bookmarks: new Map([['DB', bookmarkOf(position)]]),
      whole: true,
    }
  }
  /** The change log, as the sweep reads it. */
  const sweepSession = {
    bookmarks: new Map<string, string>(),
    writing: () => sweepSession,
    async on(_: string, [first]: readonly { text: string; parameters: readonly unknown[] }[]) {
      await step()
      if (!first?.text.startsWith('SELECT')) {
        swept = Math.max(swept, Number(first?.parameters[1]))
        for (const lost of [...writes, ...toggles].flat())
          if (lost.isLost && lost.sequence <= swept) lost.ackedAt = Math.min(lost.ackedAt, now() + leaseMs)
        return []
      }
      sweepSession.bookmarks.set('DB', bookmarkOf(log.length))
      // Nothing is ever lost here, and these are the changes.
      return [
        [],
        log.slice(swept).map(({ register, column }, i) => ({
          sequence: swept + i + 1,
          name: 'registers',
          key: `[${register}]`,
          value: null,
          columns: column && JSON.stringify([column]),
        })),
      ]
    },
  }

  // --- the store, who keeps the trust in it, and the caches -------------------------------------------------------
  const world = { random, step, sleep, violations, outside, generations: code, ...options }
  const store = new SimulatedStore(world)
  let running = true
  let stored: Kept | undefined
  const own = store.as('keeper', code.StoreLags)
  /** A keeper's object; one whose place another has taken can note nothing any more, and so sends nothing. */
  const openKeeper = () => {
    const object = { isAlive: true }
    const opened = new code.TrustKeeper({
      store: own,
      register: own,
      key: 's:trust',
      ttlMs: trustMs,
      load: async () => stored,
      save: async (kept) => {
        if (!object.isAlive) throw new Error('another has taken its place')
        stored = structuredClone(kept)
        await step()
        if (!object.isAlive) throw new Error('another has taken its place')
      },
      async forgetAll() {
        const bulk = 's:g:registers*@DB'
        if (!options.renewsAll) await own.drop('s:g:registers@DB')
        if (options.renewsAll) {
          const id = crypto.randomUUID()
          const generation = { ...makeGeneration(), id, blindUntil: 0 }
          return own.renew([{ key: bulk, generation }])
        }
        await own.drop(bulk)
      },
      wake: async (inMs) => {
        wait(() => object.isAlive && running && void background.push(opened.recover()), inMs)
      },
      told: (kind) => (kind === 'cache-trusted' ? trusted++ : distrusted++),
    })
    return { object, opened }
  }
  const background: Promise<unknown>[] = []
  let keeper = openKeeper()
  /** What is asked of an object that is gone is never answered rightly. */
  const asked = async <T>(ask: (of: typeof keeper.opened) => Promise<T>): Promise<T> => {
    await step()
    const { object, opened } = keeper
    if (random() < 0.01) throw new Error('the keeper cannot be reached')
    const answer = await outside(() => ask(opened))
    await step()
    if (!object.isAlive) throw new Error('the keeper is gone')
    return answer
  }
  const stores = Array.from({ length: isolates }, (_, i) => store.as(i, code.StoreLags))
  const trustedStores = stores.map((bare) => {
    // Some isolates share their reads of the store, as all do that are busy.
    const gathered = random() < 0.5 ? new GatheredStore(bare, 50, 1) : bare
    const access = {
      trust: (isMissing: boolean) => asked((of) => of.trust(isMissing)),
      distrust: () => asked((of) => of.distrust()),
      deliver: (generations: Parameters<typeof bare.renew>[0]) => asked((of) => of.deliver(generations)),
    }
    const options = { key: 's:trust', ttlMs: trustMs, keeper: access }
    const leases = new Map(leaseMs > 0 ? [['registers', leaseMs]] : [])
    const invalidator = { store: bare, prefix: 's', leases, deliver: access.deliver }
    const trusted: CacheStore = new code.TrustedStore(gathered, options)
    return { store: trusted, invalidator: invalidator as Invalidator }
  })
  const memory = new code.MemoryStore(20_000)
  if (options.isLocal) {
    const invalidator = { store: memory, prefix: 's' }
    trustedStores.splice(0, isolates, ...Array(isolates).fill({ store: memory, invalidator }))
  }
  const opened = trustedStores.map(({ store }) => {
    const first = new code.FirstLevel(100_000)
    return new code.ConsistentCache(store, first, {
      prefix: 's',
      maxEntryLength: 1000,
      leaseMs: 200,
      judges: options.judges ?? false,
    })
  })

  const caches = options.isLocal ? opened.map(() => opened[0]) : opened

  // --- readers and writers ---------------------------------------------------------------------------------------
  const zeros = () => Array<number>(registers).fill(0)
  const sessions = Array.from({ length: sessionCount }, (): Session => {
    return { seen: new Map(), known: zeros(), toggled: zeros(), busy: false }
  })
  const later = (work: Promise<unknown>) => void background.push(work.catch(() => null))

  const latest = (of: readonly Write[] | undefined, before: number) =>
    Math.max(0, ...(of ?? []).filter(({ ackedAt }) => ackedAt < before).map(({ sequence }) => sequence))

  /** Reads a register, or for null the page of those that are shown. */
  const read = async (isolate: number, register: number | null, session: Session | null) => {
    const cache = caches[isolate] as ConsistentCache
    const begun = now()
    const behindMs = options.regional && isolate === 0 ? trustMs : 0
    const due = begun - maxStaleMs - behindMs
    const least = writes.map((of) => latest(of, due))
    const leastNow = writes.map((of) => latest(of, begun))
    const leastToggled = toggles.map((of) => latest(of, due))
    const tags = register === null ? ['registers@DB'] : [`registers/[${register}]@DB`, 'registers*@DB']
    const footprint = register === null ? pageFootprint : rowFootprint
    const query = {
      key: register === null ? 'page' : `register ${register}`,
      shape: register === null ? 'page' : 'register',
      tags,
      footprints: tags.map(() => footprint),
      ttlMs: 10_000,
      maxStaleMs,
      leaseMs,
      seen: session?.seen ?? new Map<string, string>(),
      who: null,
      directives: { noCache: false, noStore: false, maxAgeMs: null, onlyIfCached: false },
      later,
    }
    const served = (await cache.get(query, (terms) => readDatabase(register, terms))) as Served
    const body = served.answer.body as string
    reads++
    if (served.from !== 'database') hits++
    const shown: { id: number; value: number }[] =
      register === null ? JSON.parse(body) : [{ id: register, value: Number(body) }]
    for (const { id, value } of shown) {
      const known = session?.known[id] ?? 0
      if (value < (leastNow[id] as number)) stale++
      if (value < (least[id] as number))
        violations.push(`fresh after ack: read ${value} of ${id}, ${least[id]} was answered before`)
      if (value < known) violations.push(`session: read ${value} of ${id} after ${known}`)
      if (session) session.known[id] = Math.max(value, known)
    }
    for (const [id, own] of register === null ? toggles.entries() : []) {
      const from = Math.max(leastToggled[id] as number, session?.toggled[id] ?? 0)
      const isShown = shown.some((one) => one.id === id)
      const found = own.find((toggle) => toggle.sequence >= from && toggle.isShown === isShown)
      if (!found) violations.push(`page: ${id} is ${isShown ? '' : 'not '}shown after ${from}`)
      else if (session) session.toggled[id] = Math.max(session.toggled[id] as number, found.sequence)
    }
    if (!session) return
    const seen = new Map(session.seen)
    for (const [database, bookmark] of served.bookmarks) {
      if ((seen.get(database) ?? '') < bookmark) seen.set(database, bookmark)
    }
    session.seen = seen
  }

  const write = async (register: number, session: Session | null) => {
    await step()
    const kind = random()
    // Of one register the row itself comes and goes.
    const column: Column = kind < 0.5 ? 'value' : kind < 0.75 ? 'other' : register === 3 ? null : 'hidden'
    const sequence = log.length + 1
    log.push({ register, value: sequence, column })
    const entry = { value: sequence, sequence, ackedAt: Number.POSITIVE_INFINITY, isLost: false }
    const own = toggles[register] as Toggle[]
    const told: Write[] = []
    if (column === 'value' || column === null) told.push(entry)
    for (const one of told) (writes[register] as Write[]).push(one)
    if (column === 'hidden' || column === null) {
      const toggle = { ...entry, isShown: !own.at(-1)?.isShown }
      own.push(toggle)
      told.push(toggle)
    }
    const bookmark = bookmarkOf(sequence)
    await step()
    const columns = column && [column]
    const change = { sequence, table: 'registers', key: `[${register}]`, value: null, columns }
    const set = { database: 'DB', changes: [change], upTo: sequence, tables: null }
    // One isolate in many dies here; the sweep finds what it has not delivered.
    if (random() < 0.03) {
      for (const one of told) {
        one.isLost = true
        // The sweep was here already.
        if (sequence <= swept) one.ackedAt = now() + leaseMs
      }
      return
    }
    const { invalidator } = trustedStores[Math.floor(random() * isolates)] as (typeof trustedStores)[number]
    const isFresh = await code.invalidate(invalidator, [set], new Map([['DB', bookmark]])).then(
      () => true,
      () => false,
    )
    if (!isFresh) {
      unfresh++
      return
    }
    if (options.isLocal && random() < 0.2) while (memory.evict());
    await step()
    for (const one of told) one.ackedAt = now()
    if (!session) return
    if (column === 'value' || column === null)
      session.known[register] = Math.max(sequence, session.known[register] as number)
    if (column === 'hidden' || column === null)
      session.toggled[register] = Math.max(sequence, session.toggled[register] as number)
    session.seen = new Map([
      ...session.seen,
      ['DB', [session.seen.get('DB') ?? '', bookmark].sort().at(-1) as string],
    ])
  }

  const replica = async () => {
    while (running) {
      await sleep(random() < 0.1 ? 2000 : 80)
      replicated = Math.max(replicated, log.length - Math.floor(random() * 3))
    }
  }
  const sweep = async () => {
    while (running) {
      await sleep(600)
      const invalidator = { store: options.isLocal ? memory : own, prefix: 's' }
      await code
        .sweepChanges(invalidator, sweepSession as never, 'DB', { tables: new Map() } as never)
        .catch(() => null)
    }
  }
  const trouble = async () => {
    const kinds = options.faults ?? faults
    // In every other history the store is well for long enough that replicas of the database are read again.
    const isCalm = seed % 2 === 0 && options.faults === undefined
    while (running && kinds.length > 0) {
      // Shorter and longer than the store is believed.
      await sleep(random() < 0.5 ? 1000 : 5000)
      store.fault =
        random() < (isCalm ? 0.98 : 0.5) ? 'none' : (kinds[Math.floor(random() * kinds.length)] ?? 'none')
      store.lagMs = random() * 3000
      const keys = store.keys().filter((key) => key.startsWith('s:g:'))
      const victim = keys[Math.floor(random() * keys.length)]
      if (random() < 0.02 && victim) store.forget([victim])
      if (random() < (isCalm ? 0.004 : 0.02)) store.flush()
      if (random() < 0.1) {
        keeper.object.isAlive = false
        keeper = openKeeper()
        // Its alarm is kept by the platform.
        if (stored?.distrust) background.push(keeper.opened.recover())
      }
    }
  }
  const worker = async (count: number) => {
    for (let i = 0; i < count; i++) {
      // Bursts, and time enough between them for generations that are older than any replica.
      await sleep(random() < 0.75 ? 20 : pauseMs)
      const register = Math.floor(random() ** 2 * registers)
      const isolate = Math.floor(random() * isolates)
      const session = random() < 0.6 ? (sessions[Math.floor(random() * sessionCount)] as Session) : null
      // A session asks for one thing after the other.
      if (session?.busy) continue
      if (session) session.busy = true
      try {
        const work = () =>
          random() < 0.12
            ? write(register, session)
            : read(isolate, random() < 0.4 ? null : register, session)
        await (leaseMs > 0 ? request.run(new FrozenClock(now), work) : work())
      } finally {
        if (session) session.busy = false
      }
    }
  }
  vi.spyOn(Math, 'random').mockImplementation(random)
  if (leaseMs === 0) restore()
  const others = [replica(), sweep(), trouble()]
  await Promise.all(Array.from({ length: 8 }, () => worker(Math.ceil(operations / 8))))
  running = false
  store.fault = 'none'
  await Promise.all([...others, ...background])
  restore()
  const { failures } = store
  return { violations, reads, hits, fromReplica, stale, failures, distrusted, trusted, unfresh }
}
