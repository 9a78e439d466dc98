/**
 * Keeps slow queries from taking a database's one thread: what was slow is known by its statement and by who asked for it, and waits or is
 * refused when it has taken its share. `README.md` tells the rules; each isolate learns by itself.
 *
 * Longer than other files: who may begin depends on everything that is noted here, and is read together.
 * @module
 */
import { errors } from '../errors/errors.ts'
import { RecentMap } from '../memory/recent-map.ts'
import { KnownTexts } from './known-texts.ts'
import { TimeLedger } from './time-ledger.ts'

/** Parts of a database's time that slow queries of a role may take, each above 0 and up to 1. */
export interface DatabaseShare {
  /** Those of one caller, counted up to tenfold where they kept others waiting. */
  readonly caller: number
  /** Those of one statement, whoever asks. */
  readonly shape: number
  /** All of the role. */
  readonly role: number
}

/** On whose account a query runs. */
export interface Payer {
  readonly caller: string
  readonly role: string
  readonly share: DatabaseShare
}

/** Why a query was refused: who has had their share, or what it would have had to wait for. */
export type RefusedBy = 'caller' | 'shape' | 'role' | 'running' | 'waiting'

export interface WatchdogOptions {
  /** Queries that take at least so long are slow, in milliseconds. */
  readonly slowMs: number
  /** A share may be taken at once for so long, in milliseconds. */
  readonly windowMs: number
  /** Default: the clock. */
  readonly now?: () => number
  readonly onSlow?: (database: string, ms: number) => void
  /** @param isNew whether the same was not refused for the same reason a moment ago */
  readonly onRefused?: (
    database: string,
    by: RefusedBy,
    payer: Payer,
    retryMs: number,
    isNew: boolean,
  ) => void
}

/** What D1 stops by itself, in milliseconds. Source: https://developers.cloudflare.com/d1/platform/limits/ */
const longestQueryMs = 30_000
/** How long a query waits for others before it is refused, in milliseconds, and for its share to be free. */
const maxWaitMs = 3000
const soonMs = 300
/** Waiting at the same time, in an isolate and for one caller. */
const maxWaiting = 500
const maxWaitingOfCaller = 100
/** Requests of a caller that have queries under way on one database which may be slow. */
const maxDoubtful = 2
/** Statements that were slow, then fast, and fast again run side by side: 1, 2, 4 … */
const maxSideBySide = 64
/**
 * How much a query counts at most that kept others waiting. How long they wait together grows with the square of its time: one of twice
 * the slow ones' time counts double, and so on.
 */
const maxWaitedFactor = 10
/** Statements thought to be fast that turn out slow while their caller has had their share; then all of theirs is refused. */
const maxSurprises = 3
/**
 * A database that queries keep busy for more than this part of the last seconds has no time to give away: there, what keeps others waiting for a
 * tenth of the slow ones' time counts against its caller, too. Many queries of half the time take it as well as a few slow ones.
 */
const busyPart = 0.5
const busyForMs = 2000
const busyFraction = 0.1
/** Failures that took less are no sign of anything, in milliseconds. */
const slowFailureMs = 1000
/** Rows that SQLite reads in a millisecond at best: what D1 counts stands in for a time that it does not tell. */
const rowsPerMs = 10_000
/** What is kept: entries of two hundred bytes at most; texts by their characters. */
const maxEntries = 4000
const maxTexts = 2000
const maxTextsLength = 1_000_000

/** A statement on a database that is not known to be fast. */
interface Doubtful {
  readonly key: string
  readonly text: string
}

/** What is known of such a statement. */
interface Shape {
  slowUntil: number
  /** One of them did not come back in time, and may run until then. */
  lateUntil: number
  sideBySide: number
  /** It has kept others waiting at a busy database lately: until then it counts wherever it does so. */
  countsUntil: number
}

/** A call that is under way. */
export interface Run {
  readonly database: string
  readonly payer: Payer | null
  readonly texts: readonly string[]
  readonly doubtful: readonly Doubtful[]
  readonly startedAt: number
  /** Nothing else of this isolate was under way there when it began. */
  readonly wasFirst: boolean
  /** Whether its text is a name: some of its calls are fast, and say nothing of others. */
  readonly isNamed: boolean
  /** Those who wait for it. */
  readonly waiting: (() => void)[]
}

