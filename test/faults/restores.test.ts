import { describe, expect, it } from 'vitest'
import type { Mutant } from './reservations.ts'
import { runRestores } from './restores.ts'
import { firstSeed, firstWrong, replacing, useVirtualTime } from './schedules.ts'

useVirtualTime()

const runs = Number(process.env.ATOLL_RESTORES ?? 4)
const isLong = process.env.ATOLL_RESTORES !== undefined

const find = (mutant: Mutant | undefined, most: number) =>
  firstWrong((seed) => runRestores({ seed, steps: 25, ...(mutant ? { mutant } : {}) }), most)

const mutants: Readonly<Record<string, Mutant>> = {
  'leaves changes the numbers that others had': replacing(
    /^UPDATE _atoll_changes SET sequence .*$/s,
    'SELECT ?1, ?2, ?3',
  ),
  'lets logs go on where they are': replacing(/^UPDATE sqlite_sequence SET seq .*$/s, 'SELECT ?1, ?2'),
  'looks at changes of a database that went back meanwhile': replacing(
    /^INSERT INTO _atoll_guard .*_atoll_incarnation.*$/s,
    'SELECT ?1, ?2',
  ),
  'leaves copies that the primary database does not have': replacing(/^DELETE FROM "tags" .*$/s, 'SELECT ?1'),
  'takes away what rows refer to': (text) =>
    text.replace(/\(EXISTS \(SELECT 1 FROM "people" AS c [^)]*\)\)/g, '(0)'),
  'does not enter values again': replacing(
    /^(SELECT CAST\(rowid AS TEXT\) AS n.*) LIMIT \d+$/s,
    '$1 LIMIT 0',
  ),
  'takes numbers as they come': replacing(/^SELECT tick FROM _atoll_witnesses.*$/s, 'SELECT 0 AS tick'),
}

/** Needs many schedules: `ATOLL_RESTORES=40 npx vitest run --config test/vitest.config.ts --project unit restores` looks for it, too. */
const rare = 'looks at changes of a database that went back meanwhile'

describe('databases that are put back in time, under a hostile schedule', () => {
  it(`are found and repaired, and what cannot be is listed, in ${runs} schedules from seed ${firstSeed}`, async () => {
    expect(await find(undefined, runs)).toBeNull()
  })

  it.each(Object.entries(mutants).filter(([name]) => isLong || name !== rare))(
    'a repair that %s is caught',
    async (_, mutant) => {
      expect(await find(mutant, 80)).toMatch(/seed \d+: /)
    },
  )
})
