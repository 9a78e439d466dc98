/**
 * Keeps the trust in a store that several write to: renews its key while the store takes what is written, and lets it die when it
 * does not. There is one keeper, in a Durable Object; `README.md` argues why that is enough.
 * @module
 */
import { pause } from '../../db/cluster/pause.ts'
import type { CacheStore, Renewal } from './cache-store.ts'
import {
  type Delivery,
  type Distrust,
  isOlder,
  type KeeperAccess,
  parseTrust,
  StoreLags,
  type Trust,
  trustText,
} from './trust.ts'

/** What the keeper does to its key. */
export interface TrustRegister {
  /** Puts a value in the place of another, null being none. */
  swap(key: string, expected: string | null, value: string, ttlMs: number): Promise<Swapped>
  drop(key: string): Promise<void>
  /** Whether an error says that nothing has happened and nothing will. */
  isRefusal(error: unknown): boolean
}

export interface Swapped {
  /** What is there now. */
  readonly holds: string | null
  /** Where the store's clock stood before; it only ever goes on, unless the store has lost what it had acknowledged. */
  readonly before: number | null
  /** Where it stands. */
  readonly clock: number
}

/** What must outlive the object, written before anything is sent. */
export interface Kept {
  readonly incarnation: number
  readonly number: number
  readonly since: number
  readonly clock: number
  /** After this nobody can read a key that is alive, in milliseconds since 1970. */
  readonly until: number
  readonly distrust: Distrust | null
}

export interface KeeperOptions {
  /** As readers read it, but without trust. */
  readonly store: CacheStore
  readonly register: TrustRegister
  readonly key: string
  readonly ttlMs: number
  readonly load: () => Promise<Kept | undefined>
  /** Fails when another object has taken this one's place. */
  readonly save: (kept: Kept) => Promise<void>
  /** Lets go of the generations of all that may be cached: those made in their place know no writer, so replicas are not read. */
  readonly forgetAll: () => Promise<void>
  /** Has `recover` called in some milliseconds. */
  readonly wake: (inMs: number) => Promise<void>
  readonly told: (kind: 'cache-distrusted' | 'cache-trusted', distrust: Distrust) => void
}

/** How soon the store is tried again, at first and at most, in milliseconds. */
const [firstTryMs, lastTryMs] = [500, 10_000]

/**
 * Keeps the trust in the store: renews its key while the store takes what is written, and lets it die when it does not. `trust.ts` says
 * what the key holds; times are in milliseconds.
 */
export class TrustKeeper implements KeeperAccess {
  readonly #options: KeeperOptions
  #kept: Kept | null = null
  /** What the key holds as far as is known, and until when at most it does. */
  #token: string | null = null
  #tokenUntil = 0
  /** As `Kept.until`, but as it was known last. */
  #until = 0
  #grantedAt = 0
  /** Renewals fail, and so the key dies by itself. */
  #failing: Distrust | null = null
  #failedUntil = 0
  /** Writes that were acknowledged because nobody trusts the store. */
  #noted = 0
  #tries = 0
  #alone: Promise<unknown> = Promise.resolve()

  constructor(options: KeeperOptions) {
    this.#options = options
  }

