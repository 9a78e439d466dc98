import { DatabaseSync } from 'node:sqlite'
import { eq, inArray, ne, type SQL } from 'drizzle-orm'
import { integer, real, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { CompactSign } from 'jose'
import { describe, expect, it } from 'vitest'
import { createConditionCompiler } from '../../db/catalog/compile-condition.ts'
import { parameterMark } from '../../db/catalog/grants.ts'
import { createIdentify } from '../../functions/access/identify-caller.ts'
import { roleClaimOf } from '../../functions/access/role-claim.ts'
import { defaultConfig } from '../../functions/areas.ts'

const jwtSecret = 'a-secret-of-claims-that-is-long-enough-for-hs256'
const keys = { publishable: '', secret: '', jwtSecret, jwksUrl: '' }
const identify = createIdentify(keys, defaultConfig, {
  all: new Set(['anon', 'authenticated']),
  of: roleClaimOf('.role'),
})

async function callerOf(payload: string) {
  const token = await new CompactSign(new TextEncoder().encode(payload))
    .setProtectedHeader({ alg: 'HS256' })
    .sign(new TextEncoder().encode(jwtSecret))
  return identify(new Headers({ authorization: `Bearer ${token}` }))
}

describe('a token', () => {
  it.each([
    ['9007199254740993', '9007199254740993'],
    ['"9007199254740993"', '9007199254740993'],
    ['18446744073709551617', '18446744073709551617'],
    ['7', '7'],
    ['"07"', '07'],
    ['null', null],
  ])('whose sub is %s is about exactly that', async (sub, known) => {
    const caller = await callerOf(`{"role":"authenticated","sub":${sub},"orgs":[9007199254740993,2]}`)
    expect(caller.sub).toBe(known)
    expect(caller.claims.orgs).toEqual(['9007199254740993', 2])
  })

  it.each(['true', 'false', '{}', '["me"]'])('whose sub is %s is refused', async (sub) => {
    await expect(callerOf(`{"role":"authenticated","sub":${sub}}`)).rejects.toMatchObject({ status: 401 })
  })
})

const items = sqliteTable('items', {
  id: integer('id').primaryKey(),
  owner: text('owner'),
  share: real('share'),
  isOpen: integer('is_open', { mode: 'boolean' }),
  until: integer('until', { mode: 'timestamp' }),
})
const compile = createConditionCompiler({ name: 'items', rowName: 'items', refusal: () => null })

/** Ids of the rows that a condition lets through. */
function rowsFor(condition: SQL): number[] {
  const database = new DatabaseSync(':memory:')
  database.exec(
    `CREATE TABLE items (id INTEGER PRIMARY KEY, owner TEXT, share REAL, is_open INTEGER, until INTEGER);
     INSERT INTO items VALUES (1, '1', 1.0, 1, 1), (7, '07', 7.0, 0, 7), (8, '7', 0.5, 1, 8),
       (9007199254740992, 'a', 0, 0, 0), (9007199254740993, 'b', 0, 0, 0)`,
  )
  const { text: marked, parameters } = compile(condition)
  const sql = marked
    .replaceAll(parameterMark + parameterMark, '"items"')
    .replace(new RegExp(`${parameterMark}(\\d+)${parameterMark}`, 'g'), (_, i) => `?${Number(i) + 1}`)
  const rows = database.prepare(`SELECT CAST(id AS TEXT) AS id FROM items WHERE ${sql}`).all(...parameters)
  return rows.map(({ id }) => Number((id as string).slice(-3)))
}

const claim = (value: unknown) => value as never

describe('a claim that a policy compares', () => {
  it.each<[string, SQL, number[]]>([
    ['a number with an integer', eq(items.id, claim(7)), [7]],
    ['digits with an integer', eq(items.id, claim('7')), [7]],
    ['long digits with an integer', eq(items.id, claim('9007199254740993')), [993]],
    ['what only reads as a number with an integer', eq(items.id, claim('07')), []],
    ['a fraction that is whole with an integer', eq(items.id, claim('7.0')), []],
    ['digits with a space with an integer', eq(items.id, claim(' 7')), []],
    ['true with an integer', eq(items.id, claim(true)), []],
    ['true with an integer that it is not to be', ne(items.id, claim(true)), []],
    ['an object with an integer', eq(items.id, claim({ a: 1 })), []],
    ['a list with an integer', eq(items.id, claim([7])), []],
    ['some of a list with an integer', inArray(items.id, claim([true, '07', '8'])), [8]],
    ['a number with text', eq(items.owner, claim(7)), [8]],
    ['digits with text', eq(items.owner, claim('07')), [7]],
    ['true with text', eq(items.owner, claim(true)), []],
    ['true with a real', eq(items.share, claim(true)), []],
    ['true with a boolean', eq(items.isOpen, claim(true)), [1, 8]],
    ['text with a boolean', eq(items.isOpen, claim('no')), []],
    ['a number with a time', eq(items.until, claim(7)), []],
    ['what is missing with anything', eq(items.owner, claim(undefined)), []],
  ])('is %s', (_, condition, ids) => {
    expect(rowsFor(condition)).toEqual(ids)
  })
})
