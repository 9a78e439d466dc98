/** Writes of views: the same as writes of their table, in the view's names, by the rules of both. */
import { env } from 'cloudflare:workers'
import { eq, gt, sql } from 'drizzle-orm'
import { integer, sqliteTable, sqliteView, text } from 'drizzle-orm/sqlite-core'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { defineTables, local, view } from '../../db/define.ts'
import { gatewayOver, tokenFor } from '../support/clinic.ts'

const owners = sqliteTable('view_owners', { id: integer('id').primaryKey(), name: text('name') })
const notes = sqliteTable('view_notes', {
  id: integer('id').primaryKey(),
  score: integer('score'),
  body: text('body').default('new'),
  kind: text('kind'),
  ownerId: integer('owner_id').references(() => owners.id),
  secret: text('secret').default('hidden'),
})
/** Other names, one of which is another's; an expression; a filter; columns that are left out. */
const shown = sqliteView('view_shown', {
  key: integer('key'),
  kind: text('kind'),
  body: integer('body'),
  owner: integer('owner'),
  twice: integer('twice'),
}).as(sql`SELECT n.id AS "key", n."body" kind, score AS body, n.owner_id AS owner, score * 2 AS twice
  FROM view_notes AS n -- all but
  WHERE n.kind <> 'gone' AND (score > 0 OR score IS NULL)`)
const built = sqliteView('view_built').as((query) =>
  query.select({ id: notes.id, score: notes.score, kind: notes.kind }).from(notes).where(gt(notes.score, 5)),
)
const counted = sqliteView('view_counted', { kind: text('kind'), n: integer('n') }).as(
  sql`SELECT kind, count(*) AS n FROM view_notes GROUP BY kind`,
)
/** Written by triggers of the app's: a score for each kind. */
const triggered = sqliteView('view_triggered', { kind: text('kind'), total: integer('total') }).as(
  sql`SELECT kind, sum(score) AS total FROM view_notes GROUP BY kind`,
)

const { DB } = env as unknown as { DB: D1Database }
const all = { select: true, insert: true, update: true, delete: true } as const
const tables = defineTables({
  owners: local(owners, { access: { anon: { select: true }, writer: { select: true } } }),
  notes: local(notes, {
    access: {
      anon: all,
      writer: {
        select: true,
        insert: ({ row }) => eq(row.ownerId, 1),
        update: ({ row }) => gt(row.score, 1),
        delete: ({ row, caller }) => eq(row.ownerId, Number(caller.claims.owner)),
      },
    },
  }),
  shown: view(shown, {
    sources: {
      key: ['view_notes', 'id'],
      kind: ['view_notes', 'body'],
      body: ['view_notes', 'score'],
      owner: ['view_notes', 'owner_id'],
    },
    access: {
      anon: all,
      // A view by other rules than its table's, over columns of the view.
      writer: {
        select: true,
        insert: ({ row }) => gt(row.body, 0),
        update: { where: ({ row }) => gt(row.twice, 4), check: ({ row }) => gt(row.twice, 0) },
        delete: ({ row }) => eq(row.kind, 'new'),
      },
      reader: { select: true },
    },
  }),
  built: view(built, { access: { anon: all } }),
  counted: view(counted, { access: { anon: all } }),
  triggered: view(triggered, { access: { anon: all }, insteadOf: ['insert', 'update'] }),
})
const ask = gatewayOver(tables)

