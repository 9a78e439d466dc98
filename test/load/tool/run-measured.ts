import type { Target } from './ask.ts'
import { cpuOfAll, isLoopback, serversOf } from './local-target.ts'
import { type LoadResult, type LoadSettings, runLoad } from './run-load.ts'
import type { Scenario } from './scenario.ts'

/** A run, and what the server's processes used meanwhile. */
export interface MeasuredRun {
  readonly result: LoadResult
  /** In milliseconds, warm-up left out; null: they are not this machine's, or it does not tell. */
  readonly cpuMsPerRequest: number | null
}

/** Runs a scenario, and reads the processor time of whoever listens at the target before and after. */
export async function runMeasured(
  scenario: Scenario,
  target: Target,
  settings: Omit<LoadSettings, 'after'>,
): Promise<MeasuredRun> {
  const pids = isLoopback(target.url) ? serversOf(target.url) : []
  let before: number | null = null
  let after: number | null = null
  const result = await runLoad(scenario, target, {
    ...settings,
    before: async () => {
      await settings.before?.()
      before = cpuOfAll(pids)
    },
    after: () => {
      after = cpuOfAll(pids)
    },
  })
  const { requests } = result.all
  const isKnown = before !== null && after !== null && requests > 0
  return { result, cpuMsPerRequest: isKnown ? (Number(after) - Number(before)) / requests : null }
}
