/** Writes of a view whose table's rows lie on several databases: they go where the rows are. */
import { sql } from 'drizzle-orm'
import { integer, sqliteView, text } from 'drizzle-orm/sqlite-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { view } from '../../db/define.ts'
import { createGateway } from '../../functions/gateway.ts'
import sample from '../fixture-app/db/app/tables.ts'
import { fetchFrom } from '../support/later-work.ts'
import { databases } from '../support/one-and-many.ts'
import { secretKey } from '../support/worker-client.ts'

const body =
  'SELECT id AS number, email, first_name AS called, last_name AS family, country, fax FROM customers WHERE country IS NOT NULL'
const people = sqliteView('people_view', {
  number: integer('number'),
  email: text('email'),
  called: text('called'),
  family: text('family'),
  country: text('country'),
  fax: text('fax'),
}).as(sql.raw(body))

const gateway = createGateway({
  tables: {
    ...sample,
    people: view(people, {
      sources: {
        number: ['customers', 'id'],
        email: ['customers', 'email'],
        country: ['customers', 'country'],
      },
    }),
  },
  config: { cache: false },
})
async function ask(method: string, path: string, sent: unknown = null, prefer = 'return=representation') {
  const request = new Request(`http://atoll.test/rest/v1/${path}`, {
    method,
    headers: { apikey: secretKey, 'Content-Type': 'application/json', Prefer: prefer },
    ...(sent === null ? {} : { body: JSON.stringify(sent) }),
  })
  const answer = await fetchFrom(gateway, request, {
    ATOLL_SECRET_KEY: secretKey,
    ATOLL_RATE_LIMITS: 'off',
    ...databases,
  })
  return [answer.status, await answer.json()] as [number, Record<string, unknown>[]]
}
const placesOf = async (number: number) => {
  const found = await Promise.all(
    Object.entries(databases).map(async ([name, database]) =>
      (await database.prepare('SELECT 1 FROM customers WHERE id = ?').bind(number).first()) ? [name] : [],
    ),
  )
  return found.flat()
}

beforeAll(async () => {
  for (const database of Object.values(databases))
    await database.prepare(`CREATE VIEW people_view AS ${body}`).run()
})
afterAll(async () => {
  for (const database of Object.values(databases)) await database.prepare('DROP VIEW people_view').run()
})

describe('a view of distributed rows', () => {
  it('is written where they lie, with ids that lead there and values that are unique everywhere', async () => {
    const made = Array.from({ length: 8 }, (_, i) => ({
      email: `v${i}@view.example`,
      called: 'V',
      family: `F${i}`,
      country: 'Oz',
    }))
    const [status, rows] = await ask(
      'POST',
      'people_view?select=number,email',
      made,
      'return=representation, atomicity=shard',
    )
    expect(status).toBe(201)
    const numbers = rows.map(({ number }) => number as number)
    const places = (await Promise.all(numbers.map(placesOf))).map((found) => found.join())
    expect(places.every((place) => Object.keys(databases).includes(place))).toBe(true)
    expect(new Set(places).size).toBeGreaterThan(1)
    const again = await ask('POST', 'people_view', { ...made[0], family: 'other' })
    expect([again[0], (again[1] as unknown as { code: string }).code]).toEqual([409, '23505'])

    const one = numbers[3] as number
    expect(await ask('PATCH', `people_view?number=eq.${one}&select=number,fax`, { fax: '1' })).toEqual([
      200,
      [{ number: one, fax: '1' }],
    ])
    const all = await ask(
      'PATCH',
      'people_view?country=eq.Oz&select=number',
      { fax: '2' },
      'return=representation, atomicity=shard',
    )
    expect([all[0], all[1].length]).toEqual([200, 8])
    const gone = await ask(
      'DELETE',
      'people_view?country=eq.Oz&fax=eq.2&select=number',
      null,
      'return=representation, atomicity=shard',
    )
    expect([gone[0], gone[1].map(({ number }) => number).toSorted()]).toEqual([200, numbers.toSorted()])
    expect((await Promise.all(numbers.map(placesOf))).flat()).toEqual([])
  })
})