  async distrust(): Promise<Distrust | null> {
    return (await this.#load()).distrust ?? this.#failing
  }

  async trust(isMissing: boolean): Promise<boolean> {
    const asked = Date.now()
    return this.#oneByOne(async () => {
      const { distrust } = await this.#load()
      if (distrust !== null) {
        await this.#options.wake(this.#pauseMs)
        return false
      }
      if (Date.now() < this.#failedUntil) return false
      // Another has had it renewed meanwhile.
      const since = isMissing ? asked : asked - this.#options.ttlMs / 4
      if (this.#grantedAt > since) return true
      try {
        const granted = (await this.#renew()) || (await this.#create())
        if (granted && this.#failing !== null) {
          this.#options.told('cache-trusted', this.#failing)
          this.#failing = null
        }
        return granted
      } catch (error) {
        this.#failedUntil = Date.now() + firstTryMs
        if (error instanceof StoreLags) await this.#distrust(String(error))
        else if (this.#failing === null && (await this.#load()).distrust === null) {
          this.#failing = { since: Date.now(), why: String(error) }
          this.#options.told('cache-distrusted', this.#failing)
        }
        return false
      }
    })
  }

  async deliver(generations: readonly Renewal[]): Promise<Delivery> {
    const { distrust } = await this.#load()
    if (distrust === null) {
      try {
        // What the writer has sent may arrive yet, after others have written: so its tokens are not used again, or they would come back.
        await this.#options.store.renew(generations.map(withOwnToken))
        return 'delivered'
      } catch (error) {
        await this.#distrust(String(error))
      }
    }
    // From here on the store is not trusted again before all is forgotten that was kept before.
    this.#noted++
    if ((await this.#load()).distrust === null) await this.#distrust('what was written is not in it')
    while (Date.now() < this.#until && this.#kept?.distrust !== null) {
      await pause(Math.min(100, Math.max(1, this.#until - Date.now())))
    }
    return 'distrusted'
  }

  /** Tries to make the store trusted again. */
  async recover(): Promise<void> {
    await this.#oneByOne(async () => {
      const { distrust } = await this.#load()
      if (distrust === null) return
      try {
        if (await this.#restore()) {
          this.#tries = 0
          this.#options.told('cache-trusted', distrust)
          return
        }
      } catch {
        // It is tried again, however it failed.
      }
      this.#tries++
      await this.#options.wake(this.#pauseMs)
    })
  }

  get #pauseMs(): number {
    return Math.min(lastTryMs, firstTryMs * 2 ** this.#tries)
  }

  async #restore(): Promise<boolean> {
    const { key, register, forgetAll } = this.#options
    const noted = this.#noted
    await forgetAll()
    // One of before that has not died yet, or could not be dropped.
    await register.drop(key)
    this.#token = null
    return this.#create(noted)
  }

  /** Puts the next value in the place of the one that is there; false when there is none. */
  async #renew(): Promise<boolean> {
    const { key, register, ttlMs, store } = this.#options
    for (let tries = 0; tries < 2; tries++) {
      const kept = await this.#load()
      const next = trustText({ ...kept, number: kept.number + 1 })
      // A key that is not there can hold nothing to be replaced: what is there was put by this object's predecessor.
      const expected = this.#token ?? 'unknown'
      const { holds } = await this.#swap(expected, next, { ...kept, number: kept.number + 1 })
      if (holds === next) {
        this.#token = next
        this.#tokenUntil = this.#until = Date.now() + ttlMs
        this.#grantedAt = Date.now()
        if ((await this.#load()).distrust !== null) {
          await register.drop(key)
          return false
        }
        const [text = null] = await store.read([key])
        const shown = parseTrust(text)
        if (shown === null) throw new Error('the cache store does not show what it has taken')
        if (isOlder(shown, parseTrust(next) as Trust)) throw new StoreLags()
        return true
      }
      const trust = parseTrust(holds)
      if (trust === null || trust.incarnation !== kept.incarnation) {
        this.#token = null
        if (holds !== null) await register.drop(key)
        return false
      }
      // One of its own whose answer was lost.
      this.#token = holds
      this.#tokenUntil = Date.now() + ttlMs
      this.#until = Math.max(this.#until, this.#tokenUntil)
      await this.#save({ ...(await this.#load()), number: Math.max(trust.number, kept.number + 1) })
    }
    return false
  }

  /**
   * Begins a new life of the key, in two steps: a value that nobody trusts, which may arrive whenever it wants; and when that has been seen
   * by reading, the first that is trusted, which can only take its place.
   *
   * @param noted writes that were known before all was forgotten; left out when there was nothing to forget
   */
  async #create(noted?: number): Promise<boolean> {
    const { key, register, ttlMs, store } = this.#options
    const kept = await this.#load()
    const began = { ...kept, incarnation: kept.incarnation + 1, number: 0, since: Date.now() }
    await this.#save(began)
    const pending = `pending ${crypto.randomUUID()}`
    const { holds, before, clock } = await register.swap(key, null, pending, ttlMs)
    if (holds !== pending) {
      await register.drop(key)
      return false
    }
    const pendingUntil = Date.now() + ttlMs
    const wentBack = before !== null && before < kept.clock
    await this.#save({ ...(await this.#load()), clock })
    if (wentBack) {
      await this.#distrust('it has lost what it had acknowledged')
      return false
    }
    const [shown = null] = await store.read([key])
    if (shown === null) throw new Error('the cache store does not show what it has taken')
    if (shown !== pending) throw new StoreLags()
    const now = await this.#load()
    if (noted === undefined ? now.distrust !== null : this.#noted !== noted) return false
    this.#tokenUntil = pendingUntil
    const first = trustText(began)
    const { holds: holdsNow } = await this.#swap(pending, first, { ...now, distrust: null })
    if (holdsNow !== first) return false
    this.#token = first
    this.#tokenUntil = this.#until = Date.now() + ttlMs
    this.#grantedAt = Date.now()
    if ((await this.#load()).distrust === null) return true
    await register.drop(key)
    return false
  }

  /** Notes until when the key may live after this, then sends. */
  async #swap(expected: string, value: string, kept: Kept): Promise<Swapped> {
    const { key, register, ttlMs } = this.#options
    const before = this.#until
    // However late it arrives, it takes the place of what it expects, or none.
    this.#until = Math.max(this.#until, this.#tokenUntil + ttlMs)
    await this.#save({ ...kept, until: this.#until })
    try {
      const swapped = await register.swap(key, expected, value, ttlMs)
      const isBack = swapped.before !== null && swapped.before < kept.clock
      await this.#note({ clock: swapped.clock })
      if (isBack) await this.#distrust('it has lost what it had acknowledged')
      return swapped
    } catch (error) {
      if (register.isRefusal(error)) this.#until = before
      throw error
    }
  }

  async #distrust(why: string): Promise<void> {
    const { key, register, store, told, wake } = this.#options
    const kept = await this.#load()
    if (kept.distrust !== null) return
    const distrust = { since: Date.now(), why }
    await this.#save({ ...kept, distrust })
    if (this.#failing === null) told('cache-distrusted', distrust)
    this.#failing = null
    this.#tries = 0
    await wake(firstTryMs)
    try {
      // A store that is full lets go at least: then nobody need wait for it to die.
      await register.drop(key)
      const [shown = null] = await store.read([key])
      if (parseTrust(shown) === null) this.#until = Math.min(this.#until, Date.now())
    } catch {
      // It dies by itself.
    }
  }

  async #load(): Promise<Kept> {
    if (this.#kept === null) {
      const nothing = { incarnation: 0, number: 0, since: 0, clock: 0, until: 0, distrust: null }
      const loaded = (await this.#options.load()) ?? nothing
      if (this.#kept === null) {
        this.#kept = loaded
        this.#until = loaded.until
      }
    }
    return this.#kept as Kept
  }

  async #note(what: Partial<Kept>): Promise<void> {
    await this.#save({ ...(await this.#load()), ...what })
  }

  async #save(kept: Kept): Promise<void> {
    this.#kept = kept
    await this.#options.save(kept)
  }

  #oneByOne<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#alone.then(work)
    this.#alone = done.catch(() => null)
    return done
  }
}

function withOwnToken({ key, generation }: Renewal): Renewal {
  return { key, generation: { ...generation, id: crypto.randomUUID() } }
}
