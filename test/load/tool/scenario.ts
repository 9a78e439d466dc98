/**
 * What a scenario of load says: who comes, how often, what they ask, and what must hold.
 * @module
 */

/** Chance and keys for a step, from the run's seed: two runs with one seed ask the same in the same order. */
export interface Draw {
  /** From 0 up to 1. */
  random(): number
  /** A whole number, both ends included. */
  integer(from: number, to: number): number
  /**
   * A whole number from 1 to `count`, where rank k comes as often as 1 / k^exponent: keys that some ask for far more than
   * others. Default exponent 0.99, as in YCSB.
   */
  zipf(count: number, exponent?: number): number
  pick<Item>(items: readonly Item[]): Item
  /** 1, 2, 3 …: no two journeys of a run get the same. */
  next(): number
}

/** A request, as a step wants it. */
export interface Question {
  /** Default GET, or POST when there is a body. */
  readonly method?: string
  /** With its query, from the target's root. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  /** Objects and arrays are sent as JSON. */
  readonly body?: string | Uint8Array | object
  /** Sent as `apikey`; default: the scenario's. */
  readonly key?: KeyKind
}

export type KeyKind = 'publishable' | 'secret' | 'none'

export interface Answer {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  text(): string
  /** @throws SyntaxError when it is none, which counts as a wrong answer */
  json<Value = unknown>(): Value
}

/** Milliseconds before a step: always the same, evenly between two, or exponentially distributed around a mean. */
export type Think = number | { readonly fromMs: number; readonly toMs: number } | { readonly meanMs: number }

export interface Step<Memory> {
  /** What the report calls it. */
  readonly name: string
  readonly think?: Think
  ask(draw: Draw, memory: Memory): Question
  /** Statuses that are right. Default: 200 to 399. */
  readonly expects?: readonly number[]
  /** What is wrong with an answer, if anything; the place to remember what later steps need. */
  check?(answer: Answer, memory: Memory): string | undefined
}

/** Steps that one visitor takes, one after another; ends early when one of them fails. */
export interface Journey<Memory = unknown> {
  /** How often it is chosen, beside the others. Default 1. */
  readonly weight?: number
  /** A fresh memory for each visitor. */
  readonly remembers?: (draw: Draw) => Memory
  readonly steps: readonly Step<Memory>[]
}

/** Reaches a share of the rate, or of the users, so many seconds later: evenly, from where it was. */
export interface RampPoint {
  readonly seconds: number
  readonly to: number
}

/**
 * Open: journeys begin at a rate, whatever the answers take, as with visitors who do not know of each other. Closed: so many users,
 * each of whom begins the next journey when the last is over.
 */
export type Arrivals =
  | {
      readonly model: 'open'
      /** Journeys a second. */
      readonly rate: number
      /** By chance (a Poisson process, the default), or at even distances. */
      readonly spacing?: 'random' | 'even'
      /** From 0; then it stays. Without: the whole rate at once. */
      readonly ramp?: readonly RampPoint[]
    }
  | { readonly model: 'closed'; readonly users: number; readonly ramp?: readonly RampPoint[] }

/** What must hold at the end; else the command fails. Of a step, or of all of them. */
export interface Objective {
  readonly step?: string
  readonly p50Ms?: number
  readonly p90Ms?: number
  readonly p99Ms?: number
  readonly p999Ms?: number
  /** Largest share of requests that fail, 0.001 say. */
  readonly failures?: number
  /** Least requests a second that are answered rightly. */
  readonly throughput?: number
  /** Processor time of the server for each request, where it can be told. */
  readonly cpuMs?: number
  /** Least share of reads that the cache answers, as the server counts them. */
  readonly cacheHits?: number
  /** Calls to databases for each request, as the server counts them. */
  readonly databaseCalls?: number
  /** Rows that databases read for each request, as the server counts them. */
  readonly rowsRead?: number
}

export interface Scenario {
  /** One sentence. */
  readonly about: string
  /** Sent as `apikey` where a step does not say otherwise. Default `publishable`. */
  readonly key?: KeyKind
  // biome-ignore lint/suspicious/noExplicitAny: each journey has a memory of its own kind
  readonly journeys: readonly Journey<any>[]
  readonly arrivals: Arrivals
  /** What is measured. Default 30. */
  readonly durationSeconds?: number
  /** Asked before, and not measured. Default 5. */
  readonly warmUpSeconds?: number
  readonly objectives?: readonly Objective[]
}

/**
 * Declares a scenario of load, for `npm run load -- NAME`.
 *
 * @example
 * export default defineScenario({
 *   about: 'People who look at single albums.',
 *   arrivals: { model: 'open', rate: 50 },
 *   journeys: [
 *     journey({
 *       steps: [{ name: 'album', ask: (draw) => ({ path: `/rest/v1/albums?id=eq.${draw.zipf(347)}` }) }],
 *     }),
 *   ],
 *   objectives: [{ step: 'album', p99Ms: 200, failures: 0.001 }],
 * })
 */
export function defineScenario(scenario: Scenario): Scenario {
  return scenario
}

/** A journey with the type of its memory found by the compiler. */
export function journey<Memory = undefined>(of: Journey<Memory>): Journey<Memory> {
  return of
}

/** @throws what is wrong with a scenario, in words for its author */
export function checkScenario(name: string, { journeys, arrivals, objectives = [] }: Scenario): void {
  const refuse = (what: string): never => {
    throw new Error(`scenario ${name}: ${what}`)
  }
  if (journeys.length === 0) refuse('it has no journeys')
  const names = journeys.flatMap(({ steps }) => steps.map((step) => step.name))
  if (journeys.some(({ steps }) => steps.length === 0)) refuse('a journey has no steps')
  if (journeys.some(({ weight = 1 }) => !(weight >= 0 && Number.isFinite(weight))))
    refuse('weights are numbers from 0')
  if (!journeys.some(({ weight = 1 }) => weight > 0)) refuse('no journey has a weight')
  if (new Set(names).size !== names.length) refuse('two steps have the same name')
  const amount = arrivals.model === 'open' ? arrivals.rate : arrivals.users
  if (!(amount > 0 && Number.isFinite(amount))) refuse('its arrivals are no number above 0')
  for (const { seconds, to } of arrivals.ramp ?? [])
    if (!(seconds > 0 && to >= 0)) refuse('a ramp has seconds above 0, and goes to a share from 0')
  for (const { step } of objectives)
    if (step !== undefined && !names.includes(step))
      refuse(`an objective is about "${step}", which is none of its steps: ${names.join(', ')}`)
}
