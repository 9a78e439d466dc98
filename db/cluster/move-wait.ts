import { pause } from './pause.ts'

/** How long a request waits for slots that change hands, in milliseconds. */
const maxWaitMs = 3000
/** Pauses before it asks again, in milliseconds: as long as the map says the same, it is the target that is not open yet. */
const pausesMs = [20, 40, 80, 160]
/** Times that a request follows slots that have moved on each time. */
const maxTries = 40

/** One request's patience with slots that move. */
export class MoveWait {
  #since: number | null = null
  #epoch: number | null = null
  #tries = 0

  /** Whether a database has refused: from then on replicas are not asked, as they may not know yet of what the map says. */
  get hasBegun(): boolean {
    return this.#since !== null
  }

  /** Whether it has waited long enough. */
  get isOver(): boolean {
    return this.#since !== null && (Date.now() - this.#since >= maxWaitMs || this.#tries >= maxTries)
  }

  /** A database has refused what the map of an epoch says. */
  refused(epoch: number): void {
    this.#since ??= Date.now()
    this.#epoch = epoch
    this.#tries++
  }

  /** Waits before the same map is believed again. */
  async before(epoch: number): Promise<void> {
    if (this.#epoch !== epoch) return
    await pause(pausesMs[Math.min(this.#tries, pausesMs.length) - 1] as number)
  }
}