beforeAll(async () => {
  const statements = [
    'CREATE TABLE view_owners (id INTEGER PRIMARY KEY, name TEXT)',
    `CREATE TABLE view_notes (id INTEGER PRIMARY KEY, score INTEGER, body TEXT DEFAULT 'new', kind TEXT, owner_id INTEGER REFERENCES view_owners (id), secret TEXT DEFAULT 'hidden')`,
    `CREATE VIEW view_shown AS SELECT n.id AS "key", n."body" kind, score AS body, n.owner_id AS owner, score * 2 AS twice FROM view_notes AS n WHERE n.kind <> 'gone' AND (score > 0 OR score IS NULL)`,
    'CREATE VIEW view_built AS SELECT id, score, kind FROM view_notes WHERE score > 5',
    'CREATE VIEW view_counted AS SELECT kind, count(*) AS n FROM view_notes GROUP BY kind',
    'CREATE VIEW view_triggered AS SELECT kind, sum(score) AS total FROM view_notes GROUP BY kind',
    'CREATE TRIGGER view_triggered_insert INSTEAD OF INSERT ON view_triggered BEGIN INSERT INTO view_notes (kind, score) VALUES (NEW.kind, NEW.total); END',
    'CREATE TRIGGER view_triggered_update INSTEAD OF UPDATE ON view_triggered BEGIN UPDATE view_notes SET score = score + NEW.total - OLD.total WHERE id = (SELECT max(id) FROM view_notes WHERE kind = OLD.kind); END',
    "INSERT INTO view_owners VALUES (1, 'ann'), (2, 'bob')",
  ]
  await DB.batch(statements.map((statement) => DB.prepare(statement)))
})
afterEach(() => DB.prepare('DELETE FROM view_notes').run())
afterAll(async () => {
  const drops = [
    'VIEW view_counted',
    'VIEW view_built',
    'VIEW view_shown',
    'TABLE view_notes',
    'TABLE view_owners',
  ]
  await DB.batch(drops.map((what) => DB.prepare(`DROP ${what}`)))
})

interface Note {
  readonly id: number
  readonly score: number | null
  readonly body: string | null
  readonly kind: string | null
  readonly owner_id: number | null
}

async function fill(rows: readonly Note[]): Promise<void> {
  await DB.batch([
    DB.prepare('DELETE FROM view_notes'),
    ...rows.map(({ id, score, body, kind, owner_id }) =>
      DB.prepare('INSERT INTO view_notes (id, score, body, kind, owner_id) VALUES (?, ?, ?, ?, ?)').bind(
        id,
        score,
        body,
        kind,
        owner_id,
      ),
    ),
  ])
}

async function stored(): Promise<Note[]> {
  const { results } = await DB.prepare(
    'SELECT id, score, body, kind, owner_id FROM view_notes ORDER BY id',
  ).all<Note>()
  return results
}

const write = (
  method: string,
  path: string,
  body: unknown,
  token: string | null = null,
  prefer = 'return=representation',
) =>
  ask(
    `/rest/v1/${path}`,
    {
      method,
      headers: { 'Content-Type': 'application/json', Prefer: prefer },
      ...(body === null ? {} : { body: JSON.stringify(body) }),
    },
    token,
  )

/** As the view shows a row; null when it does not. */
function asShown({ id, score, body, kind, owner_id }: Note) {
  const isShown = kind !== null && kind !== 'gone' && (score === null || score > 0)
  return isShown
    ? { key: id, kind: body, body: score, owner: owner_id, twice: score === null ? null : score * 2 }
    : null
}

const note = (id: number): fc.Arbitrary<Note> =>
  fc.record({
    id: fc.constant(id),
    score: fc.constantFrom(null, -1, 0, 1, 2, 3, 9),
    body: fc.constantFrom(null, 'new', 'old'),
    kind: fc.constantFrom<string | null>('a', 'gone', null),
    owner_id: fc.constantFrom(null, 1, 2),
  })
const table = fc.tuple(note(1), note(2), note(3), note(4), note(5))

type Shown = NonNullable<ReturnType<typeof asShown>>
/** A filter of the view's, in both ways of saying it. */
const filters: readonly (readonly [string, (row: Shown) => boolean])[] = [
  ['key=gte.2', ({ key }) => key >= 2],
  ['body=gt.1', ({ body }) => body !== null && body > 1],
  ['twice=in.(2,4,18)', ({ twice }) => twice !== null && [2, 4, 18].includes(twice)],
  ['or=(kind.eq.old,twice.is.null)', ({ kind, twice }) => kind === 'old' || twice === null],
  ['owner=neq.2', ({ owner }) => owner !== null && owner !== 2],
  ['kind=not.eq.new', ({ kind }) => kind !== null && kind !== 'new'],
]
const filter = fc.constantFrom(...filters)

/** Each role's rules: those of the table and those of the view. */
const roles = {
  anon: { mayUpdate: () => true, mayDelete: () => true, keeps: () => true },
  writer: {
    mayUpdate: ({ score }: Note) => score !== null && score > 1 && score * 2 > 4,
    mayDelete: ({ owner_id, body }: Note) => owner_id === 2 && body === 'new',
    // The table's update says one thing before and after, the view's another.
    keeps: ({ score }: Note) => score !== null && score > 1 && score * 2 > 0,
  },
} as const
const role = fc.constantFrom(...(Object.keys(roles) as (keyof typeof roles)[]))
const tokenOf = async (name: keyof typeof roles) =>
  name === 'anon' ? null : tokenFor({ role: name, owner: 2 })

