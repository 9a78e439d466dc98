/**
 * A pool in one isolate: which of its origins takes the next request.
 * @module
 */
import { RetryBudget } from '../../db/cluster/retry-budget.ts'
import { Histogram } from '../meter/area.ts'
import { Breaker } from './breaker.ts'
import type { PoolDeclaration, StrategyDeclaration } from './declarations.ts'
import { emit } from './events.ts'
import { Origin, type OriginOrders, type OriginTarget } from './origin.ts'
import { defaultEjection, type Outcome } from './outlier.ts'
import { chooseLevel } from './strategies/choose-level.ts'
import { LeastRequest } from './strategies/least-request.ts'
import { Maglev } from './strategies/maglev.ts'
import { PeakEwma } from './strategies/peak-ewma.ts'
import { RandomChoice } from './strategies/random.ts'
import { RoundRobin } from './strategies/round-robin.ts'
import type { Random, Strategy } from './strategies/strategy.ts'

/** Answers after which what takes a hedge is worked out, and of how many the older half is forgotten. */
const [fewLatencies, manyLatencies] = [100, 10_000]

export interface PoolClock {
  /** Milliseconds, from anywhere. */
  readonly now: () => number
  readonly random: Random
}

/** Is told of each answer of an origin, and of each request that got none. */
export type OnAnswer = (pool: string, origin: string, answer: string, ms: number) => void

/** What a request asks of a pool. */
export interface PickRequest {
  readonly hash: number | null
  /** The origin that its caller is kept at. */
  readonly sticky: string | null
  /** Origins that have failed it already. */
  readonly tried: ReadonlySet<string>
}

export class Pool {
  readonly name: string
  readonly declared: PoolDeclaration
  readonly origins: readonly Origin[]
  readonly breaker: Breaker
  readonly budget = new RetryBudget()
  readonly #strategy: Strategy
  readonly #clock: PoolClock
  readonly #onAnswer: OnAnswer
  /** Of answers, where slow requests are hedged. */
  readonly #latencies: Histogram | null
  #hedgeAfterMs: number | null = null
  #refused = 0
  #isPanic = false

  constructor(
    name: string,
    declared: PoolDeclaration,
    targets: readonly OriginTarget[],
    clock: PoolClock = { now: () => Date.now(), random: Math.random },
    onAnswer: OnAnswer = () => undefined,
  ) {
    this.name = name
    this.declared = declared
    this.#clock = clock
    this.#onAnswer = onAnswer
    const ejection = {
      ...defaultEjection,
      ...(declared.ejection === null ? { losses: Infinity, failures: Infinity, failureShare: Infinity } : {}),
      ...declared.ejection,
    }
    const slowStartMs = (declared.slowStartSeconds ?? 10) * 1000
    this.origins = targets.map((target) => new Origin(target, ejection, slowStartMs))
    this.breaker = new Breaker(
      declared.breakerShare === null ? Number.POSITIVE_INFINITY : (declared.breakerShare ?? 0.8),
    )
    this.#latencies = declared.hedgeQuantile ? new Histogram() : null
    this.#strategy = strategyFor(declared.strategy ?? 'least-request', clock.random)
  }

  get outstanding(): number {
    return this.origins.reduce((sum, { outstanding }) => sum + outstanding, 0)
  }

  /** Whether so many of its origins are ill that everybody is tried. */
  get isPanic(): boolean {
    return this.#isPanic
  }

  /** Requests that were refused since too many were under way, or the breaker was open. */
  get refused(): number {
    return this.#refused
  }

  countRefused(): void {
    this.#refused++
  }

  /** After how many milliseconds a request is asked of a second origin too; null: never, or not known yet. */
  get hedgeAfterMs(): number | null {
    return this.#hedgeAfterMs
  }

  /** What its Durable Object says; origins that it does not name are as declared. */
  apply(orders: Readonly<Record<string, OriginOrders>>): void {
    const now = this.#clock.now()
    for (const origin of this.origins) {
      origin.orders = orders[origin.name] ?? { weight: null, mode: 'active', isHealthy: true }
      origin.lookAt(now)
    }
  }

