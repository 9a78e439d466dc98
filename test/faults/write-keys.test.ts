import { describe, expect, it } from 'vitest'
import { firstSeed, firstWrong, replacing, useVirtualTime } from './schedules.ts'
import { type Mutant, runWriteKeys } from './write-keys.ts'

useVirtualTime()

const runs = Number(process.env.ATOLL_WRITE_KEYS ?? 15)
const isLong = process.env.ATOLL_WRITE_KEYS !== undefined

const find = (mutant: Mutant | undefined, most: number) =>
  firstWrong((seed) => runWriteKeys({ seed, ...(mutant ? { mutant } : {}) }), most)

const mutants: Readonly<Record<string, Mutant>> = {
  'puts the key in behind the write, in a transaction of its own': {
    split: (all) => {
      const at = all.findIndex(({ text }) => text.includes("SET state = 'done'"))
      return at < 0 ? [all] : [all.slice(0, at - 1), all.slice(at - 1)]
    },
  },
  'keeps the answer after the commit': {
    text: (text) => text.replace(/answer = json_object.*? WHERE scope/s, 'answer = NULL WHERE scope'),
  },
  'makes the write whatever is known of its key': {
    text: replacing("'atoll/key/taken' WHERE", "'atoll/key/taken' WHERE 0 AND"),
  },
  'lets an attempt commit that another has taken over': {
    text: (text) =>
      text.includes('WHERE NOT EXISTS (SELECT 1 FROM _atoll_idempotency') && text.includes('atoll/key/taken')
        ? 'SELECT ?1, ?2, ?3'
        : text,
  },
  'takes what an attempt has open for no reason to wait, and leaves it': {
    text: replacing("AND (state = 'open' OR fingerprint <> ?4)", 'AND fingerprint <> ?4'),
  },
  'frees a key when the outcome is not known, done or not': {
    text: (text) =>
      text.includes('SET until = 0')
        ? text
            .replace('UPDATE _atoll_idempotency SET until = 0 WHERE', 'DELETE FROM _atoll_idempotency WHERE')
            .replace("AND attempt = ?3 AND state = 'open'", 'AND ?3 = ?3')
        : text,
  },
  'does not ask whether the key stands for this request': {
    looksAtRequest: false,
    text: (text) =>
      text
        .replaceAll(' OR fingerprint <> ?4', ' AND ?4 = ?4')
        .replaceAll(' AND fingerprint = ?4', ' AND ?4 = ?4'),
  },
  'forgets keys before their time': {
    text: (text) =>
      text.startsWith('DELETE FROM _atoll_idempotency WHERE rowid IN')
        ? text.replace('at < CAST(?1 AS INTEGER)', 'at < CAST(?1 AS INTEGER) + 59000')
        : text,
  },
  'never forgets what a caller takes up': {
    text: replacing(
      'DELETE FROM _atoll_idempotency WHERE rowid IN',
      'DELETE FROM _atoll_idempotency WHERE 0 AND rowid IN',
    ),
  },
}

/** Needs many schedules: `ATOLL_WRITE_KEYS=60 npx vitest run --config test/vitest.config.ts --project unit write-keys` looks for it, too. */
const rare = 'frees a key when the outcome is not known, done or not'

describe('writes with keys', () => {
  it(`are made once, and answered the same, in ${runs} schedules from seed ${firstSeed}`, async () => {
    expect(await find(undefined, runs)).toBeNull()
  })

  it.each(Object.entries(mutants).filter(([name]) => isLong || name !== rare))(
    'a protocol that %s is caught',
    async (_, mutant) => {
      expect(await find(mutant, 60)).toMatch(/seed \d+: /)
    },
  )
})
