import { describe, expect, it } from 'vitest'
import { runBackups } from './backups.ts'
import { loadBackups } from './backups-code.ts'
import { mutants } from './backups-mutants.ts'

/** `ATOLL_BACKUP_CRASHES=100` plays as many schedules in which whoever is at work dies, from a seed of its own. */
const wanted = Number(process.env.ATOLL_BACKUP_CRASHES ?? 0)
const first = wanted > 0 ? Math.floor(Math.random() * 1e6) : 1
const counts = [
  [1, 3],
  [3, 1],
  [3, 5],
  [2, 3],
] as const

/** From how many databases into how many, differently for each seed. */
const between = (seed: number) => {
  const [from, into] = counts[seed % counts.length] as (typeof counts)[number]
  return { from, into, increments: 0 }
}
/** The same with increments. */
const chained = (seed: number) => ({ ...between(seed), increments: 2 + (seed % 4) })

describe('backups', { timeout: 600_000 }, () => {
  it(`restore what every database held at one position, in schedules without deaths from seed ${first}`, async () => {
    const code = await loadBackups(null)
    for (let seed = first; seed < first + Math.max(4, wanted); seed++)
      expect([seed, await runBackups({ seed, code, deaths: 0, ...between(seed) })]).toEqual([seed, null])
  })

  it(`restore it, too, when whoever makes or restores them dies again and again, from seed ${first}`, async () => {
    const code = await loadBackups(null)
    for (let seed = first; seed < first + Math.max(4, wanted); seed++)
      expect([seed, await runBackups({ seed, code, deaths: 2, ...between(seed) })]).toEqual([seed, null])
  })

  it(`restore increments with all that they add to, from seed ${first}`, async () => {
    const code = await loadBackups(null)
    for (let seed = first; seed < first + Math.max(8, wanted); seed++)
      expect([
        seed,
        await runBackups({ seed, code, deaths: seed % 2 === 0 ? 0 : 2, ...chained(seed) }),
      ]).toEqual([seed, null])
  })

  for (const mutant of mutants) {
    it(`that ${mutant.name} are caught`, async () => {
      const code = await loadBackups(mutant)
      const found = async (seed: number) =>
        runBackups({
          seed,
          code,
          deaths: seed % 2 === 0 ? 0 : 2,
          ...(mutant.ofChains ? chained(seed) : between(seed)),
        }).catch(String)
      let caught: string | null = null
      for (let seed = 1; seed <= (mutant.ofChains ? 30 : 12) && caught === null; seed++)
        caught = await found(seed)
      expect(caught).not.toBeNull()
    })
  }
})
