/**
 * The cache's protocol in a world of its own: several isolates, one store, a database with a replica that lags, readers and
 * writers, delays before and after each step, and faults. Time is virtual and every choice comes from a seed, so that a
 * history can be played again. What the readers see is held against the promises.
 * @module
 */
import { vi } from 'vitest'
import type { Filled, FillTerms, Served } from '../../functions/cache/cache-query.ts'
import type { CacheStore, Lease, Stored } from '../../functions/cache/cache-store.ts'
import type { ConsistentCache } from '../../functions/cache/consistent-cache.ts'
import { GatheredStore } from '../../functions/cache/gathered-store.ts'
import {
  generationText,
  generationTtlMs,
  parseGeneration,
  renewed,
} from '../../functions/cache/generation.ts'
import { seededRandom } from '../support/seeded-random.ts'

/** The code under test, as it is or changed on purpose. */
export interface CacheCode {
  readonly ConsistentCache: typeof ConsistentCache
  readonly FirstLevel: typeof import('../../functions/cache/first-level.ts').FirstLevel
  readonly invalidate: typeof import('../../functions/cache/invalidate.ts').invalidate
  readonly sweepChanges: typeof import('../../functions/cache/invalidate.ts').sweepChanges
}

export interface SimulationOptions {
  readonly seed: number
  readonly operations: number
  readonly maxStaleMs?: number
  /** Whether the store gives leases back without looking at their token. */
  readonly ignoresTokens?: boolean
  /** Whether a new generation forgets what the one before knew. */
  readonly forgetsBookmarks?: boolean
  /** Longest pause of a reader between its bursts, in milliseconds. */
  readonly pauseMs?: number
  /** Whether the store fails at times. */
  readonly faults?: boolean
}

export interface SimulationResult {
  /** What was broken, in words. */
  readonly violations: readonly string[]
  readonly reads: number
  readonly hits: number
  readonly fromReplica: number
  readonly stale: number
  readonly failures: number
}

const registers = 4
const isolates = 3
const sessionCount = 5

interface Write {
  readonly value: number
  readonly sequence: number
  /** When the store had taken its generations, and when it was answered; infinite: not yet. */
  deliveredAt: number
  ackedAt: number
}

interface Session {
  seen: ReadonlyMap<string, string>
  /** Least value of each register that it may read. */
  readonly known: number[]
  busy: boolean
}

