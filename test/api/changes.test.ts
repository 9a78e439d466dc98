import { eq, sql } from 'drizzle-orm'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { pruneChanges } from '../../db/cluster/consumers.ts'
import { changes, defineJob, type RowChange } from '../../functions/jobs/define-job.ts'
import { runSchedules } from '../../functions/jobs/schedules.ts'
import { startFromChanges } from '../../functions/jobs/start-from-changes.ts'
import { customers, genres, invoices } from '../fixture-app/db/app/schema.ts'
import { createBench } from '../support/job-bench.ts'
import { routed } from '../support/routed.ts'

let seen: RowChange[] = []
let fails = 0
let throws = false
const follow = defineJob({
  name: 'follow',
  on: [
    changes('genres', ['insert', 'update', 'delete'], {
      when: () => {
        if (throws) throw new Error('a bug')
        return true
      },
    }),
    changes('customers', 'update', { columns: ['city'] }),
    changes('customers', 'update', { columns: ['state'] }),
    changes('invoices', 'insert', { when: ({ value }) => value === '7' }),
    changes('invoice_items', ['insert', 'update', 'delete']),
  ],
  retry: { maxAttempts: 2 },
  run: async ({ input }) => {
    if (fails > 0) {
      fails--
      throw new Error('not now')
    }
    seen.push(input)
  },
})
let nights: string[] = []
const nightly = defineJob({
  name: 'nightly',
  cron: '30 2 * * *',
  timeZone: 'Europe/Berlin',
  run: async ({ input }) => void nights.push(input.scheduledFor),
})
const bench = createBench([follow, nightly])
const told = () => seen.map(({ table, operation, key }) => `${operation} ${table} ${JSON.stringify(key)}`)

beforeEach(async () => {
  await bench.rows('DELETE FROM genres WHERE id > 900', ['DB'])
  await bench.clear()
  seen = []
  nights = []
  fails = 0
  vi.spyOn(console, 'error').mockImplementation(() => undefined)
})
afterEach(() => vi.restoreAllMocks())

