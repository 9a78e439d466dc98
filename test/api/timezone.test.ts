/** `Prefer: timezone`: times are shown and read in a zone, by every way in and out. */
import { env } from 'cloudflare:workers'
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { defineTables, local } from '../../db/define.ts'
import { defineFunction, rows } from '../../functions/define.ts'
import { gatewayOver } from '../support/clinic.ts'

const events = sqliteTable('zoned_events', {
  id: integer('id').primaryKey(),
  at: integer('at', { mode: 'timestamp' }),
  ms: integer('ms', { mode: 'timestamp_ms' }),
  note: text('note'),
  parent: integer('parent').references((): never => events.id as never),
})
const { DB } = env as unknown as { DB: D1Database }
const all = { select: true, insert: true, update: true, delete: true } as const
const ask = gatewayOver(
  defineTables({ events: local(events, { access: { anon: all } }) }),
  {},
  {
    every: defineFunction({
      input: z.object({}),
      returns: rows(events),
      roles: ['anon'],
      run: ({ database }) => database.select().from(events),
    }),
  },
)
const zone = 'America/Los_Angeles'

beforeAll(() =>
  DB.prepare(
    'CREATE TABLE zoned_events (id INTEGER PRIMARY KEY, at INTEGER, ms INTEGER, note TEXT, parent INTEGER REFERENCES zoned_events (id))',
  ).run(),
)
beforeEach(async () => {
  await DB.prepare('DELETE FROM zoned_events').run()
  const instant = Date.parse('2023-10-18T12:37:59.611Z')
  await DB.batch([
    DB.prepare('INSERT INTO zoned_events VALUES (1, ?, ?, ?, NULL)').bind(
      Math.floor(instant / 1000),
      instant,
      '~s1;',
    ),
    DB.prepare('INSERT INTO zoned_events VALUES (2, NULL, NULL, NULL, 1)'),
  ])
})
afterAll(() => DB.prepare('DROP TABLE zoned_events').run())

async function read(query: string, prefer = `timezone=${zone}`, init: RequestInit = {}) {
  const headers = new Headers({ Prefer: prefer, ...(init.headers as object) })
  return ask(`/rest/v1/${query}`, { ...init, headers })
}
const shown = { at: '2023-10-18T05:37:59-07:00', ms: '2023-10-18T05:37:59.611-07:00' }

describe('a time in a zone', () => {
  it('is shown by every way out', async () => {
    const answer = await read('zoned_events?select=at,ms,note&order=id')
    expect(answer.headers.get('preference-applied')).toBe(`timezone=${zone}`)
    expect(await answer.json()).toEqual([
      { ...shown, note: '~s1;' },
      { at: null, ms: null, note: null },
    ])
    const csv = await read('zoned_events?select=id,at,ms&id=eq.1', undefined, {
      headers: { Accept: 'text/csv' },
    })
    expect(await csv.text()).toBe(`id,at,ms\n1,${shown.at},${shown.ms}`)
    const embedded = await read('zoned_events?select=zoned_events!parent(at),d:ms::date,t:ms::text&id=eq.1')
    expect(await embedded.json()).toMatchObject([{ d: '2023-10-18', t: shown.ms }])
    expect(await (await read('zoned_events?select=ms.max()')).json()).toEqual([{ max: shown.ms }])
    expect(
      await (
        await read('rpc/every?select=at&order=at.nullslast&limit=1', undefined, { method: 'POST' })
      ).json(),
    ).toEqual([{ at: shown.at }])
  })

  it('is written and found as that zone reads it, and what is shown is found', async () => {
    const written = await read('zoned_events', `timezone=${zone}, return=representation`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ id: 3, at: '2024-01-01', ms: '2024-07-01T12:00:00.5' }),
    })
    expect(await written.json()).toMatchObject([
      { at: '2024-01-01T00:00:00-08:00', ms: '2024-07-01T12:00:00.500-07:00' },
    ])
    expect(await DB.prepare('SELECT at FROM zoned_events WHERE id = 3').first('at')).toBe(
      Date.parse('2024-01-01T08:00:00Z') / 1000,
    )
    const ids = async (filter: string) =>
      ((await (await read(`zoned_events?select=id&${filter}`)).json()) as { id: number }[]).map(
        ({ id }) => id,
      )
    expect(await ids('at=eq.2024-01-01')).toEqual([3])
    expect(await ids('at=gte.2024-01-01T00:00:01')).toEqual([])
    expect(await ids('at=in.(2024-01-01,2023-10-18T05:37:59)')).toEqual([1, 3])
    expect(await ids(`ms=eq.${encodeURIComponent(shown.ms)}`)).toEqual([1])
    expect(await ids('or=(ms.lt.2023-10-18T05:38,id.eq.3)')).toEqual([1, 3])
  })

  it('is UTC without one, and what is none is refused, strictly or not', async () => {
    expect(await (await read('zoned_events?select=at&id=eq.1', '')).json()).toEqual([
      { at: '2023-10-18T12:37:59Z' },
    ])
    for (const handling of ['', 'handling=strict, ', 'handling=lenient, ']) {
      const refused = await read('zoned_events', `${handling}timezone=Nowhere/Land`)
      expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([400, '22023'])
    }
  })
})
