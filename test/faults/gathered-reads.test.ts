import { describe, expect, it } from 'vitest'
import { runGathered } from './gathered-reads.ts'
import { gatheredMutants, loadGathered } from './gathered-reads-code.ts'
import type { CodeMutant } from './load-mutant.ts'
import { firstSeed, firstWrong, useVirtualTime } from './schedules.ts'

useVirtualTime()

/** `ATOLL_GATHERED=200 npx vitest run --config test/vitest.config.ts --project unit faults/gathered` looks at so many. */
const runs = Number(process.env.ATOLL_GATHERED ?? 15)

async function find(mutant: CodeMutant | null, most: number): Promise<string | null> {
  const code = await loadGathered(mutant)
  return firstWrong((seed) => runGathered(seed, code), most)
}

describe('reads that travel together', () => {
  it(`keep every promise in ${runs} schedules from seed ${firstSeed}`, async () => {
    expect(await find(null, runs)).toBeNull()
  })

  it.each(gatheredMutants)('a protocol that $name is caught', async (mutant) => {
    expect(await find(mutant, 40)).toMatch(/seed \d+: /)
  })
})
