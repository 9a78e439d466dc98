import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Mutant } from './reservations.ts'
import { runRestores } from './restores.ts'

vi.setConfig({ testTimeout: 240_000 })

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

const runs = Number(process.env.ATOLL_RESTORES ?? 4)
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

/** Each changes one statement of the engine. */
const replacing =
  (part: string | RegExp, by: string): Mutant =>
  (text) =>
    text.replace(part, by)

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

describe('databases that are put back in time, under a hostile schedule', () => {
  it('are found and repaired, and what cannot be is listed', async () => {
    expect(await find(undefined, runs)).toBe(null)
  })

  for (const [name, mutant] of Object.entries(mutants)) {
    it(`${name} is caught`, async () => {
      expect(await find(mutant, 80)).not.toBe(null)
    })
  }
})