describe('the change log', () => {
  it('starts a job for each change, with key, distribution value and place', async () => {
    const { database, shards } = bench.open()
    await database.insert(genres).values({ id: 901, name: 'Ska' })
    await (await shards.of(7))
      .insert(invoices)
      .values({ id: routed(9001, 7), customerId: 7, invoiceDate: 'x', total: 1 })
    await bench.drain()
    expect(told().sort()).toEqual(['insert genres {"id":901}', `insert invoices {"id":${routed(9001, 7)}}`])
    const [invoice] = seen.filter(({ table }) => table === 'invoices')
    expect(invoice).toMatchObject({ value: '7', columns: null, old: null, new: null })
    expect(bench.services.bindings.has(invoice?.database ?? '')).toBe(true)
    await (await shards.of(7)).delete(invoices).where(eq(invoices.id, routed(9001, 7)))
  })

  it('names the columns that an update has changed, and starts what wants them', async () => {
    const { shards } = bench.open()
    const home = await shards.of(7)
    const seven = eq(customers.id, 7)
    await home
      .update(customers)
      .set({ phone: sql`${customers.phone} || '0'` })
      .where(seven)
    await bench.drain()
    expect(seen).toEqual([])
    await home
      .update(customers)
      .set({ city: sql`${customers.city} || 'o'`, company: 'Ny' })
      .where(seven)
    await bench.drain()
    expect(seen).toMatchObject([{ operation: 'update', columns: ['company', 'city'], key: { id: 7 } }])
  })

  it('keeps values of tables that ask for them, before and after', async () => {
    const { shards, nameOf } = bench.open()
    const name = nameOf(await shards.of(7)) as string
    const run = (text: string) => bench.rows(text, [name])
    const id = routed(9002, 7)
    await run(`INSERT INTO invoices (id, customer_id, invoice_date, total) VALUES (${id}, 7, 'x', 1)`)
    await run(`INSERT INTO invoice_items VALUES (${id}, ${id}, 1, 0.99, 2, 7)`)
    await run(`UPDATE invoice_items SET quantity = 9007199254740993 WHERE id = ${id}`)
    await run(`DELETE FROM invoice_items WHERE id = ${id}`)
    await bench.drain()
    const items = seen.filter(({ table }) => table === 'invoice_items')
    expect(items.map(({ old, new: now }) => [old?.quantity, now?.quantity])).toEqual([
      [undefined, 2],
      [2, '9007199254740993'],
      ['9007199254740993', undefined],
    ])
    expect(items[0]?.new).toEqual({
      id,
      invoice_id: id,
      track_id: 1,
      unit_price: 0.99,
      quantity: 2,
      customer_id: 7,
    })
    await run(`DELETE FROM invoices WHERE id = ${id}`)
  })

  it('tells a change of a key as a row that goes and one that comes', async () => {
    const { shards, nameOf } = bench.open()
    const name = nameOf(await shards.of(7)) as string
    const run = (text: string) => bench.rows(text, [name])
    const [id, other] = [routed(9003, 7), routed(9004, 7)]
    await run(`INSERT INTO invoices (id, customer_id, invoice_date, total) VALUES (${id}, 7, 'x', 1)`)
    await run(`INSERT INTO invoice_items VALUES (${id}, ${id}, 1, 0.99, 2, 7)`)
    await run(`UPDATE invoice_items SET id = ${other} WHERE id = ${id}`)
    await bench.drain()
    expect(told().filter((line) => line.includes('items'))).toEqual([
      `insert invoice_items {"id":${id}}`,
      `update invoice_items {"id":${other}}`,
      `delete invoice_items {"id":${id}}`,
    ])
    await run(`DELETE FROM invoice_items WHERE id = ${other}`)
    await run(`DELETE FROM invoices WHERE id = ${id}`)
  })

  it('has nothing of a write that was undone', async () => {
    const one = bench.services.bindings.get('DB') as D1Database
    const broken = ["INSERT INTO genres VALUES (904, 'a')", "INSERT INTO genres VALUES (904, 'b')"]
    await expect(one.batch(broken.map((text) => one.prepare(text)))).rejects.toThrow()
    await bench.drain()
    expect(seen).toEqual([])
  })

  it('is gone through once by relays that work at the same time', async () => {
    const { database } = bench.open()
    for (let id = 910; id < 930; id++) await database.insert(genres).values({ id, name: 'x' })
    const relay = () => startFromChanges(bench.services, bench.engine.catalog, bench.session(), 'DB')
    const started = await Promise.allSettled([relay(), relay(), relay(), relay()])
    expect(started.filter(({ status }) => status === 'fulfilled').length).toBeGreaterThan(0)
    await bench.drain()
    expect(told().sort()).toEqual(Array.from({ length: 20 }, (_, i) => `insert genres {"id":${910 + i}}`))
  })

  it('is cut off behind the last of its consumers', async () => {
    const { database } = bench.open()
    await database.insert(genres).values({ id: 931, name: 'x' })
    const left = () => bench.rows('SELECT sequence FROM _atoll_changes', ['DB'])
    const bounds = { maxAgeMs: 60_000, maxRows: 1000 }
    expect(await pruneChanges(bench.session(), 'DB', ['cache', 'jobs'], bounds)).toEqual([])
    expect(await left()).toHaveLength(1)
    await bench.drain()
    expect(await pruneChanges(bench.session(), 'DB', ['jobs'], bounds)).toEqual([])
    expect(await left()).toEqual([])
  })

  it('drops what is too old or too much for a consumer that does not come on, and notes that it did', async () => {
    const { database } = bench.open()
    for (let id = 940; id < 950; id++) await database.insert(genres).values({ id, name: 'x' })
    const rows = await bench.rows<{ sequence: number }>('SELECT sequence FROM _atoll_changes ORDER BY 1', [
      'DB',
    ])
    const at = (i: number) => rows[i]?.sequence as number
    expect(await pruneChanges(bench.session(), 'DB', ['jobs'], { maxAgeMs: 60_000, maxRows: 4 })).toEqual([
      { consumer: 'jobs', upTo: at(5) },
    ])
    await bench.rows(`UPDATE _atoll_changes SET at = 1 WHERE sequence <= ${at(7)}`, ['DB'])
    expect(await pruneChanges(bench.session(), 'DB', ['jobs'], { maxAgeMs: 60_000, maxRows: 40 })).toEqual([
      { consumer: 'jobs', upTo: at(7) },
    ])
    await bench.drain()
    expect(told().sort()).toEqual(['insert genres {"id":948}', 'insert genres {"id":949}'])
  })
})

