import { describe, expect, it, vi } from 'vitest'
import { footprintMutants, loadFootprints } from './footprint-mutants.ts'
import { type FootprintCode, runFootprints } from './footprints.ts'
import { firstSeed } from './schedules.ts'

vi.setConfig({ testTimeout: 600_000 })

const histories = Number(process.env.ATOLL_HISTORIES ?? 12)

describe('footprints of answers', () => {
  it('tell of every write that changes an answer, and of few that do not', async () => {
    const code = await loadFootprints(null)
    let [same, kept] = [0, 0]
    for (let seed = firstSeed; seed < firstSeed + histories; seed++) {
      const result = runFootprints(code, seed)
      expect({ seed, wrong: result.wrong }).toEqual({ seed, wrong: null })
      same += result.same
      kept += result.kept
    }
    // Some writes change nothing that is there, and most of those that come and go count.
    expect(kept / same).toBeGreaterThan(0.75)
  })

  const caught = (code: FootprintCode) => {
    for (let seed = 1; seed <= 60; seed++) {
      const { wrong } = runFootprints(code, seed)
      if (wrong !== null) return wrong
    }
    return null
  }

  it.each(footprintMutants)('that $name are caught', async (mutant) => {
    expect(caught(await loadFootprints(mutant))).not.toBe(null)
  })
})
