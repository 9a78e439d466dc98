/** Preferences bind functions, too: what a caller wants undone is, and what breaks their bounds has never been. */
import { env } from 'cloudflare:workers'
import { eq, gte, inArray, sql } from 'drizzle-orm'
import { beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { makeRoutedNumber } from '../../db/slots/slots.ts'
import { permittedTexts } from '../../db/system/permits.ts'
import {
  defineFunction,
  defineJob,
  type FunctionManifest,
  nothing,
  row,
  rows,
  scalar,
  sending,
} from '../../functions/define.ts'
import { createGateway } from '../../functions/gateway.ts'
import { artists, genres, invoices } from '../fixture-app/db/app/schema.ts'
import tables from '../fixture-app/db/app/tables.ts'
import { fetchFrom } from '../support/later-work.ts'
import { databases } from '../support/one-and-many.ts'
import { routed } from '../support/routed.ts'
import { secretKey } from '../support/worker-client.ts'
import { errorOf, first } from '../support/write-client.ts'

const { BUCKET: bucket } = env as unknown as { BUCKET: R2Bucket }
const greet = defineJob({ name: 'greet', input: z.object({ n: z.number() }), run: async () => undefined })

const carry = defineJob({ name: 'carry', input: z.string(), run: async () => undefined })

/** What the functions saw, which no preference undoes. */
let seen: unknown[] = []
let meanwhile: () => Promise<void> = async () => undefined

const anyone = { roles: ['anon'] } as const
const genre = (n: number, name = `g${n}`) => ({ id: first + n, name })

const functions: FunctionManifest = {
  add: defineFunction({
    ...anyone,
    input: z.object({ count: z.int() }),
    returns: rows(genres),
    run: async ({ input, database }) => {
      const made = await database
        .insert(genres)
        .values(Array.from({ length: input.count }, (_, i) => genre(i)))
        .returning()
      seen.push(await database.$count(genres, gte(genres.id, first)))
      return made
    },
  }),
  /** Everything at once: the primary database, a shard, reads after writes, a batch, jobs. */
  work: defineFunction({
    ...anyone,
    input: z.object({ customer: z.int() }),
    returns: rows(genres),
    run: async ({ input, database, shards, jobs }) => {
      await database.insert(genres).values([genre(1), genre(2), genre(3)])
      const renamed = await database
        .update(genres)
        .set({ name: sql`${genres.name} || ${'!'}` })
        .where(gte(genres.id, first + 2))
        .returning({ id: genres.id, shout: sql<string>`upper(${genres.name})` })
      const [gone, left] = await database.batch([
        database
          .delete(genres)
          .where(eq(genres.id, first + 1))
          .returning(),
        database.select().from(genres).where(gte(genres.id, first)).orderBy(genres.id),
      ])
      const shard = await shards.of(input.customer)
      const id = routed(first, input.customer)
      const [invoice] = await shard
        .insert(invoices)
        .values({ id, customerId: input.customer, invoiceDate: '2026-12-01', total: 0.1 + 0.2 })
        .returning()
      const found = await shard.select().from(invoices).where(eq(invoices.id, id))
      const sent = await jobs.send(greet, { n: 1 }, { orderingKey: 'lane' })
      const behind = await jobs.send(greet, { n: 2 }, { orderingKey: 'lane', deduplicationKey: 'k' })
      const same = await jobs.send(greet, { n: 3 }, { deduplicationKey: 'k' })
      const [touched] = await jobs.sendWith(
        shard,
        [shard.update(invoices).set({ billingCity: 'Zug' }).where(eq(invoices.id, id)).returning()],
        [sending(greet, { n: 4 })],
      )
      seen.push({ renamed, gone, left, invoice, found, touched })
      seen.push(same.id === behind.id && same.isDuplicate && !sent.isDuplicate)
      await meanwhile()
      return left
    },
  }),
  carry: defineFunction({
    ...anyone,
    input: z.object({}),
    returns: rows(genres),
    run: async ({ jobs }) => {
      await jobs.send(carry, 'x'.repeat(200_000))
      return [genre(1), genre(2)]
    },
  }),
  one: defineFunction({
    ...anyone,
    input: z.object({ there: z.boolean() }),
    returns: row(genres),
    run: async ({ input, database }) => {
      await database.insert(genres).values(genre(1))
      return input.there ? genre(1) : null
    },
  }),
  count_up: defineFunction({
    ...anyone,
    input: z.object({}),
    returns: scalar,
    run: async ({ database }) => {
      const [counted] = await database
        .update(genres)
        .set({ name: sql`${genres.name} + 1` })
        .where(eq(genres.id, first))
        .returning()
      await meanwhile()
      return counted?.name
    },
  }),
  forget: defineFunction({
    ...anyone,
    input: z.object({}),
    returns: nothing,
    run: async ({ database }) => database.delete(genres).where(gte(genres.id, first)),
  }),
  paid: defineFunction({
    ...anyone,
    input: z.object({}),
    returns: scalar,
    undoable: false,
    run: async () => seen.push('paid'),
  }),
  odd: defineFunction({
    ...anyone,
    input: z.object({ what: z.string() }),
    returns: scalar,
    run: async ({ input, database }) => {
      await database.insert(genres).values(genre(1))
      try {
        if (input.what === 'transaction')
          await database.transaction(async (tx) => tx.insert(genres).values(genre(2)))
        else await database.run(sql.raw(input.what))
      } catch {
        // What it cannot do, it does without.
      }
      return 'done'
    },
  }),
  refused: defineFunction({
    ...anyone,
    input: z.object({}),
    returns: scalar,
    run: async ({ database }) => {
      await database.insert(genres).values(genre(1))
      const again = await database
        .insert(genres)
        .values(genre(1))
        .then(
          () => 'twice',
          (error) => String(error.cause),
        )
      await database.insert(genres).values(genre(2))
      return again
    },
  }),
  long: defineFunction({
    ...anyone,
    input: z.object({}),
    returns: scalar,
    run: async ({ database }) => {
      await database.insert(genres).values(genre(1))
      return database.all(sql`SELECT hex(zeroblob(1500000)) AS x`)
    },
  }),
  reports: defineFunction({
    ...anyone,
    input: z.object({ of: z.int() }),
    returns: rows(artists),
    run: async ({ input, database }) => {
      await database.insert(artists).values({ id: first, name: 'New' })
      return database
        .select()
        .from(artists)
        .where(inArray(artists.id, [first, input.of]))
    },
  }),
}

const gateway = createGateway({ tables, config: { cache: false }, functions, jobs: [greet, carry] })
const bindings = { ATOLL_SECRET_KEY: secretKey, ATOLL_RATE_LIMITS: 'off', BUCKET: bucket, ...databases }

function rpc(path: string, body: unknown, headers: Record<string, string> = {}, method = 'POST') {
  const request = new Request(`http://atoll.test/rest/v1/rpc/${path}`, {
    method,
    headers: { apikey: secretKey, 'Content-Type': 'application/json', ...headers },
    ...(method === 'POST' ? { body: JSON.stringify(body) } : {}),
  })
  return fetchFrom(gateway, request, bindings)
}

const all = Object.values(databases)
const one = async (database: D1Database, text: string) => (await database.prepare(text).all()).results

/** Everything that the functions may have left anywhere. */
async function traces(): Promise<unknown[]> {
  const counted = await Promise.all(
    all.map(async (database) => ({
      genres: await one(database, `SELECT * FROM genres WHERE id >= ${first}`),
      artists: await one(database, `SELECT * FROM artists WHERE id >= ${first}`),
      invoices: await one(
        database,
        `SELECT id, billing_city FROM invoices WHERE id >= ${makeRoutedNumber(0, first)}`,
      ),
      changes: await one(
        database,
        "SELECT name, operation, key FROM _atoll_changes WHERE name IN ('genres', 'invoices')",
      ),
      jobs: await one(
        database,
        "SELECT state, payload FROM _atoll_jobs WHERE name = 'greet' ORDER BY sequence",
      ),
      notes: await one(database, 'SELECT * FROM _atoll_undone'),
      triggers: await one(database, "SELECT name FROM sqlite_schema WHERE name GLOB '_atoll_undone_*'"),
    })),
  )
  return counted
}
const nowhere = all.map(() => ({
  genres: [],
  artists: [],
  invoices: [],
  changes: [],
  jobs: [],
  notes: [],
  triggers: [],
}))

let customer = 0

beforeEach(async () => {
  seen = []
  meanwhile = async () => undefined
  for (const database of all) {
    await database.batch(
      permittedTexts([
        `DELETE FROM receipts WHERE invoice_id >= ${makeRoutedNumber(0, first)}`,
        `DELETE FROM invoices WHERE id >= ${makeRoutedNumber(0, first)}`,
        `DELETE FROM genres WHERE id >= ${first}`,
        `DELETE FROM artists WHERE id >= ${first}`,
      ]).map((text) => database.prepare(text)),
    )
    await database.batch(
      ['_atoll_changes', '_atoll_jobs', '_atoll_reference_log'].flatMap((table) =>
        table === '_atoll_reference_log' && database !== databases.DB
          ? []
          : [database.prepare(`DELETE FROM ${table}`)],
      ),
    )
  }
  const [found] = await one(databases.SHARD_2, 'SELECT id FROM customers LIMIT 1')
  customer = found?.id as number
})

const single = { Accept: 'application/vnd.pgrst.object+json' }

describe('a function that a caller wants undone', () => {
  it('answers as always and leaves nothing', async () => {
    const response = await rpc('work', { customer }, { Prefer: 'tx=rollback' })
    expect(response.status).toBe(200)
    expect(response.headers.get('preference-applied')).toBe('tx=rollback')
    expect(await response.json()).toEqual([genre(2, 'g2!'), genre(3, 'g3!')])
    expect(await traces()).toEqual(nowhere)
    const undone = seen
    seen = []
    expect((await rpc('work', { customer })).status).toBe(200)
    expect(undone).toEqual(seen)
    expect(seen[1]).toBe(true)
  })

  it('is shown with what it wrote, embedded and filtered', async () => {
    const path = 'reports?select=name,albums(title)&order=id.desc&limit=2'
    const undone = await rpc(path, { of: 1 }, { Prefer: 'tx=rollback, count=exact' })
    const answer = await undone.json<{ name: string; albums: unknown[] }[]>()
    expect(answer[0]).toEqual({ name: 'New', albums: [] })
    expect(answer[1]?.albums.length).toBeGreaterThan(0)
    expect(undone.headers.get('content-range')).toBe('0-1/2')
    expect(await traces()).toEqual(nowhere)
  })

  it('answers nothing or a value with the preference, too', async () => {
    await one(databases.DB, `INSERT INTO genres VALUES (${first}, '1')`)
    const gone = await rpc('forget', {}, { Prefer: 'tx=rollback' })
    expect(gone.status).toBe(204)
    expect(gone.headers.get('preference-applied')).toBe('tx=rollback')
    const counted = await rpc('count_up', {}, { Prefer: 'tx=rollback' })
    expect(await counted.json()).toBe('2')
    expect(await one(databases.DB, `SELECT name FROM genres WHERE id = ${first}`)).toEqual([{ name: '1' }])
  })

  it('meets broken constraints as it would, and goes on', async () => {
    const undone = await rpc('refused', {}, { Prefer: 'tx=rollback' })
    expect(await undone.json()).toContain('UNIQUE constraint failed: genres.id')
    expect(await traces()).toEqual(nowhere)
  })
})

describe('a large job of a function', () => {
  it('is stored with its payload, or neither is there', async () => {
    const stored = async () => (await bucket.list({ prefix: '_atoll/jobs/' })).objects.length
    const before = await stored()
    expect((await rpc('carry', {}, { Prefer: 'tx=rollback' })).status).toBe(200)
    expect((await rpc('carry', {}, single)).status).toBe(406)
    expect(await stored()).toBe(before)
    expect((await rpc('carry', {}, { Prefer: 'handling=strict, max-affected=2' })).status).toBe(200)
    expect(await stored()).toBe(before + 1)
  })
})

describe('a function whose answer must not be too large', () => {
  const atMost = (max: number) => ({ Prefer: `handling=strict, max-affected=${max}` })

  it('is undone when it is, and committed when it is not', async () => {
    const refused = await errorOf(await rpc('work', { customer }, atMost(1)))
    expect(refused).toMatchObject({ status: 400, code: 'PGRST124', details: 'The query affects 2 rows' })
    expect(await traces()).toEqual(nowhere)
    const done = await rpc('work', { customer }, atMost(2))
    expect(done.status).toBe(200)
    expect(done.headers.get('preference-applied')).toBe('handling=strict, max-affected=2')
    const left = (await traces()) as Record<string, unknown[]>[]
    // Copies of reference tables, too.
    for (const each of left)
      expect(each).toMatchObject({ genres: [genre(2, 'g2!'), genre(3, 'g3!')], notes: [], triggers: [] })
    expect(left.flatMap(({ invoices }) => invoices)).toEqual([
      { id: routed(first, customer), billing_city: 'Zug' },
    ])
    expect(left[0]?.jobs).toMatchObject([{ state: 'waiting' }, { state: 'held' }])
    expect(left.flatMap(({ jobs }) => jobs)).toHaveLength(3)
    // Shards note which copies came behind their writer; what was done is in the log of where it was.
    const operations = left.flatMap(({ changes }, i) =>
      (changes as { name: string; operation: string }[]).filter(({ name }) => i === 0 || name !== 'genres'),
    )
    expect(operations.filter(({ name }) => name === 'genres').map(({ operation }) => operation)).toEqual([
      'insert',
      'insert',
      'insert',
      'update',
      'update',
      'delete',
    ])
    expect(operations.filter(({ name }) => name === 'invoices')).toHaveLength(2)
  })

  it('counts what the request leaves of it', async () => {
    expect((await rpc('add?limit=1', { count: 3 }, atMost(1))).status).toBe(200)
  })

  it('is refused where there are no rows to count, before it runs', async () => {
    for (const [name, input] of [
      ['count_up', {}],
      ['forget', {}],
      ['one', { there: true }],
    ] as const) {
      const refused = await errorOf(await rpc(name, input, atMost(5)))
      expect(refused).toMatchObject({ status: 400, code: 'PGRST128' })
    }
    expect(await traces()).toEqual(nowhere)
  })
})

describe('a function that must answer one row', () => {
  it.each([
    ['add', { count: 2 }, 2],
    ['add', { count: 1 }, 1],
    ['one', { there: false }, 0],
    ['one', { there: true }, 1],
  ])('%s %o has it or is undone', async (name, input, found) => {
    const response = await rpc(name, input, single)
    if (found === 1) {
      expect(await response.json()).toMatchObject({ name: expect.stringMatching(/^g/) })
      expect(await one(databases.SHARD_1, `SELECT id FROM genres WHERE id >= ${first}`)).toHaveLength(1)
      return
    }
    expect(await errorOf(response)).toMatchObject({
      status: 406,
      code: 'PGRST116',
      details: `The result contains ${found} rows`,
    })
    expect(await traces()).toEqual(nowhere)
  })
})

describe('a transaction of a function', () => {
  it('is refused by the database when others have changed what it told', async () => {
    const strict = { Prefer: 'handling=strict, max-affected=10' }
    meanwhile = async () => {
      await one(databases.DB, `INSERT INTO genres VALUES (${first + 1}, 'theirs')`)
    }
    const refused = await rpc('work', { customer }, strict)
    expect(refused.headers.get('retry-after')).toBe('1')
    expect(await errorOf(refused)).toMatchObject({ status: 409, code: 'SHARD016' })
    const left = (await traces()) as Record<string, unknown[]>[]
    expect(left.flatMap(({ genres }) => genres)).toEqual([{ id: first + 1, name: 'theirs' }])
    expect(left.flatMap(({ invoices, jobs }) => [...(invoices ?? []), ...(jobs ?? [])])).toEqual([])
  })

  it('gives no number to two', async () => {
    await one(databases.DB, `INSERT INTO genres VALUES (${first}, '1')`)
    meanwhile = async () => {
      await one(databases.DB, `UPDATE genres SET name = name + 1 WHERE id = ${first}`)
    }
    const refused = await errorOf(await rpc('count_up', {}, { Accept: 'text/plain' }))
    expect(refused).toMatchObject({ status: 409, code: 'SHARD016' })
    meanwhile = async () => undefined
    const next = await rpc('count_up', {}, { Accept: 'text/plain' })
    expect(await next.text()).toBe('3')
  })

  it.each([
    'PRAGMA optimize',
    'CREATE TABLE left_behind (id INTEGER)',
    `INSERT INTO genres VALUES (${first + 5}, 'x'); DELETE FROM genres`,
    `INSERT INTO genres VALUES (last_insert_rowid() + 1, 'x')`,
    `DELETE FROM genres WHERE id >= ${first} RETURNING (SELECT count(*) FROM genres)`,
    'transaction',
  ])('refuses %s, though the function does not mind', async (what) => {
    const refused = await errorOf(await rpc('odd', { what }, { Prefer: 'tx=rollback' }))
    expect(refused).toMatchObject({ status: 400, code: 'SHARD018' })
    expect(await traces()).toEqual(nowhere)
  })

  it('refuses more than can be told', async () => {
    const refused = await errorOf(await rpc('long', {}, { Prefer: 'tx=rollback' }))
    expect(refused).toMatchObject({ status: 413, code: 'SHARD019' })
    expect(await traces()).toEqual(nowhere)
  })

  it('is not begun by a function that cannot be undone', async () => {
    const refused = await errorOf(await rpc('paid', {}, { Prefer: 'tx=rollback' }))
    expect(refused).toMatchObject({ status: 400, code: 'SHARD017' })
    expect(seen).toEqual([])
    expect((await rpc('paid', {})).status).toBe(200)
  })
})
