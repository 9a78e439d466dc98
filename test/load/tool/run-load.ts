/**
 * Runs a scenario against a target: warm-up apart, open or closed, bounded in time and in requests.
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Histogram } from '../../../functions/meter/histogram.ts'
import { seededRandom } from '../../support/seeded-random.ts'
import { dueTimes, shareAt } from './arrivals.ts'
import { Asker, type Outcome, type Target } from './ask.ts'
import { chosen, createDraw, thinkMs } from './draw.ts'
import { addShare, latenciesOf, type Measured, omitted, Recorder, type Second } from './recorder.ts'
import type { Arrivals, Draw, Scenario, Step } from './scenario.ts'

export interface LoadSettings {
  readonly arrivals: Arrivals
  readonly durationSeconds: number
  readonly warmUpSeconds: number
  readonly seed: number
  /** After so many requests it stops, whatever the time. */
  readonly maxRequests: number
  /** Requests that an open run has under way at most; what is due beyond them has failed. */
  readonly maxOutstanding: number
  readonly timeoutMs: number
  readonly signal?: AbortSignal
  readonly onSecond?: (progress: Progress) => void
  /** Between warm-up and measuring, and right after measuring. */
  readonly before?: () => Promise<void>
  readonly after?: () => void
}

export interface Progress extends Second {
  readonly isWarmUp: boolean
  readonly ofSeconds: number
  readonly outstanding: number
  readonly failedInAll: number
}

export interface LoadResult {
  readonly elapsedSeconds: number
  readonly all: Measured
  readonly steps: Readonly<Record<string, Measured>>
  readonly seconds: readonly Second[]
  /** How long after its time a request was sent, in milliseconds: what of the latency is this tool's own. */
  readonly lag: { readonly p99: number; readonly max: number }
  /** What ended it before its time. */
  readonly stopped: 'interrupted' | 'request limit' | null
}

/** Kinds of failures that are told apart in a report. */
const maxKinds = 20

export async function runLoad(
  scenario: Scenario,
  target: Target,
  settings: LoadSettings,
): Promise<LoadResult> {
  const { arrivals, maxOutstanding, timeoutMs } = settings
  const connections = arrivals.model === 'closed' ? arrivals.users : maxOutstanding
  const asker = new Asker(target, { connections, timeoutMs })
  try {
    let begun = 0
    const count = () => begun++
    if (settings.warmUpSeconds > 0) {
      const { ramp: _, ...level } = arrivals
      await new Phase(
        scenario,
        asker,
        { ...settings, arrivals: level },
        settings.warmUpSeconds,
        true,
        count,
      ).run()
    }
    await settings.before?.()
    const phase = new Phase(scenario, asker, settings, settings.durationSeconds, false, count)
    await phase.run()
    settings.after?.()
    return phase.result()
  } finally {
    await asker.close()
  }
}

/** The warm-up, or what is measured. */
class Phase {
  readonly #scenario: Scenario
  readonly #asker: Asker
  readonly #settings: LoadSettings
  readonly #durationMs: number
  readonly #isWarmUp: boolean
  /** Journeys that have begun in the whole run, which are their numbers. */
  readonly #count: () => number
  readonly #all = new Recorder()
  readonly #steps = new Map<string, Recorder>()
  readonly #seconds: Recorder[] = []
  readonly #lag = new Histogram()
  #thoughtMs = 0
  #maxLagMs = 0
  #sent = 0
  #outstanding = 0
  #start = 0
  #lastAnswer = 0

  constructor(
    scenario: Scenario,
    asker: Asker,
    settings: LoadSettings,
    seconds: number,
    isWarmUp: boolean,
    count: () => number,
  ) {
    this.#scenario = scenario
    this.#asker = asker
    this.#settings = settings
    this.#durationMs = seconds * 1000
    this.#isWarmUp = isWarmUp
    this.#count = count
    for (const { steps } of scenario.journeys)
      for (const { name } of steps) this.#steps.set(name, new Recorder())
  }