interface Refusal {
  readonly by: RefusedBy
  readonly retryMs: number
  /** What to wait for instead. */
  readonly until: readonly Run[]
}

const nothing: readonly never[] = []

/** What a statement has cost, in milliseconds of the database's time. */
export function costOf(
  meta: { readonly duration?: number; readonly rows_read?: number } | undefined,
): number {
  return Math.max(meta?.duration ?? 0, (meta?.rows_read ?? 0) / rowsPerMs)
}

/**
 * Knows queries that were slow, by caller and statement, and refuses or holds back those that have had their share of a database's time.
 * Times are in milliseconds; shares are parts of 1.
 */
export class Watchdog {
  readonly #options: WatchdogOptions
  readonly #now: () => number
  readonly #callers: TimeLedger
  readonly #shapeTimes: TimeLedger
  readonly #roles: TimeLedger
  readonly #shapes = new RecentMap<Shape>(maxEntries)
  readonly #fast = new KnownTexts(maxTexts, maxTextsLength)
  readonly #surprises = new RecentMap<number>(maxEntries)
  readonly #running = new Map<string, Set<Run>>()
  readonly #waiting = new Map<string, number>()
  readonly #told = new RecentMap<number>(200)
  /** What queries have taken lately of each database, in milliseconds; what is older counts less. */
  readonly #busy = new Map<string, { ms: number; at: number }>()
  /** Nobody outside knows which texts share a key. */
  readonly #seed = (Math.random() * 2 ** 32) | 0
  #waitingInAll = 0

  constructor(options: WatchdogOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
    this.#callers = new TimeLedger(options.windowMs, maxEntries)
    this.#shapeTimes = new TimeLedger(options.windowMs, maxEntries)
    this.#roles = new TimeLedger(options.windowMs, 100)
  }