describe('a job with several filters', () => {
  it('is started once by a change that passes more than one of them', async () => {
    const { shards } = bench.open()
    const home = await shards.of(7)
    await home
      .update(customers)
      .set({ city: sql`${customers.city} || 'x'`, state: 'Y' })
      .where(eq(customers.id, 7))
    await bench.drain()
    expect(told()).toEqual(['update customers {"id":7}'])
  })
})

describe('a filter that throws', () => {
  it('puts the change among the dead letters, and holds up nothing', async () => {
    const { database } = bench.open()
    await database.insert(genres).values({ id: 951, name: 'x' })
    throws = true
    await bench.relay()
    throws = false
    await database.insert(genres).values({ id: 952, name: 'x' })
    await bench.drain()
    expect(told()).toEqual(['insert genres {"id":952}'])
    const dead = await bench.rows<{ id: string; payload: string }>('SELECT * FROM _atoll_dead_letters')
    expect(dead).toMatchObject([{ name: 'follow', error: expect.stringContaining('`when`') }])
    expect(JSON.parse(dead[0]?.payload ?? '')).toMatchObject({ table: 'genres', key: { id: 951 } })
  })
})

describe('jobs of one row', () => {
  it('run in the order of its changes, whatever fails; other rows do not wait', async () => {
    const { database } = bench.open()
    await database.insert(genres).values({ id: 960, name: 'a' })
    await database.update(genres).set({ name: 'b' }).where(eq(genres.id, 960))
    await database.insert(genres).values({ id: 961, name: 'other' })
    await database.delete(genres).where(eq(genres.id, 960))
    fails = 1
    await bench.relay()
    const ids = bench.take()
    expect(ids).toHaveLength(2)
    await bench.deliver([ids[0] as string])
    await bench.deliver([ids[1] as string])
    await bench.drain()
    expect(told()).toEqual(['insert genres {"id":961}'])
    await bench.hurry()
    await bench.drain()
    expect(told().slice(1)).toEqual(
      ['insert', 'update', 'delete'].map((operation) => `${operation} genres {"id":960}`),
    )
  })

  it('go on behind one that was given up', async () => {
    const { database } = bench.open()
    await database.insert(genres).values({ id: 962, name: 'a' })
    await database.delete(genres).where(eq(genres.id, 962))
    fails = 2
    await bench.drain()
    await bench.hurry()
    await bench.drain()
    expect(told()).toEqual(['delete genres {"id":962}'])
    expect(await bench.rows('SELECT attempts FROM _atoll_dead_letters')).toEqual([{ attempts: 2 }])
  })

  it('come once and in order, however the queue loses, doubles, delays and shuffles', {
    timeout: 120_000,
  }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })), async (chance) => {
        const next = () => chance.next().value as number
        await bench.rows('DELETE FROM genres WHERE id > 900', ['DB'])
        await bench.clear()
        seen = []
        const wanted = new Map<number, string[]>()
        const late: string[] = []
        const write = async () => {
          const id = 970 + Math.floor(next() * 4)
          const known = wanted.get(id) ?? []
          const operation =
            known.length === 0 || known.at(-1) === 'delete' ? 'insert' : next() < 0.5 ? 'update' : 'delete'
          await bench.rows(
            {
              insert: `INSERT INTO genres VALUES (${id}, 'x')`,
              update: `UPDATE genres SET name = 'y' WHERE id = ${id}`,
              delete: `DELETE FROM genres WHERE id = ${id}`,
            }[operation],
            ['DB'],
          )
          wanted.set(id, [...known, operation])
        }
        for (let step = 0; step < 25; step++) {
          if (next() < 0.6) await write()
          if (next() < 0.2) await bench.hurry()
          if (next() < 0.6) await bench.relay(['DB'])
          for (const id of bench.take()) {
            const fate = next()
            if (fate < 0.25) continue
            late.push(id)
            if (fate > 0.75) late.push(id)
          }
          late.sort(() => next() - 0.5)
          await bench.deliver(late.splice(0, Math.floor(next() * 4)))
        }
        for (let round = 0; round < 40; round++) {
          await bench.hurry()
          await bench.drain()
        }
        const found = new Map<number, string[]>()
        for (const { key, operation } of seen) {
          found.set(key.id as number, [...(found.get(key.id as number) ?? []), operation])
        }
        expect(Object.fromEntries(found)).toEqual(Object.fromEntries(wanted))
      }),
      { numRuns: 4, endOnFailure: true },
    )
  })
})

