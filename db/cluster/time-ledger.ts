import { RecentMap } from '../memory/recent-map.ts'

/**
 * Who has taken how much of a database's time. Each has a share of it, and pays what they took off at its pace; who owes more than their
 * share of a window is to wait until they do not. So in any time T nobody takes more than their share of T and of one window, and whatever
 * was under way when they came to it. This is GCRA (ITU-T I.371): its state is one number, when all is paid off; nothing is to be
 * swept, and an entry that leaves for want of room was the least recently used.
 */
export class TimeLedger {
  readonly #paidAt: RecentMap<number>
  readonly #windowMs: number

  constructor(windowMs: number, maxEntries: number) {
    this.#windowMs = windowMs
    this.#paidAt = new RecentMap(maxEntries)
  }

  get size(): number {
    return this.#paidAt.size
  }

  /** @param share above 0: what is taken at a share of a fifth takes five times as long to be paid off */
  take(key: string, ms: number, share: number, now: number): void {
    this.#paidAt.set(key, Math.max(this.#paidAt.get(key) ?? now, now) + ms / share)
  }

  /** In how many milliseconds there is something left of the share; 0: now. */
  freeInMs(key: string, now: number): number {
    return Math.max(0, (this.#paidAt.get(key) ?? now) - this.#windowMs - now)
  }
}
