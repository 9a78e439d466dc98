import { env } from 'cloudflare:workers'
import { eq } from 'drizzle-orm'
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import type { Table } from '../../db/catalog/catalog.ts'
import { defineTables, local } from '../../db/define.ts'
import { Rights } from '../../functions/access/rights.ts'
import { defineFunction, nothing } from '../../functions/define.ts'
import { cacheKey } from '../../functions/rest/execute/execute-cached.ts'
import { gatewayOver, tokenFor } from '../support/clinic.ts'
import { migrateInWorker } from '../support/migrate-in-worker.ts'

const teams = sqliteTable('teams', { id: integer('id').primaryKey(), owner: text('owner').notNull() })
const papers = sqliteTable('papers', {
  id: integer('id').primaryKey(),
  teamId: integer('team_id').references(() => teams.id, { onDelete: 'cascade' }),
  title: text('title').notNull(),
  secret: text('secret'),
})

/** A team's papers are its owner's; staff see all, but for what is secret. */
const tables = (staffSees = true) =>
  defineTables({
    teams: local(teams),
    papers: local(papers, {
      access: {
        authenticated: {
          select: ({ caller, row, query }) =>
            eq(
              row.teamId,
              query.select({ id: teams.id }).from(teams).where(eq(teams.owner, caller.sub)).limit(1) as never,
            ),
        },
        staff: { select: { where: () => staffSees, columns: ['id', 'title'] } },
      },
    }),
  })

const functions = {
  rename: defineFunction({
    input: z.object({ title: z.string() }),
    returns: nothing,
    roles: ['staff'],
    run: async ({ input, database }) => {
      await database.update(papers).set({ title: input.title }).where(eq(papers.id, 1))
    },
  }),
}

const { DB } = env as unknown as { DB: D1Database }
// A database of this test's own would not have the sample app's tables, which the guards of other tests need.
const ask = gatewayOver(tables(), { cache: true }, functions)
const tokens: Record<string, string> = {}
const as = async (who: string, path: string, init: RequestInit = {}) =>
  ask(`/rest/v1/${path}`, init, tokens[who] ?? null)
const secret = { headers: { apikey: 'sb_secret_test', 'Content-Type': 'application/json' } }
const send = (method: string, path: string, body: unknown) =>
  ask(`/rest/v1/${path}`, { ...secret, method, body: JSON.stringify(body) })
const isHit = (response: Response) => response.headers.get('cache-status')?.includes('hit') ?? false

beforeAll(async () => {
  for (const [who, claims] of Object.entries({
    ann: { role: 'authenticated', sub: 'ann' },
    ann2: { role: 'authenticated', sub: 'ann', session_id: 'another' },
    bob: { role: 'authenticated', sub: 'bob' },
    staff: { role: 'staff', sub: 'ann' },
  })) {
    tokens[who] = await tokenFor(claims)
  }
  await DB.batch(
    [
      'DROP TABLE IF EXISTS papers',
      'DROP TABLE IF EXISTS teams',
      'CREATE TABLE teams (id INTEGER PRIMARY KEY, owner TEXT NOT NULL)',
      'CREATE TABLE papers (id INTEGER PRIMARY KEY, team_id INTEGER REFERENCES teams (id) ON DELETE CASCADE, title TEXT NOT NULL, secret TEXT)',
    ].map((statement) => DB.prepare(statement)),
  )
  await migrateInWorker(new Map([['DB', DB]]), buildCatalog(tables()), [])
})

beforeEach(async () => {
  for (const [path, row] of [
    ['teams', { id: 1, owner: 'ann' }],
    ['teams', { id: 2, owner: 'bob' }],
    ['papers', { id: 1, team_id: 1, title: "Ann's", secret: 'a' }],
    ['papers', { id: 2, team_id: 2, title: "Bob's", secret: 'b' }],
  ] as const) {
    const response = await ask(`/rest/v1/${path}`, {
      method: 'POST',
      headers: { ...secret.headers, Prefer: 'resolution=merge-duplicates' },
      body: JSON.stringify(row),
    })
    expect(response.status).toBeLessThan(300)
  }
})

