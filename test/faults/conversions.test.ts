import { describe, expect, it } from 'vitest'
import { type Placed, placements, runConversion } from './conversions.ts'
import { loadConversions } from './conversions-code.ts'
import { conversionsMutants } from './conversions-mutants.ts'
import { firstSeed } from './schedules.ts'

/** `ATOLL_CONVERSIONS=5 npx vitest run --config test/vitest.config.ts --project unit faults/conversions` looks at so many of each kind, and for mutants that are rare. */
const runs = Number(process.env.ATOLL_CONVERSIONS ?? 1)
const isLong = process.env.ATOLL_CONVERSIONS !== undefined
const kinds = Object.keys(placements) as Placed[]
const all = kinds
  .flatMap((from) => kinds.map((to) => [from, to] as const))
  .filter(([from, to]) => from !== to && (from.startsWith('by') || to.startsWith('by')))
const short: typeof all = [['by owner', 'by team']]
const timeout = isLong ? 1_800_000 : 120_000

describe('tables that are converted while they are used', () => {
  it.each(isLong ? all : short)(
    'lose nothing from %s to %s, and let nobody go away unanswered',
    { timeout },
    async (from, to) => {
      const code = await loadConversions(null)
      for (let seed = firstSeed; seed < firstSeed + runs; seed++) {
        const told = await runConversion({ seed, from, to, code, isHostile: false })
        expect({ seed, ...told }).toEqual({ seed, wrong: null, refused: [], outcome: 'done' })
      }
    },
  )

  it.each(isLong ? all : [['local', 'by owner'] as const])(
    'lose nothing from %s to %s while movers die',
    { timeout },
    async (from, to) => {
      const code = await loadConversions(null)
      for (let seed = firstSeed; seed < firstSeed + runs; seed++) {
        const { wrong } = await runConversion({ seed, from, to, code, isHostile: true })
        expect({ seed, wrong }).toEqual({ seed, wrong: null })
      }
    },
  )

  it.each(conversionsMutants.filter(({ isRare }) => isLong || !isRare))(
    'a protocol that $name is caught',
    { timeout },
    async (mutant) => {
      const code = await loadConversions(mutant)
      const [from, to] = mutant.pair
      let found: string | null = null
      for (let seed = firstSeed; found === null && seed < firstSeed + (isLong ? 20 : 4); seed++) {
        found = (await runConversion({ seed, from, to, code, isHostile: false })).wrong
      }
      expect(found).not.toBeNull()
    },
  )
})
