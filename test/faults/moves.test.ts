import { describe, expect, it } from 'vitest'
import { runMoves } from './moves.ts'
import { loadMoves } from './moves-code.ts'
import { firstSeed, firstWrong, useVirtualTime } from './schedules.ts'

useVirtualTime()

const runs = Number(process.env.ATOLL_MOVES ?? 4)

describe('slots that move', () => {
  it(`keep every promise in ${runs} schedules from seed ${firstSeed}`, async () => {
    const code = await loadMoves(null)
    expect(await firstWrong((seed) => runMoves({ seed, steps: 60, code }), runs)).toBeNull()
  })
})
