import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Mutant } from './reservations.ts'
import { runRestores } from './restores.ts'

vi.setConfig({ testTimeout: 120_000 })

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

const runs = Number(process.env.ATOLL_RESTORES ?? 12)
const firstSeed = Number(process.env.ATOLL_SEED ?? 1)

/** The first seed that goes wrong, and how; null when none does. */
async function find(mutant: Mutant | undefined, most: number): Promise<string | null> {
  for (let seed = firstSeed; seed < firstSeed + most; seed++) {
    const run = runRestores({ seed, steps: 25, ...(mutant ? { mutant } : {}) })
    await vi.runAllTimersAsync()
    const wrong = await run
    if (wrong !== null) return `seed ${seed}: ${wrong}`
  }
  return null
}

describe('databases that are put back in time, under a hostile schedule', () => {
  it('are found and repaired, and what cannot be is listed', async () => {
    expect(await find(undefined, runs)).toBe(null)
  })
})
