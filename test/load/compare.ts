/**
 * Asks contenders the same questions, in turn, in rounds, and says how they compare.
 * @module
 */
import { isDeepStrictEqual } from 'node:util'
import { askOnce, type Target } from './tool/ask.ts'
import { table } from './tool/report.ts'
import type { LoadResult } from './tool/run-load.ts'
import { runMeasured } from './tool/run-measured.ts'
import type { Scenario as Load, Question } from './tool/scenario.ts'
import { shown } from './tool/shown.ts'
import { median, type Ratio, ratioOf } from './tool/statistics.ts'

export interface Contender {
  readonly name: string
  /** Default: the run's. */
  readonly address?: string
  path(i: number): string
  /** The secret key when left out. */
  headers?(i: number): Readonly<Record<string, string>>
  /** A write in the place of a read; null: a read. */
  write?(i: number): string | null
  /** Where writes go, when it is elsewhere. */
  writePath?(i: number): string
  /** What writes are sent as. Default PATCH. */
  readonly method?: 'PATCH' | 'POST'
  /** What of an answer is compared with the others'. Default: all of it. */
  rows?(json: unknown): unknown
}

export interface Scenario {
  readonly name: string
  /** The last is what the others are held against. */
  readonly contenders: readonly Contender[]
  /** Whether they answer otherwise: a constant, say. */
  readonly differ?: boolean
  /** Makes all contenders' rows the same again. */
  prepare?(): Promise<void>
}

export interface Settings {
  readonly seconds: number
  readonly rounds: number
  readonly connections: number
  /** Scenarios whose name holds this word; default all. */
  readonly only?: string
}

export const secret = { apikey: 'sb_secret_test' }

/** What one contender did in one round. */
export interface Sample {
  readonly result: LoadResult
  readonly cpuMs: number
}

const head = [
  'scenario',
  'server',
  'req/s',
  'p50 ms',
  'p99 ms',
  'CPU ms',
  'CPU ratio',
  'req/s ratio',
  'hits %',
]

/** Measures scenarios on a server that runs, and prints a line for each contender. */
export async function compare(
  address: string,
  scenarios: readonly Scenario[],
  settings: Settings,
): Promise<void> {
  const { seconds, rounds, connections } = settings
  console.log(`${rounds} rounds of ${seconds} s each, in turn, ${connections} connections`)
  console.log('Ratios are to the last of each scenario, with the interval of 95 %.\n')
  const rows: string[][] = []
  for (const scenario of scenarios.filter(({ name }) => name.includes(settings.only ?? ''))) {
    rows.push(...(await compareOne(address, scenario, settings)))
    process.stderr.write(`${scenario.name}\n`)
  }
  console.log(table(head, rows).join('\n'))
}

async function compareOne(address: string, scenario: Scenario, settings: Settings): Promise<string[][]> {
  const targetOf = (contender: Contender): Target => ({
    url: new URL(contender.address ?? address),
    keys: {},
  })
  await scenario.prepare?.()
  const wrong = scenario.differ ? new Map<Contender, string>() : await wrongOf(scenario, targetOf)
  const samples = new Map<Contender, Sample[]>()
  const fit = scenario.contenders.filter((contender) => !wrong.has(contender))
  // Long enough for caches to be as full as they will be.
  const warmUp = { ...settings, seconds: 2 * settings.seconds }
  for (const contender of fit) await shoot(contender, targetOf(contender), warmUp, 0)
  for (let round = 0; round < settings.rounds; round++) {
    // Who is first changes, so that what drifts favours nobody.
    for (const contender of round % 2 === 0 ? fit : [...fit].reverse()) {
      if (wrong.has(contender)) continue
      const sample = await shoot(contender, targetOf(contender), settings, round + 1)
      const { failed, requests, errors } = sample.result.all
      if (failed > 0) {
        wrong.set(contender, `${failed} of ${requests} failed: ${Object.keys(errors)[0]}`)
        continue
      }
      samples.set(contender, [...(samples.get(contender) ?? []), sample])
    }
  }
  return reportOf(scenario, samples, wrong)
}

