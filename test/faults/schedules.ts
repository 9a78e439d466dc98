/**
 * Schedules of a checker, seed after seed, in virtual time.
 * @module
 */
import { afterEach, beforeEach, vi } from 'vitest'

export const firstSeed = Number(process.env.ATOLL_SEED ?? 1)

/** Has the tests of a file run in virtual time. */
export function useVirtualTime(): void {
  vi.setConfig({ testTimeout: 120_000 })
  beforeEach(() => {
    vi.useFakeTimers({ loopLimit: 1_000_000 })
  })
  afterEach(() => {
    vi.useRealTimers()
  })
}

/** The first seed that goes wrong, and how; null when none of so many does. */
export async function firstWrong(
  run: (seed: number) => Promise<string | null>,
  most: number,
): Promise<string | null> {
  for (let seed = firstSeed; seed < firstSeed + most; seed++) {
    const running = run(seed)
    await vi.runAllTimersAsync()
    const wrong = await running
    if (wrong !== null) return `seed ${seed}: ${wrong}`
  }
  return null
}

/** Changes a part of a statement. */
export const replacing = (part: string | RegExp, by: string) => (text: string) =>
  typeof part === 'string' ? text.replaceAll(part, by) : text.replace(part, by)
