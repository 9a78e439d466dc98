import { describe, expect, it } from 'vitest'
import { type Mutant, runCopies } from './copies.ts'
import { firstSeed, firstWrong, replacing, useVirtualTime } from './schedules.ts'

useVirtualTime()

const runs = Number(process.env.ATOLL_COPIES ?? 12)

const find = (mutant: Mutant | undefined, most: number) =>
  firstWrong((seed) => runCopies({ seed, steps: 25, ...(mutant ? { mutant } : {}) }), most)

const mutants: Readonly<Record<string, Mutant>> = {
  'lets rows refer to what is about to go': (text) =>
    text.replace(/SELECT RAISE\(ABORT, 'atoll\/retiring[^;]*;/g, 'SELECT 1;'),
  'lets anybody take rows away': (text) =>
    text.replace(/SELECT RAISE\(ABORT, 'atoll\/unretired[^;]*;/g, 'SELECT 1;'),
  'takes rows away under a token that was given up': (text) =>
    text.replace(
      /EXISTS \(SELECT 1 FROM _atoll_retiring AS r WHERE r\.token = p\.value[^;]*?json_array\([^)]*\)\)/,
      '1',
    ),
  'does not tell the shards': (text, database) =>
    database !== 'DB' && text.startsWith('INSERT OR IGNORE INTO _atoll_retiring') ? 'SELECT ?1, ?2' : text,
  'does not try on the shards': (text, database) =>
    database !== 'DB' && text === 'DELETE FROM "labels" WHERE "id" IN (SELECT value->>0 FROM json_each(?1))'
      ? 'SELECT ?1'
      : text,
  'forgets what is only just about to go': replacing(
    'WHERE token IN (SELECT value FROM json_each(?1))',
    'WHERE ?1 IS NOT NULL',
  ),
  'forgets what has gone before copies follow': replacing(
    'AND (SELECT reference_sequence FROM _atoll_shard) >= CAST(?2 AS INTEGER)',
    'AND ?2 IS NOT NULL',
  ),
  'never forgets': replacing(
    'DELETE FROM _atoll_retiring WHERE token IN',
    'SELECT * FROM _atoll_retiring WHERE token IN',
  ),
  'lays old rows over new ones': replacing('reference_sequence < CAST(?1 AS INTEGER)', '?1 IS NOT NULL'),
  'keeps unique indexes while names are handed on': (text) =>
    /^(DROP INDEX|CREATE UNIQUE INDEX)/.test(text) ? 'SELECT 1' : text,
  'brings copies up and tells nobody': (text) =>
    text.startsWith('INSERT INTO _atoll_changes (name, operation, key, at) SELECT value')
      ? 'SELECT ?1'
      : text,
}

/** Those that need many schedules: `ATOLL_COPIES=150 npx vitest run --config test/vitest.config.ts --project unit copies` looks for them, too. */
const rare = new Set([
  'takes rows away under a token that was given up',
  'forgets what is only just about to go',
  'forgets what has gone before copies follow',
  'lays old rows over new ones',
  'brings copies up and tells nobody',
])
const isLong = process.env.ATOLL_COPIES !== undefined

describe('copies of reference tables', () => {
  it(`converge in ${runs} schedules from seed ${firstSeed}`, async () => {
    expect(await find(undefined, runs)).toBeNull()
  })

  it.each(Object.entries(mutants).filter(([name]) => isLong || !rare.has(name)))(
    'a protocol that %s is caught',
    async (_, mutant) => {
      expect(await find(mutant, 400)).toMatch(/seed \d+: /)
    },
  )
})