  /** The origin for a request; null when there is none that it has not tried. */
  pick({ hash, sticky, tried }: PickRequest): Origin | null {
    const now = this.#clock.now()
    for (const origin of this.origins) origin.lookAt(now)
    const kept = sticky === null ? null : this.#keptAt(sticky, tried)
    if (kept) return kept
    const inUse = this.origins.filter((origin) => origin.mode === 'active' && origin.fullWeight > 0)
    if (inUse.length === 0) return null
    const { origins: all, isPanic } = chooseLevel(
      levelsOf(inUse),
      this.declared.panicThreshold ?? 0.5,
      this.#clock.random,
    )
    if (isPanic !== this.#isPanic) {
      this.#isPanic = isPanic
      if (isPanic) emit({ kind: 'pool-panic', pool: this.name })
    }
    const left = all.filter(({ name }) => !tried.has(name))
    if (left.length > 0) return this.#strategy.pick(left, { hash, all })
    // Those of its priority have all failed it; others may take it.
    const others = inUse.filter((origin) => !tried.has(origin.name) && origin.isAvailable())
    return others.length > 0 ? this.#strategy.pick(others, { hash, all: others }) : null
  }

  /** Notes how a request at an origin ended, and ejects the origin when it failed too often. */
  note(origin: Origin, outcome: Outcome, answer: string, ms: number): void {
    const now = this.#clock.now()
    this.#onAnswer(this.name, origin.name, answer, ms)
    const reason = origin.note(outcome, answer, ms, now)
    if (outcome === 'answered') this.#learn(ms)
    if (reason === null || origin.outlier.isEjected(now) || !this.#mayEject(now)) return
    origin.outlier.eject(reason, now)
    origin.counts.ejections++
    emit({ kind: 'origin-ejected', pool: this.name, origin: origin.name, reason })
  }

  /** An origin that a caller is kept at takes it also while it drains, but not when it is ill. */
  #keptAt(name: string, tried: ReadonlySet<string>): Origin | null {
    const origin = this.origins.find((candidate) => candidate.name === name)
    if (!origin || tried.has(name) || origin.mode === 'disabled') return null
    return origin.isHealthy && !origin.outlier.isEjected(this.#clock.now()) ? origin : null
  }

  #mayEject(now: number): boolean {
    const ejected = this.origins.filter(({ outlier }) => outlier.isEjected(now)).length
    const share = this.declared.ejection?.maxShare ?? defaultEjection.maxShare
    return ejected < Math.max(1, Math.floor(this.origins.length * share))
  }

  #learn(ms: number): void {
    const [latencies, { hedgeQuantile }] = [this.#latencies, this.declared]
    if (latencies === null || !hedgeQuantile) return
    latencies.add(ms)
    if (latencies.count > manyLatencies) latencies.halve()
    if (latencies.count % fewLatencies === 0) this.#hedgeAfterMs = latencies.quantile(hedgeQuantile)
  }
}

function levelsOf(origins: readonly Origin[]) {
  const priorities = [...new Set(origins.map(({ target }) => target.priority))].sort((a, b) => a - b)
  return priorities.map((priority) => {
    const all = origins.filter(({ target }) => target.priority === priority)
    return { all, available: all.filter((origin) => origin.isAvailable()) }
  })
}

function strategyFor(declared: StrategyDeclaration, random: Random): Strategy {
  if (typeof declared === 'object') {
    const { loadBound = 1.25 } = declared
    return new Maglev(random, loadBound ?? Number.POSITIVE_INFINITY)
  }
  switch (declared) {
    case 'round-robin':
      return new RoundRobin(random)
    case 'least-request':
      return new LeastRequest(random)
    case 'peak-ewma':
      return new PeakEwma(random)
    case 'random':
      return new RandomChoice(random)
  }
}