describe('a schedule', () => {
  const run = (at: string) => runSchedules(bench.services, bench.session(), Date.parse(at))

  it('starts its job when it is due, by its time zone, and once', async () => {
    await bench.rows("DELETE FROM _atoll_state WHERE key GLOB 'schedule:*'", ['DB'])
    expect(await run('2026-01-10T12:00:00Z')).toBe(Date.parse('2026-01-11T01:30:00Z'))
    expect(await run('2026-01-11T01:29:59Z')).toBe(Date.parse('2026-01-11T01:30:00Z'))
    expect(await run('2026-01-11T01:30:00Z')).toBe(Date.parse('2026-01-12T01:30:00Z'))
    expect(await run('2026-01-11T01:30:01Z')).toBe(Date.parse('2026-01-12T01:30:00Z'))
    await bench.drain()
    expect(nights).toEqual(['2026-01-11T01:30:00.000Z'])
  })

  it('makes up for the last run that was missed', async () => {
    await run('2026-01-15T12:00:00Z')
    await bench.drain()
    expect(nights).toEqual(['2026-01-15T01:30:00.000Z'])
  })

  it('runs once on the days on which the clock is changed', async () => {
    await run('2026-03-28T12:00:00Z')
    nights = []
    await bench.clear()
    // 2:30 is left out on the 29th of March, and comes twice on the 25th of October.
    const march = await run('2026-03-28T12:00:01Z')
    expect(march).toBe(Date.parse('2026-03-29T01:00:00Z'))
    await run('2026-10-24T12:00:00Z')
    const october = await run('2026-10-24T12:00:01Z')
    expect([Date.parse('2026-10-25T00:30:00Z'), Date.parse('2026-10-25T01:30:00Z')]).toContain(october)
    expect(await run('2026-10-25T02:00:00Z')).toBe(Date.parse('2026-10-26T01:30:00Z'))
  })

  it('is started once by relays that look at the same time', async () => {
    await bench.clear()
    await run('2027-01-10T12:00:00Z')
    await bench.clear()
    await Promise.allSettled([
      run('2027-01-11T02:00:00Z'),
      run('2027-01-11T02:00:00Z'),
      run('2027-01-11T02:00:00Z'),
    ])
    expect(await bench.rows('SELECT name FROM _atoll_jobs')).toEqual([{ name: 'nightly' }])
  })
})