const runs = {
  numRuns: Number(process.env.ATOLL_VIEW_RUNS ?? 40),
  seed: Number(process.env.ATOLL_SEED ?? Date.now() % 1e6),
}
console.info(`views: seed ${runs.seed}`)

describe('a view that can be written', () => {
  it('updates the rows that it shows and both let it, and shows them', async () => {
    const change = fc.record(
      { body: fc.constantFrom(1, 2, 7, -3), kind: fc.constantFrom('x', null) },
      { requiredKeys: ['kind'] },
    )
    await fc.assert(
      fc.asyncProperty(table, filter, change, role, async (rows, [query, holds], values, who) => {
        await fill(rows)
        const rules = roles[who]
        const chosen = rows.filter((row) => {
          const own = asShown(row)
          return own !== null && holds(own) && rules.mayUpdate(row)
        })
        const after = rows.map(
          (row): Note =>
            chosen.includes(row)
              ? { ...row, body: values.kind, ...(values.body === undefined ? {} : { score: values.body }) }
              : row,
        )
        const changed = after.filter((_, i) => chosen.includes(rows[i] as Note))
        const answer = await write('PATCH', `view_shown?${query}&order=key`, values, await tokenOf(who))
        if (changed.every((row) => rules.keeps(row))) {
          expect([answer.status, await answer.json()]).toEqual([
            200,
            changed.map((row) => ({
              key: row.id,
              kind: row.body,
              body: row.score,
              owner: row.owner_id,
              twice: row.score === null ? null : row.score * 2,
            })),
          ])
          expect(await stored()).toEqual(after)
        } else {
          expect(answer.status).toBe(403)
          expect(await stored()).toEqual(rows)
        }
      }),
      runs,
    )
  })

  it('deletes those', async () => {
    await fc.assert(
      fc.asyncProperty(table, filter, role, async (rows, [query, holds], who) => {
        await fill(rows)
        const gone = rows.filter((row) => {
          const own = asShown(row)
          return own !== null && holds(own) && roles[who].mayDelete(row)
        })
        const answer = await write(
          'DELETE',
          `view_shown?${query}&order=key&select=key,t:twice`,
          null,
          await tokenOf(who),
        )
        expect([answer.status, await answer.json()]).toEqual([
          200,
          gone.map(({ id, score }) => ({ key: id, t: score === null ? null : score * 2 })),
        ])
        expect(await stored()).toEqual(rows.filter((row) => !gone.includes(row)))
      }),
      runs,
    )
  })
})

describe('a new row of a view', () => {
  it('has its generated key and the table’s defaults, and is embedded from', async () => {
    const answer = await write('POST', 'view_shown?select=*,view_owners(name)', [{ body: 4, owner: 1 }])
    expect([answer.status, await answer.json()]).toEqual([
      201,
      [{ key: 1, kind: 'new', body: 4, owner: 1, twice: 8, view_owners: { name: 'ann' } }],
    ])
    const located = await write('POST', 'view_shown', { body: 5 }, null, 'return=headers-only')
    expect(located.headers.get('location')).toBe('/rest/v1/view_shown?key=eq.2')
    const { results } = await DB.prepare('SELECT secret FROM view_notes').all()
    expect(results).toEqual([{ secret: 'hidden' }, { secret: 'hidden' }])
  })

  it('must pass the rules of both', async () => {
    const writer = await tokenFor({ role: 'writer' })
    expect((await write('POST', 'view_shown', { body: 4, owner: 1 }, writer)).status).toBe(201)
    expect((await write('POST', 'view_shown', { body: 4, owner: 2 }, writer)).status).toBe(403)
    expect((await write('POST', 'view_shown', { body: -4, owner: 1 }, writer)).status).toBe(403)
    const reader = await tokenFor({ role: 'reader' })
    expect((await write('POST', 'view_shown', { body: 4 }, reader)).status).toBe(403)
    expect(await stored()).toHaveLength(1)
  })

  it('takes the place of one by its key, or by PUT', async () => {
    await fill([{ id: 1, score: 9, body: 'old', kind: 'a', owner_id: null }])
    const prefer = 'return=representation, resolution=merge-duplicates'
    const merged = await write(
      'POST',
      'view_shown?on_conflict=key',
      [
        { key: 1, kind: 'b' },
        { key: 7, kind: 'c' },
      ],
      null,
      prefer,
    )
    expect(merged.status).toBe(201)
    expect((await stored()).map(({ id, body, score }) => [id, body, score])).toEqual([
      [1, 'b', 9],
      [7, 'c', null],
    ])
    const put = await write('PUT', 'view_built?id=eq.1', { id: 1, score: 6, kind: 'z' })
    expect([put.status, await put.json()]).toEqual([200, [{ id: 1, score: 6, kind: 'z' }]])
    // What the view does not show, it does not take the place of.
    await fill([{ id: 1, score: 9, body: 'old', kind: 'gone', owner_id: null }])
    expect((await write('POST', 'view_shown', [{ key: 1, kind: 'b' }], null, prefer)).status).toBe(401)
    expect((await stored())[0]?.body).toBe('old')
  })
})

