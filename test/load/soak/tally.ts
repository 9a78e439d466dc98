/** What a soak counts: requests by kind and status, times of honest ones, violations. */

export interface Times {
  readonly phase: string
  readonly requests: number
  readonly p50: number
  readonly p99: number
  /** What part of the reads that may be cached was answered from the cache; null: there were none. */
  readonly hits: number | null
}

/** How many violations are kept word by word; all are counted. */
const maxTold = 50

export class Tally {
  /** `calm`, or the name of the fault that is played. */
  phase = 'calm'
  violations = 0
  readonly told: string[] = []
  readonly #statuses = new Map<string, Map<string, number>>()
  readonly #times = new Map<string, number[]>()
  readonly #cached = new Map<string, { reads: number; hits: number }>()
  readonly events = new Map<string, number>()

  count(kind: string, status: string): void {
    const counts = this.#statuses.get(kind) ?? new Map<string, number>()
    this.#statuses.set(kind, counts.set(status, (counts.get(status) ?? 0) + 1))
  }

  /** @param phase what was played when the request was sent */
  time(phase: string, ms: number): void {
    const times = this.#times.get(phase) ?? []
    times.push(ms)
    this.#times.set(phase, times)
  }

  /** @param cacheStatus as an honest read has it (RFC 9211) */
  cached(phase: string, cacheStatus: string): void {
    const { reads, hits } = this.#cached.get(phase) ?? { reads: 0, hits: 0 }
    this.#cached.set(phase, { reads: reads + 1, hits: hits + (cacheStatus.includes('; hit') ? 1 : 0) })
  }

  violate(what: string): void {
    this.violations++
    if (this.told.length < maxTold) this.told.push(`[${this.phase}] ${what}`)
  }

  event(kind: string): void {
    this.events.set(kind, (this.events.get(kind) ?? 0) + 1)
  }

  /** By kind: statuses and how many. */
  get statuses(): ReadonlyMap<string, ReadonlyMap<string, number>> {
    return this.#statuses
  }

  times(): Times[] {
    return [...this.#times].map(([phase, all]) => {
      const sorted = all.toSorted((a, b) => a - b)
      const at = (share: number) =>
        sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0
      const cached = this.#cached.get(phase)
      const hits = cached === undefined ? null : cached.hits / cached.reads
      return { phase, requests: all.length, p50: at(0.5), p99: at(0.99), hits }
    })
  }
}