/** Runs one history. Call with fake timers on. */
export async function simulate(code: CacheCode, options: SimulationOptions): Promise<SimulationResult> {
  const { seed, operations, maxStaleMs = 0, pauseMs = 6000 } = options
  const random = seededRandom(seed)
  const sleep = (maxMs: number) => new Promise<void>((done) => setTimeout(done, random() * maxMs))
  /** Mostly short, at times very long: an isolate that stands still in the middle of things. */
  const step = () => sleep(random() < 0.03 ? 3000 : 12)
  const violations: string[] = []
  let [reads, hits, fromReplica, stale, failures] = [0, 0, 0, 0, 0]

  // --- the database: a log of writes, and a replica that has a part of it ---------------------------------------
  const log: { register: number; value: number }[] = []
  let replicated = 0
  let swept = 0
  const bookmarkOf = (position: number) => String(position).padStart(8, '0')
  const valueAt = (register: number, position: number) => {
    for (let i = position - 1; i >= 0; i--) if (log[i]?.register === register) return log[i]?.value as number
    return 0
  }
  const writes: Write[][] = Array.from({ length: registers }, () => [])

  const readDatabase = async (register: number, { seen, primary }: FillTerms): Promise<Filled> => {
    await step()
    const needed = Number(seen.get('DB') ?? 0)
    const usesReplica = !primary && replicated >= needed && random() < 0.8
    if (usesReplica) fromReplica++
    const position = usesReplica ? replicated : log.length
    const value = valueAt(register, position)
    await step()
    return {
      answer: { rows: 1, total: null, body: String(value), tag: 'x' },
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
        return []
      }
      sweepSession.bookmarks.set('DB', bookmarkOf(log.length))
      // Nothing is ever lost here, and these are the changes.
      return [
        [],
        log.slice(swept).map(({ register }, i) => ({
          sequence: swept + i + 1,
          name: 'registers',
          key: `[${register}]`,
          value: null,
        })),
      ]
    },
  }

  // --- the store ---------------------------------------------------------------------------------------------------
  const kept = new Map<string, { value: string; until: number }>()
  const leases = new Map<string, { token: string; until: number }[]>()
  let fault: 'none' | 'down' | 'lossy' | 'slow' = 'none'
  const get = (key: string) => {
    const found = kept.get(key)
    return found && found.until > Date.now() ? found.value : null
  }
  const set = ({ key, value, ttlMs }: Stored) => kept.set(key, { value, until: Date.now() + ttlMs })
  const call = async <T>(work: () => T): Promise<T> => {
    await step()
    if (fault === 'slow') await sleep(60)
    if (fault === 'down' || (fault === 'lossy' && random() < 0.3)) {
      failures++
      throw new Error('the store fails')
    }
    const result = work()
    await step()
    if (fault === 'lossy' && random() < 0.3) {
      failures++
      throw new Error('the answer is lost')
    }
    return structuredClone(result)
  }
  const giveBack = ({ key, token }: Lease) => {
    const granted = leases.get(key) ?? []
    leases.set(
      key,
      granted.filter((lease) => lease.token !== token),
    )
    if (options.ignoresTokens || get(key) === token) kept.delete(key)
  }
  const store: CacheStore = {
    name: 'simulated',
    maxTtlMs: 20_000,
    isLocal: false,
    mayHaveForgotten: () => true,
    read: (keys) => call(() => keys.map(get)),
    begin: (missing, lease) =>
      call(() => {
        const values = missing.map((stored) => {
          const known = get(stored.key)
          if (known === null) set(stored)
          return known ?? stored.value
        })
        const leased = lease !== null && get(lease.key) === null
        if (lease && leased) {
          const others = (leases.get(lease.key) ?? []).filter(({ until }) => until > Date.now())
          if (others.length > 0) violations.push(`two leases of ${lease.key} at once`)
          leases.set(lease.key, [...others, { token: lease.token, until: Date.now() + lease.ttlMs }])
          set({ key: lease.key, value: lease.token, ttlMs: lease.ttlMs })
        }
        return { values, leased }
      }),
    fill: (entry, lease) =>
      call(() => {
        if (entry) set(entry)
        if (lease) giveBack(lease)
      }),
    renew: (generations) =>
      call(() => {
        for (const { key, generation } of generations) {
          const before = options.forgetsBookmarks ? null : get(key)
          const value = generationText(renewed(generation, before === null ? null : parseGeneration(before)))
          set({ key, value, ttlMs: generationTtlMs })
        }
      }),
  }
  const caches = Array.from({ length: isolates }, () => {
    const first = new code.FirstLevel(100_000)
    // Some isolates share their reads of the store, as all do that are busy.
    const asked = random() < 0.5 ? new GatheredStore(store, 50, 1) : store
    return new code.ConsistentCache(asked, first, { prefix: 's', maxEntryLength: 1000, leaseMs: 200 })
  })
  const invalidator = { store, prefix: 's' }

  // --- readers and writers ---------------------------------------------------------------------------------------
  const sessions = Array.from({ length: sessionCount }, (): Session => {
    return { seen: new Map(), known: Array<number>(registers).fill(0), busy: false }
  })
  const background: Promise<unknown>[] = []
  const later = (work: Promise<unknown>) => void background.push(work.catch(() => null))

  const read = async (cache: ConsistentCache, register: number, session: Session | null) => {
    const begun = Date.now()
    const latest = (before: number) =>
      Math.max(
        0,
        ...(writes[register] as Write[])
          .filter(({ deliveredAt, ackedAt }) => Math.max(deliveredAt, ackedAt) < before)
          .map(({ value }) => value),
      )
    const least = latest(begun - maxStaleMs)
    const query = {
      key: `register ${register}`,
      tags: [`registers/[${register}]@DB`, 'registers*@DB'],
      ttlMs: 10_000,
      maxStaleMs,
      seen: session?.seen ?? new Map<string, string>(),
      who: null,
      directives: { noCache: false, noStore: false, maxAgeMs: null, onlyIfCached: false },
      later,
    }
    const served = (await cache.get(query, (terms) => readDatabase(register, terms))) as Served
    const value = Number(served.answer.body)
    reads++
    if (served.from !== 'database') hits++
    if (value < latest(begun)) stale++
    if (value < least)
      violations.push(`fresh after ack: read ${value} of ${register}, ${least} was answered before`)
    if (!session) return
    if (value < (session.known[register] as number)) {
      violations.push(`session: read ${value} of ${register} after ${session.known[register]}`)
    }
    session.known[register] = Math.max(value, session.known[register] as number)
    const seen = new Map(session.seen)
    for (const [database, bookmark] of served.bookmarks) {
      if ((seen.get(database) ?? '') < bookmark) seen.set(database, bookmark)
    }
    session.seen = seen
  }

  let next = 0
  const write = async (register: number, session: Session | null) => {
    await step()
    const value = ++next
    log.push({ register, value })
    const sequence = log.length
    const entry: Write = {
      value,
      sequence,
      deliveredAt: Number.POSITIVE_INFINITY,
      ackedAt: Number.POSITIVE_INFINITY,
    }
    ;(writes[register] as Write[]).push(entry)
    const bookmark = bookmarkOf(sequence)
    await step()
    const change = { sequence, table: 'registers', key: `[${register}]`, value: null }
    const set = { database: 'DB', changes: [change], upTo: sequence, tables: null }
    // One isolate in many dies here; the sweep finds what it has not delivered.
    const dies = random() < 0.03
    if (!dies) {
      await code
        .invalidate(invalidator, [set], new Map([['DB', bookmark]]))
        .then(() => {
          entry.deliveredAt = Date.now()
        })
        .catch(() => null)
    }
    await step()
    entry.ackedAt = Date.now()
    if (!session) return
    session.known[register] = Math.max(value, session.known[register] as number)
    session.seen = new Map([
      ...session.seen,
      ['DB', [session.seen.get('DB') ?? '', bookmark].sort().at(-1) as string],
    ])
  }

  let running = true
  const replica = async () => {
    while (running) {
      await sleep(random() < 0.1 ? 2000 : 80)
      replicated = Math.max(replicated, log.length - Math.floor(random() * 3))
    }
  }
  const sweep = async () => {
    while (running) {
      await sleep(600)
      const before = log.length
      const isDone = await code
        .sweepChanges(invalidator, sweepSession as never, 'DB', { tables: new Map() } as never)
        .then(
          () => true,
          () => false,
        )
      if (!isDone) continue
      for (const entry of writes.flat()) {
        if (entry.sequence <= before) entry.deliveredAt = Math.min(entry.deliveredAt, Date.now())
      }
    }
  }
  const trouble = async () => {
    while (running && options.faults !== false) {
      await sleep(1500)
      fault =
        random() < 0.6 ? 'none' : ((['down', 'lossy', 'slow'] as const)[Math.floor(random() * 3)] ?? 'none')
      const keys = [...kept.keys()].filter((key) => key.startsWith('s:g:'))
      const victim = keys[Math.floor(random() * keys.length)]
      if (random() < 0.02 && victim) kept.delete(victim)
      if (random() < 0.004) {
        kept.clear()
        leases.clear()
      }
    }
  }
  const worker = async (count: number) => {
    for (let i = 0; i < count; i++) {
      // Bursts, and time enough between them for generations that are older than any replica.
      await sleep(random() < 0.75 ? 20 : pauseMs)
      const register = Math.floor(random() ** 2 * registers)
      const cache = caches[Math.floor(random() * isolates)] as ConsistentCache
      const session = random() < 0.6 ? (sessions[Math.floor(random() * sessionCount)] as Session) : null
      // A session asks for one thing after the other.
      if (session?.busy) continue
      if (session) session.busy = true
      try {
        if (random() < 0.12) await write(register, session)
        else await read(cache, register, session)
      } finally {
        if (session) session.busy = false
      }
    }
  }
  vi.spyOn(Math, 'random').mockImplementation(random)
  const world = [replica(), sweep(), trouble()]
  await Promise.all(Array.from({ length: 8 }, () => worker(Math.ceil(operations / 8))))
  running = false
  await Promise.all([...world, ...background])
  return { violations, reads, hits, fromReplica, stale, failures }
}