  /** How much is kept, in entries. */
  get kept(): { readonly entries: number; readonly texts: number } {
    const ledgers = this.#callers.size + this.#shapeTimes.size + this.#roles.size
    return { entries: ledgers + this.#shapes.size + this.#surprises.size, texts: this.#fast.size }
  }

  /**
   * Lets a call begin. Those of statements that are known to be fast begin at once.
   *
   * @param payer null: on nobody's account, and never refused
   * @param texts its statements, as far as the request's wording makes them
   * @throws 503 `BOUND020` when it is refused
   */
  enter(database: string, payer: Payer | null, texts: readonly string[]): Run | Promise<Run> {
    if (payer === null || texts.length === 0) return this.#begin(database, payer, texts)
    const doubtful = texts.every((text) => this.#fast.has(text)) ? nothing : this.#doubt(database, texts)
    const refusal = this.#judge(database, payer, doubtful, this.#now())
    if (refusal === null) return this.#begin(database, payer, texts, doubtful)
    return this.#wait(database, payer, texts, refusal)
  }

  /**
   * The same for the app's own code that goes by a name. It cannot be worded otherwise, so it is not doubted before it was slow; and
   * it is asked for as a whole before it begins, on each database where it was.
   */
  async enterNamed(databases: readonly string[], payer: Payer, name: string): Promise<readonly Run[]> {
    const runs: Run[] = []
    try {
      for (const database of databases) {
        const [{ key }] = this.#doubt(database, [name]) as [Doubtful]
        if ((this.#shapes.get(key)?.slowUntil ?? 0) > this.#now()) {
          runs.push(await this.enter(database, payer, [name]))
        }
      }
      return runs
    } catch (error) {
      for (const run of runs) this.leave(run)
      throw error
    }
  }

  /** One call of such code, which has been let in. */
  enterCall(database: string, payer: Payer, name: string): Run {
    return this.#begin(database, payer, [name], nothing, true)
  }

  /** A call came to its end. @param costs milliseconds of each statement that it was entered with */
  ended(run: Run, costs: readonly number[]): void {
    this.leave(run)
    const { database, payer, texts } = run
    const now = this.#now()
    const isBusy = this.#spent(database, costs, now) > busyPart
    if (payer === null) return
    const { slowMs } = this.#options
    // What is fast wherever it runs is asked nothing more.
    const keptWaiting = costs.some((ms) => ms >= slowMs * busyFraction) && this.#isBeside(database, payer)
    let [slow, counted, countsMs] = [0, 0, slowMs]
    for (const [i, text] of texts.entries()) {
      const ms = costs[i] ?? 0
      if (keptWaiting && (isBusy || this.#counts(database, text, now))) countsMs = slowMs * busyFraction
      if (ms >= countsMs) counted += ms
      if (ms >= slowMs) {
        slow += ms
        this.#wasSlow(database, payer, text, ms, now)
      } else if (ms >= countsMs) this.#tookTime(database, text, now)
      else if (!run.isNamed && !this.#fast.has(text)) this.#wasFast(database, text, now)
    }
    if (counted === 0) return
    const caller = keyOf(database, payer.caller)
    if (run.doubtful === nothing && this.#callers.freeInMs(caller, now) > 0) {
      this.#surprises.set(caller, (this.#surprises.get(caller) ?? 0) + 1)
    }
    const factor = keptWaiting ? Math.min(maxWaitedFactor, counted / countsMs) : 1
    this.#callers.take(caller, counted * factor, payer.share.caller, now)
    // Of the role's share, only what is slow anywhere takes: a busy hour of ordinary queries is nobody's fault.
    if (slow > 0) this.#chargeRole(run, payer, slow, now)
  }

  /** Whether others than a caller have anything under way on a database. */
  #isBeside(database: string, payer: Payer): boolean {
    const running = [...(this.#running.get(database) ?? nothing)]
    return running.some((other) => other.payer?.caller !== payer.caller)
  }

  /** Notes what queries have taken. @returns the part of the last seconds that they took of the database */
  #spent(database: string, costs: readonly number[], now: number): number {
    const known = this.#busy.get(database) ?? { ms: 0, at: now }
    const left = known.ms * Math.exp((known.at - now) / busyForMs)
    const ms = costs.reduce((sum, cost) => sum + cost, left)
    this.#busy.set(database, { ms, at: now })
    return ms / busyForMs
  }

  /** A call has not come back in time; it may still run. */
  late(run: Run): void {
    if (run.payer === null) return
    for (const { key, text } of this.#doubt(run.database, run.texts)) {
      this.#fast.delete(text)
      this.#shape(key).lateUntil = run.startedAt + longestQueryMs
    }
  }

  /**
   * A call failed, so nobody tells what it cost. Of several that were under way, the one that went first is taken to have run, and
   * the others to have waited for it.
   */
  failed(run: Run, error: unknown): void {
    this.leave(run)
    const { database, payer, texts, startedAt, wasFirst } = run
    if (payer === null) return
    const now = this.#now()
    for (const { key } of this.#doubt(database, texts)) {
      const shape = this.#shapes.get(key)
      if (shape) shape.lateUntil = 0
    }
    const ms = Math.min(now - startedAt, longestQueryMs)
    if (!wasFirst || ms < slowFailureMs) return
    for (const text of texts) this.#wasSlow(database, payer, text, ms / texts.length, now)
    const burst = payer.share.caller * this.#options.windowMs
    const charged = wasStopped(error) ? ms : Math.min(ms, burst)
    this.#callers.take(keyOf(database, payer.caller), charged, payer.share.caller, now)
    this.#chargeRole(run, payer, charged, now)
  }

  /** A call is no longer under way. */
  leave(run: Run): void {
    this.#running.get(run.database)?.delete(run)
    for (const wake of run.waiting.splice(0)) wake()
  }

  #begin(
    database: string,
    payer: Payer | null,
    texts: readonly string[],
    doubtful: readonly Doubtful[] = nothing,
    isNamed = false,
  ): Run {
    const running = this.#running.get(database) ?? new Set()
    this.#running.set(database, running)
    const [startedAt, wasFirst] = [this.#now(), running.size === 0]
    const run = { database, payer, texts, doubtful, startedAt, wasFirst, isNamed, waiting: [] }
    running.add(run)
    return run
  }

  /** Statements that are not known to be fast. */
  #doubt(database: string, texts: readonly string[]): readonly Doubtful[] {
    return texts.map((text) => ({ key: keyOf(database, digest(text, this.#seed)), text }))
  }

  /** Why a call may not begin now; null: it may. */
  #judge(database: string, payer: Payer, doubtful: readonly Doubtful[], now: number): Refusal | null {
    const caller = keyOf(database, payer.caller)
    if (doubtful.length === 0) {
      if (this.#surprises.size === 0 || (this.#surprises.get(caller) ?? 0) < maxSurprises) return null
      const retryMs = this.#callers.freeInMs(caller, now)
      if (retryMs > 0) return { by: 'caller', retryMs, until: nothing }
      this.#surprises.delete(caller)
      return null
    }
    const ledgers: (readonly [RefusedBy, number])[] = [
      ['caller', this.#callers.freeInMs(caller, now)],
      ['role', this.#roles.freeInMs(keyOf(database, payer.role), now)],
    ]
    const running = this.#under(database, now)
    for (const { key } of doubtful) {
      const shape = this.#shapes.get(key)
      if (shape === undefined) continue
      if (shape.lateUntil > now) return { by: 'running', retryMs: shape.lateUntil - now, until: nothing }
      if (shape.slowUntil > now) ledgers.push(['shape', this.#shapeTimes.freeInMs(key, now)])
    }
    for (const [by, retryMs] of ledgers) if (retryMs > 0) return { by, retryMs, until: nothing }
    // A request that asks several things at once, or a function that asks for more, does not wait for itself.
    const others = running.filter((run) => run.payer !== payer)
    for (const { key } of doubtful) {
      const same = others.filter((run) => run.doubtful.some((other) => other.key === key))
      if (same.length >= (this.#shapes.get(key)?.sideBySide ?? 1)) return waitFor(same)
    }
    const own = others.filter((run) => run.payer?.caller === payer.caller)
    return own.length >= maxDoubtful ? waitFor(own) : null
  }

  /** Doubtful calls under way on a database. Those that nobody has heard of for longer than D1 lets them run are forgotten. */
  #under(database: string, now: number): Run[] {
    const running = this.#running.get(database) ?? new Set()
    for (const run of running) {
      if (now - run.startedAt <= longestQueryMs) break
      this.leave(run)
    }
    return [...running].filter((run) => run.doubtful.length > 0)
  }

  async #wait(database: string, payer: Payer, texts: readonly string[], first: Refusal): Promise<Run> {
    const until = this.#now() + maxWaitMs
    const own = this.#waiting.get(payer.caller) ?? 0
    let refusal = first
    const isCrowded = this.#waitingInAll >= maxWaiting || own >= maxWaitingOfCaller
    if (isCrowded) throw this.#refuse(database, payer, refusal)
    this.#waitingInAll++
    this.#waiting.set(payer.caller, own + 1)
    try {
      for (;;) {
        const leftMs = until - this.#now()
        if (refusal.until.length === 0 && refusal.retryMs > Math.min(soonMs, leftMs)) break
        if (leftMs <= 0) break
        await ofAny(refusal.until, refusal.until.length === 0 ? refusal.retryMs : leftMs)
        const doubtful = texts.every((text) => this.#fast.has(text)) ? nothing : this.#doubt(database, texts)
        const again = this.#judge(database, payer, doubtful, this.#now())
        if (again === null) return this.#begin(database, payer, texts, doubtful)
        refusal = again
      }
    } finally {
      this.#waitingInAll--
      const left = (this.#waiting.get(payer.caller) ?? 1) - 1
      if (left === 0) this.#waiting.delete(payer.caller)
      else this.#waiting.set(payer.caller, left)
    }
    throw this.#refuse(database, payer, refusal)
  }

  #refuse(database: string, payer: Payer, { by, retryMs }: Refusal): Error {
    const now = this.#now()
    const told = keyOf(database, `${by} ${payer.role}`)
    const isNew = now - (this.#told.get(told) ?? Number.NEGATIVE_INFINITY) >= this.#options.windowMs
    if (isNew) this.#told.set(told, now)
    this.#options.onRefused?.(database, by, payer, retryMs, isNew)
    return errors.shareTaken(database, by, payer.role, Math.max(1, Math.ceil(retryMs / 1000)))
  }

  #wasSlow(database: string, payer: Payer, text: string, ms: number, now: number): void {
    const [{ key }] = this.#doubt(database, [text]) as [Doubtful]
    this.#fast.delete(text)
    const shape = this.#shape(key)
    shape.slowUntil = now + this.#options.windowMs
    shape.lateUntil = 0
    shape.sideBySide = 1
    // One caller alone cannot have a statement refused to all others.
    const most = payer.share.caller * this.#options.windowMs
    this.#shapeTimes.take(key, Math.min(ms, most), payer.share.shape, now)
    this.#options.onSlow?.(database, ms)
  }

  #counts(database: string, text: string, now: number): boolean {
    if (this.#fast.has(text)) return false
    const [{ key }] = this.#doubt(database, [text]) as [Doubtful]
    return (this.#shapes.get(key)?.countsUntil ?? 0) > now
  }

  /** One of a busy database that is not slow by itself: its callers are asked for their shares, and it runs side by side as before. */
  #tookTime(database: string, text: string, now: number): void {
    const [{ key }] = this.#doubt(database, [text]) as [Doubtful]
    this.#fast.delete(text)
    const isNew = this.#shapes.get(key) === undefined
    const shape = this.#shape(key)
    shape.slowUntil = now + this.#options.windowMs
    shape.countsUntil = shape.slowUntil
    shape.lateUntil = 0
    if (isNew) shape.sideBySide = maxSideBySide
  }

  #wasFast(database: string, text: string, now: number): void {
    const [{ key }] = this.#doubt(database, [text]) as [Doubtful]
    const shape = this.#shapes.get(key)
    if (shape !== undefined && shape.slowUntil > now) {
      shape.lateUntil = 0
      shape.sideBySide = Math.min(maxSideBySide, shape.sideBySide * 2)
      return
    }
    this.#shapes.delete(key)
    this.#fast.add(text)
  }

  #shape(key: string): Shape {
    const known = this.#shapes.get(key)
    if (known !== undefined) return known
    const shape = { slowUntil: 0, lateUntil: 0, sideBySide: 1, countsUntil: 0 }
    this.#shapes.set(key, shape)
    return shape
  }

  #chargeRole({ database }: Run, { role, share }: Payer, ms: number, now: number): void {
    const most = share.caller * this.#options.windowMs
    this.#roles.take(keyOf(database, role), Math.min(ms, most), share.role, now)
  }
}

function waitFor(runs: readonly Run[]): Refusal {
  return { by: 'waiting', retryMs: maxWaitMs, until: runs }
}

/** Names may be as long as a token: what is long is kept by its digest. */
function keyOf(database: string, name: string): string {
  return `${database} ${name.length > 60 ? digest(name, 0) : name}`
}

/** Waits for the first of several calls to end, for so long. */
async function ofAny(runs: readonly Run[], ms: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined
  // A request that was ended in the middle wakes nobody: the time does.
  await new Promise<void>((done) => {
    timer = setTimeout(done, ms)
    for (const { waiting } of runs) waiting.push(done)
  })
  clearTimeout(timer)
}

/** What D1 says of a query that it has stopped. Source: https://developers.cloudflare.com/d1/observability/debug-d1/ */
function wasStopped(error: unknown): boolean {
  return error instanceof Error && /exceeded (?:its CPU time limit|timeout)/i.test(error.message)
}

/** 53 bits of text (cyrb53, https://github.com/bryc/code). */
function digest(text: string, seed: number): string {
  let a = 0xdeadbeef ^ seed
  let b = 0x41c6ce57 ^ seed
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    a = Math.imul(a ^ code, 2654435761)
    b = Math.imul(b ^ code, 1597334677) ^ (a >>> 15)
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909)
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909)
  return (4294967296 * (2097151 & b) + (a >>> 0)).toString(36)
}
