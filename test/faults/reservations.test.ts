import { describe, expect, it } from 'vitest'
import { type Mutant, runReservations } from './reservations.ts'
import { firstSeed, firstWrong, replacing, useVirtualTime } from './schedules.ts'

useVirtualTime()

const runs = Number(process.env.ATOLL_RESERVATIONS ?? 12)

const find = (mutant: Mutant | undefined, most: number) =>
  firstWrong((seed) => runReservations({ seed, steps: 10, ...(mutant ? { mutant } : {}) }), most)

/** Each changes one statement or trigger of the engine. */
const mutants: Readonly<Record<string, Mutant>> = {
  'lets rows take values without a permit': (text) =>
    text.replace(/SELECT RAISE\(ABORT, 'atoll\/rule\/reserved[^;]*;/g, 'SELECT 1;'),
  'lets a writer come back whose token was revoked': (text) =>
    text.replace(/SELECT RAISE\(ABORT, 'atoll\/revoked'\)[^;]*;/g, 'SELECT 1;'),
  'takes a value over without revoking its token': (text) =>
    text.includes('INSERT OR REPLACE INTO _atoll_unique_tokens')
      ? 'SELECT ?1, ?2'
      : text.replace(/EXISTS \(SELECT 1 FROM _atoll_unique_tokens AS t [^)]*\) AS settled/, '1 AS settled'),
  'takes a value over from whoever has it by now': replacing(' AND u.token = j.value->>2', ''),
  'gives a value back whoever has it by now': replacing(
    '(name, value, token) IN (SELECT value->>0, value->>1, value->>2',
    '(name, value) IN (SELECT value->>0, value->>1',
  ),
  'reserves what is held for another slot': replacing(
    'DO UPDATE SET at = excluded.at WHERE slot = excluded.slot',
    'DO UPDATE SET at = excluded.at, slot = excluded.slot',
  ),
  'gives writers of one slot tokens of their own': replacing(
    'DO UPDATE SET at = excluded.at WHERE slot = excluded.slot',
    'DO UPDATE SET token = excluded.token, at = excluded.at WHERE slot = excluded.slot',
  ),
  'gives back what a row has': replacing(
    'NOT EXISTS (SELECT 1 FROM "people" WHERE "email" = j.value->>1)',
    '1',
  ),
}

describe('reservations of unique values', () => {
  it(`hold in ${runs} schedules from seed ${firstSeed}`, async () => {
    expect(await find(undefined, runs)).toBeNull()
  })

  it.each(Object.entries(mutants))('a protocol that %s is caught', async (_, mutant) => {
    expect(await find(mutant, 60)).toMatch(/seed \d+: /)
  })
})
