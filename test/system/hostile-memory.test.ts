import { describe, expect, it } from 'vitest'
import { driveHostile, type HostileResult } from '../load/hostile.ts'

/** What the isolate may keep more than at the start, in megabytes: half of what it keeps when shapes are not bounded. */
const bound = 60

describe('an isolate that is asked what is made to fill it', () => {
  it('keeps little, and answers honest callers afterwards', { timeout: 180_000 }, async () => {
    const seed = Math.floor(Math.random() * 2 ** 32)
    const { before, after, kept, honest, kinds }: HostileResult = await driveHostile({
      // Of shapes so many that those which were kept without a bound would be seen; of others some.
      count: ({ name, share }) => (/selects of (?:190|450)/.test(name) ? 160 : share / 100),
      seed,
      slowMs: 1000,
    })
    const said = `seed ${seed}: ${JSON.stringify({ before, after, kept })}`
    expect(honest, said).toEqual([200, 200, 200, 200, 200])
    expect(kept[1] - kept[0], said).toBeLessThan(bound)
    // The run asks what it is to ask: much is answered, much refused.
    const statuses = new Set(kinds.flatMap(({ statuses }) => Object.keys(statuses)))
    for (const expected of ['200', '401 PGRST301', 'left']) expect([...statuses], said).toContain(expected)
  })
})
