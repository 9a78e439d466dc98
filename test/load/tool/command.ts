/**
 * `npm run load -- [scenario]`: the tool as its users call it.
 * @module
 */
import { join, relative } from 'node:path'
import { readLocalVariables } from '../../../functions/local/keys.ts'
import { root } from '../../../functions/local/serve.ts'
import { publishableKey, secretKey, startTestServer } from '../../support/local-server.ts'
import type { Target } from './ask.ts'
import { compareRuns, comparisonText } from './compare-runs.ts'
import { checkTarget, isLoopback } from './local-target.ts'
import { judge } from './objectives.ts'
import { createProgress } from './progress.ts'
import { type LoadReport, markdownOf, remarksOn } from './report.ts'
import { isRevision, startRevision } from './revision-server.ts'
import type { LoadSettings } from './run-load.ts'
import { runMeasured } from './run-measured.ts'
import { type Arrivals, checkScenario, type Scenario } from './scenario.ts'
import { settledCounters, usedBetween } from './server-use.ts'
import { writeReport } from './write-report.ts'

/** As the command line has them. */
export interface LoadArguments {
  readonly url?: string
  readonly duration?: string
  readonly 'warm-up'?: string
  readonly rate?: string
  readonly users?: string
  readonly seed?: string
  readonly compare?: string
  readonly rounds?: string
  readonly 'max-requests'?: string
  readonly out?: string
  readonly 'i-own-this-target'?: boolean
}

/** Bounds that no option moves: a run ends by itself, and soon enough for whoever forgot it. */
const longestSeconds = 3600
const mostRequests = 10_000_000
const mostUsers = 10_000
const mostPerSecond = 100_000

/** @returns the exit status: 0 when all objectives hold, 1 when one does not or the other server is better, 130 when interrupted */
export async function runCommand(name: string, scenario: Scenario, given: LoadArguments): Promise<number> {
  checkScenario(name, scenario)
  const settings = settingsOf(scenario, given)
  const interrupted = new AbortController()
  process.once('SIGINT', () => interrupted.abort())
  const server = await openTarget(given)
  try {
    return given.compare === undefined
      ? await runOnce(name, scenario, server, { ...settings, signal: interrupted.signal }, given.out)
      : await runCompared(scenario, server, given, { ...settings, signal: interrupted.signal })
  } finally {
    await server.stop()
  }
}

function settingsOf(scenario: Scenario, given: LoadArguments) {
  const { duration, rate, users, seed } = given
  const isCompared = given.compare !== undefined
  return {
    arrivals: arrivalsOf(scenario.arrivals, rate, users),
    durationSeconds: numberOf(
      '--duration',
      duration,
      isCompared ? 5 : (scenario.durationSeconds ?? 30),
      longestSeconds,
    ),
    warmUpSeconds: numberOf(
      '--warm-up',
      given['warm-up'],
      isCompared ? 0.5 : (scenario.warmUpSeconds ?? 5),
      longestSeconds,
      0,
    ),
    seed: numberOf('--seed', seed, 1, 2 ** 31, 0),
    maxRequests: numberOf('--max-requests', given['max-requests'], mostRequests, mostRequests),
    maxOutstanding: 1000,
    timeoutMs: 30_000,
  }
}

/** The scenario's arrivals, or those that the command line puts in their place. */
export function arrivalsOf(
  declared: Arrivals,
  rate: string | undefined,
  users: string | undefined,
): Arrivals {
  if (rate !== undefined && users !== undefined) throw new Error('--rate and --users exclude each other')
  const { ramp } = declared
  const kept = ramp ? { ramp } : {}
  if (rate !== undefined) {
    const spacing = declared.model === 'open' && declared.spacing ? { spacing: declared.spacing } : {}
    return { model: 'open', rate: numberOf('--rate', rate, 0, mostPerSecond), ...spacing, ...kept }
  }
  if (users !== undefined)
    return { model: 'closed', users: Math.round(numberOf('--users', users, 0, mostUsers)), ...kept }
  return declared
}

function numberOf(
  name: string,
  text: string | undefined,
  otherwise: number,
  most: number,
  least = Number.MIN_VALUE,
): number {
  const value = text === undefined ? otherwise : Number(text)
  if (!(value >= least && value <= most))
    throw new Error(`${name} ${text} is no number from ${least === 0 ? 0 : 'above 0'} to ${most}`)
  return value
}