/** Contenders whose answers are not the last one's, with what is wrong. Columns may be named in another case. */
export async function wrongOf({ contenders }: Scenario, targetOf: (contender: Contender) => Target) {
  const wrong = new Map<Contender, string>()
  const base = contenders.at(-1) as Contender
  for (const i of [0, 7, 41]) {
    const answers = new Map<Contender, unknown>()
    for (const contender of contenders) {
      try {
        const answer = await askOnce(targetOf(contender), readOf(contender, i), 'none')
        const json = answer.json()
        answers.set(contender, normal(contender.rows ? contender.rows(json) : json))
      } catch (error) {
        wrong.set(contender, error instanceof Error ? error.message : String(error))
      }
    }
    for (const [contender, answer] of answers)
      if (!isDeepStrictEqual(answer, answers.get(base))) wrong.set(contender, 'answers otherwise')
  }
  if (wrong.has(base)) throw new Error(`${base.name}: ${wrong.get(base)}`)
  return wrong
}

/** Names of columns in one case, and in order. */
function normal(json: unknown): unknown {
  if (Array.isArray(json)) return json.map(normal)
  if (json === null || typeof json !== 'object') return json
  const snake = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
  const pairs = Object.entries(json).map(([name, value]) => [snake(name), normal(value)] as const)
  return Object.fromEntries(pairs.sort(([a], [b]) => (a < b ? -1 : 1)))
}

function readOf(contender: Contender, i: number): Question {
  return { path: contender.path(i), headers: contender.headers?.(i) ?? secret }
}

function questionOf(contender: Contender, i: number): Question {
  const body = contender.write?.(i) ?? null
  if (body === null) return readOf(contender, i)
  return {
    method: contender.method ?? 'PATCH',
    path: contender.writePath?.(i) ?? contender.path(i),
    headers: { ...(contender.headers?.(i) ?? secret), 'content-type': 'application/json' },
    body,
  }
}

/** Asks one contender for a while. */
export async function shoot(
  contender: Contender,
  target: Target,
  settings: Settings,
  seed: number,
): Promise<Sample> {
  let asked = seed * 100_003
  const scenario: Load = {
    about: contender.name,
    key: 'none',
    arrivals: { model: 'closed', users: settings.connections },
    journeys: [{ steps: [{ name: contender.name, ask: () => questionOf(contender, asked++) }] }],
  }
  const { result, cpuMsPerRequest } = await runMeasured(scenario, target, {
    arrivals: scenario.arrivals,
    durationSeconds: settings.seconds,
    warmUpSeconds: 0,
    seed,
    maxRequests: 10_000_000,
    maxOutstanding: settings.connections,
    timeoutMs: 30_000,
  })
  return { result, cpuMs: cpuMsPerRequest ?? Number.NaN }
}

function reportOf(
  { name, contenders }: Scenario,
  samples: ReadonlyMap<Contender, readonly Sample[]>,
  wrong: ReadonlyMap<Contender, string>,
): string[][] {
  const base = samples.get(contenders.at(-1) as Contender) ?? []
  const cpuOf = ({ cpuMs }: Sample) => cpuMs
  const rateOf = ({ result }: Sample) => result.all.requests / result.elapsedSeconds
  const lines: string[][] = []
  for (const contender of contenders) {
    const own = samples.get(contender) ?? []
    const label = lines.length === 0 ? name : ''
    const disqualified = wrong.get(contender) ?? null
    if (disqualified !== null || own.length === 0) {
      lines.push([label, contender.name, `not timed: ${disqualified}`])
      continue
    }
    const ratio = (of: (sample: Sample) => number): Ratio => {
      const pairs = own.map((sample, i) => [of(sample), of(base[i] as Sample)] as const)
      return pairs.length < 2
        ? { ratio: (pairs[0]?.[0] ?? 1) / (pairs[0]?.[1] ?? 1), low: Number.NaN, high: Number.NaN }
        : ratioOf(pairs, 0.95)
    }
    const requests = own.reduce((sum, { result }) => sum + result.all.requests, 0)
    const hits = own.reduce((sum, { result }) => sum + result.all.cacheHits, 0)
    const interval = ({ ratio: of, low, high }: Ratio) =>
      own === base ? '1' : `${of.toFixed(2)} (${low.toFixed(2)}–${high.toFixed(2)})`
    lines.push([
      label,
      contender.name,
      mean(own.map(rateOf)).toFixed(0),
      shown(median(own.map(({ result }) => result.all.latency.p50))),
      shown(median(own.map(({ result }) => result.all.latency.p99))),
      mean(own.map(cpuOf)).toFixed(3),
      interval(ratio(cpuOf)),
      interval(ratio(rateOf)),
      ((100 * hits) / requests).toFixed(0),
    ])
  }
  return lines
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