describe('what is cached for one caller', () => {
  it('reaches nobody who may see other rows or columns', async () => {
    const path = 'papers?order=id'
    for (let round = 0; round < 2; round++) {
      expect(await (await as('ann', path)).json()).toEqual([
        { id: 1, team_id: 1, title: "Ann's", secret: 'a' },
      ])
      expect(await (await as('bob', path)).json()).toEqual([
        { id: 2, team_id: 2, title: "Bob's", secret: 'b' },
      ])
      expect(await (await as('staff', path)).json()).toEqual([
        { id: 1, title: "Ann's" },
        { id: 2, title: "Bob's" },
      ])
      expect((await ask(`/rest/v1/${path}`)).status).toBe(401)
    }
    expect(isHit(await as('ann', path))).toBe(true)
    // The policy reads the subject alone: another token of the same person is the same to it.
    expect(isHit(await as('ann2', path))).toBe(true)
  })

  it('changes with a row that only the policy reads', async () => {
    expect(await (await as('bob', 'papers?select=id')).json()).toEqual([{ id: 2 }])
    expect((await send('PATCH', 'teams?id=eq.2', { owner: 'ann' })).status).toBe(204)
    expect((await send('PATCH', 'teams?id=eq.1', { owner: 'bob' })).status).toBe(204)
    expect(await (await as('bob', 'papers?select=id')).json()).toEqual([{ id: 1 }])
  })

  it('is kept under a key that says what the policies have decided, and from what', async () => {
    const keyOf = (role: string, sub: string, staffSees = true, space = 'space') => {
      const catalog = buildCatalog(tables(staffSees))
      const rights = new Rights(catalog, { role, sub, signedIn: true, claims: { role, sub }, key: 'token' })
      rights.rows(catalog.tables.get('papers') as Table, 'select')
      return cacheKey(space, 'GET papers', ['1'], rights)
    }
    const own = keyOf('authenticated', 'ann')
    expect(keyOf('authenticated', 'ann')).toBe(own)
    // Staff see the same whoever they are.
    expect(keyOf('staff', 'ann')).toBe(keyOf('staff', 'bob'))
    const all = [
      own,
      keyOf('authenticated', 'bob'),
      keyOf('staff', 'ann'),
      keyOf('staff', 'ann', false),
      keyOf('authenticated', 'ann', true, 'another schema'),
    ]
    expect(new Set(all).size).toBe(all.length)
  })

  it('goes with what a cascade takes, and with what the app writes by itself', async () => {
    const titles = async () =>
      (await (await as('staff', 'papers?select=title&order=id')).json()) as { title: string }[]
    expect(await titles()).toHaveLength(2)
    expect(
      (
        await as('staff', 'rpc/rename', {
          method: 'POST',
          headers: { 'Content-Type': 'application/json' },
          body: '{"title":"New"}',
        })
      ).status,
    ).toBe(204)
    expect((await titles())[0]?.title).toBe('New')
    await ask('/rest/v1/teams?id=eq.1', { ...secret, method: 'DELETE' })
    expect(await titles()).toEqual([{ title: "Bob's" }])
  })

  it('is all of many rows that one write changes', async () => {
    const rows = Array.from({ length: 300 }, (_, i) => ({ id: 1000 + i, team_id: 2, title: `Paper ${i}` }))
    expect((await send('POST', 'papers', rows)).status).toBe(201)
    const one = async (id: number) =>
      ((await (await as('staff', `papers?select=title&id=eq.${id}`)).json()) as { title: string }[])[0]?.title
    for (const id of [1000, 1150, 1299]) expect(await one(id)).toMatch('Paper')
    expect((await send('PATCH', 'papers?id=gte.1000', { title: 'All' })).status).toBe(204)
    for (const id of [1000, 1150, 1299]) expect(await one(id)).toBe('All')
    await ask('/rest/v1/papers?id=gte.1000', { ...secret, method: 'DELETE' })
    expect(await one(1150)).toBeUndefined()
  })

  it('is a row by its key, however that is written', async () => {
    const title = async (key: string) =>
      ((await (await as('staff', `papers?select=title&id=eq.${key}`)).json()) as { title: string }[])[0]
        ?.title
    for (const key of ['1', '01', '+1', ' 1']) {
      await send('PATCH', 'papers?id=eq.1', { title: 'before' })
      expect([key, await title(key)]).toEqual([key, 'before'])
      await send('PATCH', 'papers?id=eq.1', { title: 'after' })
      expect([key, await title(key)]).toEqual([key, 'after'])
    }
  })
})
