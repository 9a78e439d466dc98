import { expect, it } from 'vitest'
import { runSoak } from '../load/soak/soak-run.ts'
import { findToolNamed } from '../support/system-tools.ts'

/** `ATOLL_SOAK_SECONDS=1800 npm test -- test/system/soak` goes on for longer; `npm run load -- soak` tells more of it. */
const seconds = Number(process.env.ATOLL_SOAK_SECONDS ?? 90)
const seed = Number(process.env.ATOLL_SEED ?? Date.now() % 1_000_000)

// Without Redis this is left out, which `npm test` says; in CI the step before has failed already.
it.runIf(findToolNamed('Redis') !== null || process.env.CI)(
  `what clients are told stays true, and memory bounded, while others are hostile, the store fails and the process is killed (seed ${seed})`,
  { timeout: 400_000 + seconds * 1000 },
  async () => {
    const { tally, faults, isolate, process: whole } = await runSoak({ seconds, seed })
    console.log(
      JSON.stringify({
        seed,
        faults: [...faults.keys()],
        isolate,
        process: whole,
        events: Object.fromEntries(tally.events),
      }),
    )
    expect(tally.told, `seed ${seed}`).toEqual([])
    expect(tally.violations).toBe(0)
    for (const { peak, bound } of [isolate, whole]) {
      expect(peak, `seed ${seed}`).toBeLessThanOrEqual(bound)
    }
    expect(isolate.peak).toBeGreaterThan(0)
    // Something was asked, answered and refused, and something went wrong beside it.
    expect(faults.size).toBeGreaterThan(2)
    for (const kind of [
      'read rows',
      'write row, key',
      'insert, key',
      'take unique value',
      'refer to track',
    ]) {
      expect(tally.statuses.get(kind)?.size, kind).toBeGreaterThan(0)
    }
    expect(tally.events.get('cache-distrusted')).toBeGreaterThan(0)
    expect(tally.events.get('cache-trusted')).toBeGreaterThan(0)
  },
)