/** The server at `--url`; else the app as it is, in memory, seeded, for this run. */
async function openTarget(given: LoadArguments): Promise<Target & { stop(): Promise<void> }> {
  if (given.url !== undefined) return openAddress(given.url, given)
  if (given.compare !== undefined && !isAddress(given.compare)) return startRevision(null)
  const server = await startTestServer({ isBare: true, isQuiet: true })
  return {
    url: await server.addressOf(),
    keys: { publishable: publishableKey, secret: secretKey },
    stop: () => server.stop(),
  }
}

/** A server that runs already, and goes on running. */
function openAddress(address: string, given: LoadArguments): Target & { stop(): Promise<void> } {
  const url = checkTarget(address, given['i-own-this-target'] === true)
  return { url, keys: keysFor(url), stop: async () => undefined }
}

function isAddress(text: string): boolean {
  return /^https?:\/\//.test(text)
}

/** Keys from the environment; for this machine's own server those of `.dev.vars`, too. */
function keysFor(url: URL): Target['keys'] {
  const local = isLoopback(url) ? readLocalVariables(join(root, '.dev.vars')) : {}
  const publishable = process.env.ATOLL_PUBLISHABLE_KEY ?? local.ATOLL_PUBLISHABLE_KEY
  const secret = process.env.ATOLL_SECRET_KEY ?? local.ATOLL_SECRET_KEY
  return { ...(publishable ? { publishable } : {}), ...(secret ? { secret } : {}) }
}

async function runOnce(
  name: string,
  scenario: Scenario,
  target: Target,
  settings: LoadSettings,
  out = join(root, '.wrangler', 'atoll', 'load'),
): Promise<number> {
  const report = await measure(name, scenario, target, settings)
  const files = await writeReport(report, out)
  console.log(markdownOf(report))
  console.log(`${files.map((file) => relative(process.cwd(), file)).join('\n')}`)
  if (report.result.stopped === 'interrupted') return 130
  return report.objectives.every(({ holds }) => holds === true) ? 0 : 1
}

/** Runs a scenario once, with all that can be known of its server. */
export async function measure(
  name: string,
  scenario: Scenario,
  target: Target,
  settings: LoadSettings,
): Promise<LoadReport> {
  const progress = createProgress()
  const startedAt = new Date().toISOString()
  let before: Awaited<ReturnType<typeof settledCounters>> = null
  const { result, cpuMsPerRequest } = await runMeasured(scenario, target, {
    ...settings,
    onSecond: progress.tell,
    before: async () => {
      before = await settledCounters(target)
    },
  })
  progress.end()
  const after = before === null ? null : await settledCounters(target)
  const server = before === null || after === null ? null : usedBetween(before, after)
  const { arrivals, durationSeconds, warmUpSeconds, seed } = settings
  const report = {
    scenario: name,
    about: scenario.about,
    target: target.url.origin,
    startedAt,
    arrivals,
    durationSeconds,
    warmUpSeconds,
    seed,
    result,
    cpuMsPerRequest,
    server,
    remarks: remarksOn(result, arrivals, server),
  }
  return { ...report, objectives: judge(scenario.objectives ?? [], report) }
}

async function runCompared(
  scenario: Scenario,
  target: Target,
  given: LoadArguments,
  settings: LoadSettings,
): Promise<number> {
  const other = given.compare as string
  if (!isAddress(other) && !isRevision(other))
    throw new Error(`--compare ${other} is neither an address nor a revision that git knows`)
  const base = isAddress(other) ? openAddress(other, given) : await startRevision(other)
  try {
    const comparison = await compareRuns(scenario, target, base, {
      ...settings,
      rounds: Math.round(numberOf('--rounds', given.rounds, 12, 1000, 2)),
      onRound: (round, isBase) => process.stderr.write(`round ${round + 1}: ${isBase ? other : 'this'}\n`),
    })
    console.log(comparisonText(comparison, [given.url ?? 'this', other]))
    if (settings.signal?.aborted) return 130
    return comparison.isWorse ? 1 : 0
  } finally {
    await base.stop()
  }
}