  async run(): Promise<void> {
    this.#start = performance.now()
    const ticking = setInterval(() => this.#tell(), 1000)
    try {
      const { arrivals } = this.#settings
      await (arrivals.model === 'open' ? this.#runOpen(arrivals) : this.#runClosed(arrivals))
    } finally {
      clearInterval(ticking)
    }
  }

  async #runOpen({ rate, ramp, spacing }: Arrivals & { model: 'open' }): Promise<void> {
    const random = spacing === 'even' ? null : seededRandom(this.#settings.seed)
    const visits = new Set<Promise<void>>()
    for (const dueMs of dueTimes(rate, ramp, this.#durationMs, random)) {
      const due = this.#start + dueMs
      const wait = due - performance.now()
      if (wait > 0) await this.#pause(wait)
      if (this.#isOver()) break
      const visit: Promise<void> = this.#visit(due).finally(() => visits.delete(visit))
      visits.add(visit)
    }
    // Each is bounded by the time that a request may take.
    await Promise.all(visits)
  }

  async #runClosed({ users, ramp }: Arrivals & { model: 'closed' }): Promise<void> {
    const live = async (user: number) => {
      while (!this.#isOver()) {
        // In a ramp, the later users are not there yet.
        if (user < Math.ceil(users * shareAt(ramp, performance.now() - this.#start))) await this.#visit(null)
        else await this.#pause(20)
      }
    }
    await Promise.all(Array.from({ length: users }, (_, user) => live(user)))
  }

  /** @param due when it was to begin; null: now, as its user has just become free */
  async #visit(due: number | null): Promise<void> {
    const number = this.#count()
    const random = seededRandom(
      Math.imul(this.#settings.seed + 1, 0x9e37_79b1) ^ Math.imul(number + 1, 0x85eb_ca6b),
    )
    const draw = createDraw(random, () => number + 1)
    const { steps, remembers } = chosen(this.#scenario.journeys, random)
    const memory: unknown = remembers?.(draw)
    let from = due
    for (const step of steps) {
      const think = thinkMs(step.think, random)
      if (step.think !== undefined) {
        this.#thoughtMs += think
        from = from === null ? null : Math.max(from, performance.now()) + think
        await this.#pause(think)
      }
      if (this.#isOver()) return
      if (!(await this.#ask(step, draw, memory, from))) return
      if (from !== null) from = performance.now()
    }
  }

  /** @returns whether the answer was right */
  async #ask(step: Step<unknown>, draw: Draw, memory: unknown, due: number | null): Promise<boolean> {
    const recorders = [this.#all, this.#steps.get(step.name) as Recorder]
    const { maxOutstanding, arrivals } = this.#settings
    this.#sent++
    if (arrivals.model === 'open' && this.#outstanding >= maxOutstanding) {
      for (const recorder of recorders) recorder.addUnsent('not sent: too many under way')
      return false
    }
    const question = step.ask(draw, memory)
    const sent = performance.now()
    // A timer may be a bit early.
    const from = due === null ? sent : Math.min(due, sent)
    if (due !== null) {
      this.#lag.add(sent - from)
      this.#maxLagMs = Math.max(this.#maxLagMs, sent - due)
    }
    this.#outstanding++
    const outcome = await this.#asker.ask(
      question,
      this.#scenario.key ?? 'publishable',
      step.check !== undefined,
    )
    const now = performance.now()
    this.#outstanding--
    this.#lastAnswer = now
    const error = this.#told(wrongIn(outcome, step, memory))
    const isHit = /;\s*hit/.test(String(outcome.answer?.headers['cache-status'] ?? ''))
    for (const recorder of [...recorders, this.#second(now)])
      recorder.add(now - from, now - sent, outcome.bytes, isHit, error)
    return error === null
  }

  #second(now: number): Recorder {
    const second = Math.floor((now - this.#start) / 1000)
    while (this.#seconds.length <= second) this.#seconds.push(new Recorder())
    return this.#seconds[second] as Recorder
  }

  /** Kinds are bounded: a server may say something else each time. */
  #told(error: string | null): string | null {
    const { errors } = this.#all
    return error === null || errors.has(error) || errors.size < maxKinds ? error : 'other'
  }

  #isOver(): boolean {
    const { signal, maxRequests } = this.#settings
    return signal?.aborted || this.#sent >= maxRequests || performance.now() - this.#start >= this.#durationMs
  }

  /** Waits, but not beyond an interruption or the end. */
  async #pause(ms: number): Promise<void> {
    const leftMs = Math.max(0, this.#start + this.#durationMs - performance.now())
    await sleep(Math.min(ms, leftMs + 1), undefined, { signal: this.#settings.signal }).catch(() => undefined)
  }

  #tell(): void {
    const second = Math.floor((performance.now() - this.#start) / 1000) - 1
    const { onSecond } = this.#settings
    if (second < 0 || !onSecond) return
    onSecond({
      ...secondOf(this.#seconds[second] ?? new Recorder(), second),
      isWarmUp: this.#isWarmUp,
      ofSeconds: this.#durationMs / 1000,
      outstanding: this.#outstanding,
      failedInAll: this.#all.failed,
    })
  }

  result(): LoadResult {
    const { arrivals, signal, maxRequests } = this.#settings
    const elapsedMs = Math.max(
      this.#lastAnswer - this.#start,
      signal?.aborted || this.#sent >= maxRequests ? 0 : this.#durationMs,
    )
    if (arrivals.model === 'closed') this.#correct()
    return {
      elapsedSeconds: elapsedMs / 1000,
      all: this.#all.measured(),
      steps: Object.fromEntries([...this.#steps].map(([name, recorder]) => [name, recorder.measured()])),
      seconds: this.#seconds.map(secondOf),
      lag: { p99: latenciesOf(this.#lag, this.#maxLagMs).p99, max: this.#maxLagMs },
      stopped: signal?.aborted ? 'interrupted' : this.#sent >= maxRequests ? 'request limit' : null,
    }
  }

  /** Adds what users did not ask while they waited; to each step by how often it is asked. */
  #correct(): void {
    const meanThinkMs = this.#thoughtMs / this.#all.requests
    const added = omitted(this.#all.service, this.#all.service.quantile(0.5) + meanThinkMs)
    for (const recorder of this.#steps.values())
      addShare(recorder.latency, added, recorder.requests / this.#all.requests)
    addShare(this.#all.latency, added, 1)
  }
}

function secondOf(recorder: Recorder, second: number): Second {
  const { p50, p99 } = latenciesOf(recorder.latency, recorder.maxMs)
  return { second, requests: recorder.requests, failed: recorder.failed, p50, p99 }
}

/** What is wrong with an outcome; null when nothing is. */
function wrongIn({ answer, error }: Outcome, step: Step<unknown>, memory: unknown): string | null {
  if (answer === null) return error ?? 'no answer'
  const { status } = answer
  if (step.expects ? !step.expects.includes(status) : status < 200 || status >= 400) return `status ${status}`
  try {
    const wrong = step.check?.(answer, memory)
    return wrong === undefined ? null : `wrong answer: ${wrong}`
  } catch (thrown) {
    return `wrong answer: ${thrown instanceof Error ? thrown.message.slice(0, 80) : thrown}`
  }
}
