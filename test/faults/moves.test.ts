import { describe, expect, it } from 'vitest'
import { runMoves } from './moves.ts'
import { loadMoves, type MovesMutant } from './moves-code.ts'
import { movesMutants } from './moves-mutants.ts'
import { firstSeed, firstWrong, useVirtualTime } from './schedules.ts'

useVirtualTime()

/** `ATOLL_MOVES=60 npx vitest run --config test/vitest.config.ts --project unit faults/moves` looks at so many, and for mutants that are rare. */
const runs = Number(process.env.ATOLL_MOVES ?? 2)
const isLong = process.env.ATOLL_MOVES !== undefined

async function find(mutant: MovesMutant | null, most: number): Promise<string | null> {
  const code = await loadMoves(mutant)
  return firstWrong((seed) => runMoves({ seed, steps: 60, code }), most)
}

describe('slots that move', () => {
  it(`keep every promise in ${runs} schedules from seed ${firstSeed}`, {
    timeout: 30_000 + 20_000 * runs,
  }, async () => {
    expect(await find(null, runs)).toBeNull()
  })

  it.each(movesMutants.filter(({ isRare }) => isLong || !isRare))(
    'a protocol that $name is caught',
    { timeout: isLong ? 1_800_000 : 120_000 },
    async (mutant) => {
      expect(await find(mutant, isLong ? 150 : 12)).toMatch(/seed \d+: /)
    },
  )
})
