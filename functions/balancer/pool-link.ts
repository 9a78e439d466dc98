import { within } from '../core/coalescer.ts'
import { emit } from './events.ts'
import type { Pool } from './pool.ts'
import { reportOf } from './pool-view.ts'
import type { PoolWatchAccess } from './pool-watch.ts'

/** How often an isolate asks while it has requests, and how long its first request waits to hear who is ill, in milliseconds. */
const everyMs = 2000
const firstWaitMs = 250

/** A pool of this isolate, kept in step with the pool's Durable Object. */
export class PoolLink {
  readonly pool: Pool
  readonly #watch: (() => PoolWatchAccess) | null
  #isolate: string | null = null
  #askedAt = Number.NEGATIVE_INFINITY
  #isHeard = false

  /** @param watch makes a stub, which belongs to the request that it is made in; null: there is none */
  constructor(pool: Pool, watch: (() => PoolWatchAccess) | null) {
    this.pool = pool
    this.#watch = watch
  }

  /** Before a request. Only the first ones wait: a new isolate knows nothing of who is ill. */
  async refresh(later: (work: Promise<unknown>) => void): Promise<void> {
    const watch = this.#watch
    const now = Date.now()
    if (watch === null || now - this.#askedAt < everyMs) return
    this.#askedAt = now
    const asked = this.#ask(watch())
    later(asked)
    if (!this.#isHeard) await within(firstWaitMs, asked)
  }

  async #ask(watch: PoolWatchAccess): Promise<void> {
    this.#isolate ??= crypto.randomUUID()
    try {
      this.pool.apply(await watch.sync(reportOf(this.#isolate, this.pool, Date.now())))
      this.#isHeard = true
    } catch (error) {
      emit({ kind: 'pool-unwatched', pool: this.pool.name, error })
    }
  }
}
