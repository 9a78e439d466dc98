/**
 * Runs a scenario on two servers in turn, and says what differs: absolute figures on shared machines mean little.
 * @module
 */
import type { Target } from './ask.ts'
import { table } from './report.ts'
import type { LoadSettings } from './run-load.ts'
import { type MeasuredRun, runMeasured } from './run-measured.ts'
import type { Arrivals, Scenario } from './scenario.ts'
import { shown } from './shown.ts'
import { confidence, median, type Ratio, ratioOf, type Verdict, verdictOf } from './statistics.ts'

interface Metric {
  readonly name: string
  /** Whether more of it is worse. */
  readonly isCost: boolean
  readonly unit: string
  of(round: MeasuredRun): number | null
}

const metrics: readonly Metric[] = [
  { name: 'p50', isCost: true, unit: ' ms', of: ({ result }) => result.all.latency.p50 },
  { name: 'p99', isCost: true, unit: ' ms', of: ({ result }) => result.all.latency.p99 },
  { name: 'CPU per request', isCost: true, unit: ' ms', of: ({ cpuMsPerRequest }) => cpuMsPerRequest },
  {
    name: 'right answers a second',
    isCost: false,
    unit: '',
    of: ({ result: { all, elapsedSeconds } }) => (all.requests - all.failed) / elapsedSeconds,
  },
]

export interface Compared {
  readonly metric: string
  /** Medians over the rounds. */
  readonly value: number
  readonly base: number
  readonly unit: string
  readonly ratio: Ratio
  readonly verdict: Verdict
  readonly isWorse: boolean
}

export interface Comparison {
  readonly rounds: number
  readonly metrics: readonly Compared[]
  /** Requests that failed, of the one and of the other. */
  readonly failed: readonly [number, number]
  /** Whether the one is worse than the other in anything, beyond doubt. */
  readonly isWorse: boolean
}

export interface ComparisonSettings extends Omit<LoadSettings, 'before' | 'after' | 'onSecond'> {
  /** Each of `durationSeconds` for each server, and half of that for warming both up before. */
  readonly rounds: number
  readonly onRound?: (round: number, isBase: boolean) => void
}

export async function compareRuns(
  scenario: Scenario,
  target: Target,
  base: Target,
  settings: ComparisonSettings,
): Promise<Comparison> {
  const rounds: (readonly [MeasuredRun, MeasuredRun])[] = []
  // Ramps are for one long run; here each round is like all others.
  const { ramp: _, ...arrivals } = settings.arrivals
  const run = (at: Target, seed: number, warmUpSeconds: number) =>
    runMeasured(scenario, at, { ...settings, arrivals, seed, warmUpSeconds })
  for (let round = 0; round < settings.rounds && !settings.signal?.aborted; round++) {
    const warmUp = round === 0 ? settings.durationSeconds / 2 : settings.warmUpSeconds
    const pair: MeasuredRun[] = []
    // Who is first changes from round to round, so that what drifts evenly favours neither.
    for (const isBase of round % 2 === 0 ? [false, true] : [true, false]) {
      settings.onRound?.(round, isBase)
      pair[isBase ? 1 : 0] = await run(isBase ? base : target, settings.seed + round, warmUp)
    }
    rounds.push(pair as [MeasuredRun, MeasuredRun])
  }
  return judgeRounds(rounds, arrivals)
}

function judgeRounds(
  rounds: readonly (readonly [MeasuredRun, MeasuredRun])[],
  arrivals: Arrivals,
): Comparison {
  if (rounds.length < 2) throw new Error('a comparison needs two rounds at least')
  const compared = metrics.flatMap((metric): Compared[] => {
    // In an open run the rate is given, and says nothing of the server.
    if (!metric.isCost && arrivals.model === 'open') return []
    const pairs = rounds.map(([a, b]) => [metric.of(a), metric.of(b)] as const)
    if (!pairs.every((pair) => pair.every((value) => value !== null && value > 0))) return []
    const known = pairs as readonly (readonly [number, number])[]
    const ratio = ratioOf(known)
    const verdict = verdictOf(ratio)
    return [
      {
        metric: metric.name,
        value: median(known.map(([value]) => value)),
        base: median(known.map(([, value]) => value)),
        unit: metric.unit,
        ratio,
        verdict,
        isWorse: verdict === (metric.isCost ? 'more' : 'less'),
      },
    ]
  })
  const failedOf = (i: 0 | 1) => rounds.reduce((sum, pair) => sum + pair[i].result.all.failed, 0)
  const failed = [failedOf(0), failedOf(1)] as const
  return {
    rounds: rounds.length,
    metrics: compared,
    failed,
    isWorse: compared.some(({ isWorse }) => isWorse) || failed[0] > failed[1] * 1.5 + 5,
  }
}

export function comparisonText(
  { rounds, metrics: compared, failed, isWorse }: Comparison,
  names: readonly [string, string],
): string {
  const rows = compared.map(({ metric, value, base, unit, ratio, verdict, isWorse: worse }) => [
    metric,
    `${shown(value)}${unit}`,
    `${shown(base)}${unit}`,
    `${ratio.ratio.toFixed(3)} (${ratio.low.toFixed(3)} to ${ratio.high.toFixed(3)})`,
    verdict === 'same' ? 'not told apart' : worse ? 'worse' : 'better',
  ])
  const lines = table(['', names[0], names[1], `ratio (${confidence * 100} %)`, ''], rows)
  lines.push('', `${rounds} rounds in turn; medians; failed: ${failed[0]} and ${failed[1]}.`)
  lines.push(isWorse ? `${names[0]} is worse.` : `${names[0]} is not worse.`)
  return lines.join('\n')
}
