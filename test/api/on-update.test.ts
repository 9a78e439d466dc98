/** Drizzle's `$onUpdate`, as Drizzle does it: of what an update or a merge leaves out, and of new rows without a default. */
import { env } from 'cloudflare:workers'
import { sql } from 'drizzle-orm'
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { defineTables, local } from '../../db/define.ts'
import { gatewayOver } from '../support/clinic.ts'

let made = 0
const pages = sqliteTable('stamped_pages', {
  id: integer('id').primaryKey(),
  title: text('title'),
  stamp: text('stamp').$onUpdate(() => `stamp ${++made}`),
  first: text('first')
    .default('never')
    .$onUpdate(() => 'changed'),
  times: integer('times')
    .default(1)
    .$onUpdate(() => sql`${sql.raw('"stamped_pages"."times"')} + 1`),
  at: text('at')
    .notNull()
    .$onUpdate(() => sql`'now'`),
})

const { DB } = env as unknown as { DB: D1Database }
const all = { select: true, insert: true, update: true, delete: true } as const
const ask = gatewayOver(defineTables({ pages: local(pages, { access: { anon: all } }) }))

beforeAll(() =>
  DB.prepare(
    "CREATE TABLE stamped_pages (id INTEGER PRIMARY KEY, title TEXT, stamp TEXT, first TEXT DEFAULT 'never', times INTEGER DEFAULT 1, at TEXT NOT NULL)",
  ).run(),
)
beforeEach(async () => {
  made = 0
  await DB.prepare('DELETE FROM stamped_pages').run()
})
afterAll(() => DB.prepare('DROP TABLE stamped_pages').run())

async function write(method: string, path: string, body: unknown, prefer = 'return=representation') {
  const headers = { 'Content-Type': 'application/json', Prefer: prefer }
  const answer = await ask(`/rest/v1/stamped_pages${path}`, { method, headers, body: JSON.stringify(body) })
  return (await answer.json()) as unknown
}

describe('what Drizzle sets on update', () => {
  it('is what a new row begins with, where it has no default', async () => {
    expect(await write('POST', '', [{ title: 'a' }, { title: 'b' }])).toEqual([
      { id: 1, title: 'a', stamp: 'stamp 1', first: 'never', times: 1, at: 'now' },
      { id: 2, title: 'b', stamp: 'stamp 2', first: 'never', times: 1, at: 'now' },
    ])
    expect(await write('POST', '', { stamp: 'own', at: 'then' })).toMatchObject([
      { stamp: 'own', at: 'then' },
    ])
  })

  it('is set by an update that leaves it out, and by no other', async () => {
    await write('POST', '', [{ title: 'a' }, { title: 'b' }])
    expect(await write('PATCH', '?id=gte.1&order=id', { title: 'c' })).toEqual([
      { id: 1, title: 'c', stamp: 'stamp 3', first: 'changed', times: 2, at: 'now' },
      { id: 2, title: 'c', stamp: 'stamp 3', first: 'changed', times: 2, at: 'now' },
    ])
    expect(await write('PATCH', '?id=eq.1', { stamp: 'mine', times: 9 })).toMatchObject([
      { stamp: 'mine', times: 9, first: 'changed' },
    ])
    await write('PATCH', '?id=eq.1', {})
    expect(await write('PATCH', '?id=eq.2', { title: 'd' })).toMatchObject([{ times: 3 }])
    expect(await DB.prepare('SELECT times FROM stamped_pages WHERE id = 1').first('times')).toBe(9)
  })

  it('is set by a merge where a row is there, in every statement of a large one', async () => {
    await write('POST', '', [{ id: 1, title: 'a' }])
    const long = 'x'.repeat(1000)
    const rows = Array.from({ length: 900 }, (_, i) => ({ id: i + 1, title: `${long}${i}` }))
    await write('POST', '?select=id', rows, 'return=representation, resolution=merge-duplicates')
    await write('PUT', '?id=eq.900', { id: 900, title: 'last' })
    const { results } = await DB.prepare(
      "SELECT id, first, times, at, stamp LIKE 'stamp %' AS s FROM stamped_pages WHERE id IN (1, 2, 900)",
    ).all()
    expect(results).toEqual([
      { id: 1, first: 'changed', times: 2, at: 'now', s: 1 },
      { id: 2, first: 'never', times: 1, at: 'now', s: 1 },
      { id: 900, first: 'changed', times: 2, at: 'now', s: 1 },
    ])
  })
})