describe('a view with triggers', () => {
  it('is written by them, and by nothing else', async () => {
    const one = await write('POST', 'view_triggered', [
      { kind: 'a', total: 3 },
      { kind: 'a', total: 4 },
    ])
    expect([one.status, await one.json()]).toEqual([
      201,
      [
        { kind: 'a', total: 3 },
        { kind: 'a', total: 4 },
      ],
    ])
    const two = await write('PATCH', 'view_triggered?total=gt.6', { total: 10 })
    expect([two.status, await two.json()]).toEqual([200, [{ kind: 'a', total: 10 }]])
    expect((await stored()).map(({ score }) => score)).toEqual([3, 7])
    expect(
      (await write('PATCH', 'view_triggered?total=gt.6', { total: 1 }, null, 'return=minimal')).status,
    ).toBe(204)
    expect((await stored()).map(({ score }) => score)).toEqual([3, -2])
    expect((await write('DELETE', 'view_triggered?kind=eq.a', null)).status).toBe(405)
    const merge = 'resolution=merge-duplicates'
    expect((await write('POST', 'view_triggered', { kind: 'a', total: 3 }, null, merge)).status).toBe(405)
    const allowed = await ask('/rest/v1/view_triggered', { method: 'OPTIONS' })
    expect(allowed.headers.get('allow')).toBe('OPTIONS,GET,HEAD,POST,PATCH')
  })
})

describe('what is not the view’s', () => {
  it.each([
    ['PATCH', 'view_shown?key=eq.1', { twice: 4 }, 400, '0A000'],
    ['POST', 'view_shown', { twice: 4 }, 400, '0A000'],
    ['POST', 'view_shown', { secret: 'x' }, 400, 'PGRST204'],
    ['POST', 'view_shown', { score: 1 }, 400, 'PGRST204'],
    ['PATCH', 'view_shown?secret=eq.hidden', { body: 1 }, 400, '42703'],
    ['PATCH', 'view_shown?score=eq.1', { body: 1 }, 400, '42703'],
    ['PATCH', 'view_shown?key=eq.1&select=secret', { body: 1 }, 400, '42703'],
    ['DELETE', 'view_shown?key=eq.1&order=score&select=key', null, 400, '42703'],
    ['PATCH', 'view_shown', { body: 1 }, 400, '21000'],
    ['POST', 'view_counted', { kind: 'x' }, 405, '55000'],
    ['DELETE', 'view_counted?kind=eq.x', null, 405, '55000'],
  ] as const)('is not found: %s %s %j', async (method, path, body, status, code) => {
    await fill([{ id: 1, score: 9, body: 'old', kind: 'a', owner_id: null }])
    const answer = await write(method, path, body)
    expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([status, code])
    expect(await stored()).toHaveLength(1)
  })

  it('is told by OPTIONS', async () => {
    const allowed = async (name: string) =>
      (await ask(`/rest/v1/${name}`, { method: 'OPTIONS' })).headers.get('allow')
    expect(await allowed('view_shown')).toBe('OPTIONS,GET,HEAD,POST,PUT,PATCH,DELETE')
    expect(await allowed('view_counted')).toBe('OPTIONS,GET,HEAD')
  })
})
