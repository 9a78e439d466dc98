import { isShareTaken } from '../../db/errors/errors.ts'
import { RecentMap } from '../../db/memory/recent-map.ts'

/** Rounds that others may share; of one that was ended in the middle, nobody takes it away. */
const maxRounds = 1000
/** Of their keys, which hold what callers ask. */
const maxRoundBytes = 1_000_000

/** Work that somebody does, and that others may wait for. */
interface Round<Result> {
  readonly result: Promise<Result>
  /** Place in the order of all who came and all that began. */
  readonly number: number
  readonly startedAt: number
}

/**
 * Lets callers share work that begins after they came: who comes while it runs waits for the next round, and shares that
 * with all others who come meanwhile. Nobody is given what was read before they asked.
 *
 * Each round is the work of one request. When its client goes away the platform may end it, and nothing tells the others:
 * so nobody waits for it once it has taken longer than `maxWaitMs`.
 */
export class Coalescer<Result> {
  readonly #rounds = new RecentMap<Round<Result>>({
    maxEntries: maxRounds,
    maxBytes: maxRoundBytes,
    maxEntryBytes: maxRoundBytes,
  })
  readonly #maxWaitMs: number
  #number = 0

  constructor(maxWaitMs: number) {
    this.#maxWaitMs = maxWaitMs
  }

  /** Whether work for a key is under way, and not given up. */
  isBusy(key: string): boolean {
    const round = this.#rounds.get(key)
    return round !== undefined && Date.now() - round.startedAt <= this.#maxWaitMs
  }

  async run(key: string, work: () => Promise<Result>): Promise<Result> {
    const came = ++this.#number
    for (;;) {
      const round = this.#rounds.get(key)
      const leftMs = round === undefined ? 0 : round.startedAt + this.#maxWaitMs - Date.now()
      if (round === undefined || leftMs < 0) return this.#start(key, work)
      const outcome = await within(leftMs, settled(round.result))
      if (outcome === null) {
        if (this.#rounds.get(key) === round) this.#rounds.delete(key)
      } else if (round.number > came) {
        if ('error' in outcome && isShareTaken(outcome.error)) return this.#start(key, work)
        if ('error' in outcome) throw outcome.error
        return outcome.value
      }
    }
  }

  async #start(key: string, work: () => Promise<Result>): Promise<Result> {
    const result = work()
    const round = { result, number: ++this.#number, startedAt: Date.now() }
    this.#rounds.set(key, round)
    try {
      return await result
    } finally {
      if (this.#rounds.get(key) === round) this.#rounds.delete(key)
    }
  }
}

function settled<T>(promise: Promise<T>): Promise<{ value: T } | { error: unknown }> {
  return promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  )
}

/** What a promise gives, if it does in time; else null. */
export async function within<T>(ms: number, promise: Promise<T>): Promise<T | null> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<null>((done) => {
    timer = setTimeout(() => done(null), ms)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
