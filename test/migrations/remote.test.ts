import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { remoteDatabase } from '../../db/doors/remote-database.ts'
import { RemoteError, UnknownOutcomeError } from '../../db/doors/remote-error.ts'
import type { Fault } from '../support/cloudflare/faults.ts'
import { type Cloudflare, startCloudflare } from '../support/cloudflare/server.ts'
import { freePort } from '../support/free-port.ts'

let cloudflare: Cloudflare
beforeAll(async () => {
  cloudflare = await startCloudflare({ databases: ['atoll'] })
})
afterAll(() => cloudflare.stop())

beforeEach(async () => {
  const local = cloudflare.database('atoll')
  const { results } = await local
    .prepare(
      "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT GLOB '_cf*' ORDER BY rowid DESC",
    )
    .all<{ name: string }>()
  await local.batch(results.map(({ name }) => local.prepare(`DROP TABLE "${name}"`)))
  await local.prepare('CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT UNIQUE)').run()
  cloudflare.requests.length = 0
})

function open(times: { readTimeoutMs?: number; writeTimeoutMs?: number } = {}) {
  const { CLOUDFLARE_API_TOKEN: token, CLOUDFLARE_ACCOUNT_ID: accountId } = cloudflare.env
  const api = {
    baseUrl: cloudflare.url,
    headers: { Authorization: `Bearer ${token}` },
    credentials: 'a token',
  }
  return remoteDatabase({ api, accountId, id: cloudflare.idOf('atoll'), name: 'atoll', ...times })
}

/** What is in the database, asked past the API. */
async function stored(): Promise<unknown[]> {
  return (await cloudflare.database('atoll').prepare('SELECT text FROM notes ORDER BY id').all()).results
}

const errorOf = (promise: Promise<unknown>): Promise<Error> =>
  promise.then(
    () => new Error('nothing went wrong'),
    (error: Error) => error,
  )
const insert = (text: string) => open().prepare('INSERT INTO notes (text) VALUES (?)').bind(text)

describe('a statement over the REST API', () => {
  it('brings values of all kinds and gets its rows', async () => {
    const text = `it's "quoted" \`so\`; -- ? \u{1f40c} \u00e9\n\t?1`
    const sql =
      'SELECT ?1 AS text, typeof(?2) AS whole, typeof(?3) AS real, ? AS none, ?1 AS again, 5-?2 AS minus'
    const { results } = await open().prepare(sql).bind(text, -3, 1.5, null).all()
    expect(results).toEqual([{ text, whole: 'integer', real: 'real', none: null, again: text, minus: 8 }])
  })

  it('knows a parameter from a question mark in a text, a name and a comment', async () => {
    const sql = `SELECT '?' AS a, "?" AS b, -- ?; it's
      /* ?1; */ ? AS c, 9007199254740991 AS d FROM (SELECT 1 AS "?")`
    const { results } = await open().prepare(sql).bind('x').all()
    expect(results).toEqual([{ a: '?', b: 1, c: 'x', d: 9007199254740991 }])
    await expect(open().prepare('SELECT ?').all()).rejects.toThrow('no value for parameter 1')
    await expect(open().prepare('SELECT ?').bind(1, 2).all()).rejects.toThrow('2 values for 1 parameters')
  })

  it('takes a megabyte of text', async () => {
    const text = "é'".repeat(400_000)
    await insert(text).all()
    const { results } = await open().prepare('SELECT text, octet_length(text) AS bytes FROM notes').all()
    expect(results).toEqual([{ text, bytes: 1_200_000 }])
  })

  it('tells the size of the database', async () => {
    expect(await open().prepare('SELECT 1').all()).toMatchObject({ meta: { size_after: expect.any(Number) } })
  })

  it("fails with SQLite's own words", async () => {
    await insert('a').all()
    const error = await errorOf(insert('a').all())
    expect(error).not.toBeInstanceOf(RemoteError)
    expect(error.message).toMatch(/^UNIQUE constraint failed: notes\.text: SQLITE_CONSTRAINT/)
    await expect(open().prepare('SELECT body FROM notes').all()).rejects.toThrow('no such column: body')
  })
})

describe('a batch over the REST API', () => {
  it('is one request and one transaction', async () => {
    const database = open()
    await expect(database.batch([])).resolves.toEqual([])
    await database.batch([
      insert('a'),
      insert('b'),
      database.prepare('DELETE FROM notes WHERE text = ?').bind('a'),
    ])
    expect(cloudflare.requests).toHaveLength(1)
    expect(await stored()).toEqual([{ text: 'b' }])
    await expect(database.batch([insert('c'), insert('b')])).rejects.toThrow('UNIQUE constraint failed')
    expect(await stored()).toEqual([{ text: 'b' }])
  })

  it('defers foreign keys to its end', async () => {
    const database = open()
    const defer = database.prepare('PRAGMA defer_foreign_keys = ON')
    const link = (id: number) => database.prepare('INSERT INTO links VALUES (?)').bind(id)
    await database.prepare('CREATE TABLE links (note INTEGER REFERENCES notes)').all()
    await database.batch([defer, link(1), insert('first')])
    // What workerd says when they do not hold then.
    await expect(database.batch([defer, link(2)])).rejects.toThrow(/internal error; .*foreign keys/s)
    expect((await database.prepare('SELECT note FROM links').all()).results).toEqual([{ note: 1 }])
  })

  it('makes triggers as they are written, though D1 cuts some', async () => {
    const database = open()
    const triggers = [
      `CREATE TRIGGER one AFTER INSERT ON notes BEGIN UPDATE notes SET text = 'a' WHERE id = NEW.id; END`,
      `create trigger two after insert on notes\nbegin\n  update notes set text = text || '?;'; end`,
      `CREATE TRIGGER three AFTER INSERT ON notes BEGIN UPDATE notes SET text = CASE WHEN 1 THEN text || 'c' END; END`,
    ]
    const noted = database.prepare('INSERT INTO notes VALUES (?, ?)').bind(7, "it's; -- ?")
    await database.batch([noted, ...triggers.map((sql) => database.prepare(sql))])
    expect(cloudflare.requests.map(({ path }) => path.split('/').at(-1))).toContain('import')
    expect(await stored()).toEqual([{ text: "it's; -- ?" }])
    const { results } = await database
      .prepare("SELECT sql FROM sqlite_schema WHERE type = 'trigger'")
      .all<{ sql: string }>()
    expect(results.map(({ sql }) => sql)).toEqual(
      triggers.map((sql) => sql.replace('create trigger', 'CREATE TRIGGER')),
    )

    const wrong = [
      database.prepare('DELETE FROM notes'),
      database.prepare('CREATE TRIGGER x AFTER INSERT ON notes begin SELECT 1; end'),
      insert('b'),
      insert('b'),
    ]
    await expect(database.batch([...wrong, database.prepare('INSERT INTO none VALUES (1)')])).rejects.toThrow(
      'no such table: none',
    )
    expect(await stored()).toEqual([{ text: "it's; -- ?" }])
  })
})

describe('what goes wrong on the way to Cloudflare', () => {
  const fail = (how: Fault['how'], more: Partial<Fault> = {}) =>
    cloudflare.fail({ match: /\/query/, how, ...more })
  const read = (times = {}) => open(times).prepare('WITH n AS (SELECT 1 AS one) SELECT one FROM n').all()

  it('is tried again for what only reads', async () => {
    for (const fault of [
      { how: 'drop-before' },
      { how: 'drop-after' },
      { how: 'status', status: 429, retryAfterSeconds: 0 },
      { how: 'status', status: 503 },
      { how: 'html' },
    ] as const) {
      fail(fault.how, fault)
      expect((await read()).results).toEqual([{ one: 1 }])
    }
    fail('slow')
    expect((await read({ readTimeoutMs: 300 })).results).toEqual([{ one: 1 }])
    fail('status', { times: 2, status: 500 })
    expect(
      await open().batch([open().prepare('SELECT 1'), open().prepare('PRAGMA table_info(notes)')]),
    ).toHaveLength(2)
  })

  it('leaves open whether a write was carried out, and does not repeat it', async () => {
    for (const [how, isDone] of [
      ['drop-before', false],
      ['drop-after', true],
      ['html', false],
      ['status', false],
    ] as const) {
      cloudflare.requests.length = 0
      fail(how)
      const error = await errorOf(open().batch([insert(how), insert(`${how} too`)]))
      expect(error).toBeInstanceOf(UnknownOutcomeError)
      expect(error.message).toContain(
        'Whether a batch of 2 statements on atoll was carried out is not known.',
      )
      expect(cloudflare.requests).toHaveLength(1)
      expect(await stored()).toHaveLength(isDone ? 2 : 0)
      await cloudflare.database('atoll').prepare('DELETE FROM notes').run()
    }
    fail('slow')
    const late = await errorOf(open({ writeTimeoutMs: 300 }).batch([insert('late')]))
    expect(late).toBeInstanceOf(UnknownOutcomeError)
    expect(late.message).toContain('did not answer to a statement on atoll within 0.3 seconds')
  })

  it('is a refusal with what can be done about it, and nothing was changed', async () => {
    const said = async (status: number, how: Fault['how'] = 'status') => {
      fail(how, { status })
      const error = await errorOf(insert('x').all())
      expect(error).toBeInstanceOf(RemoteError)
      expect(error).not.toBeInstanceOf(UnknownOutcomeError)
      return error.message
    }
    expect(await said(401)).toMatch(/asked with a token\..*D1: Edit.*npx wrangler login/)
    expect(await said(403, 'html')).toMatch(
      /answered a statement on atoll with 403 and no JSON: <!DOCTYPE html>/,
    )
    expect(await said(404)).toContain('npx wrangler d1 list')
    expect(await said(429)).toContain('Wait five minutes')
    expect(await stored()).toEqual([])

    const host = `127.0.0.1:${await freePort()}`
    const api = { baseUrl: `http://${host}`, headers: {}, credentials: 'a token' }
    const gone = remoteDatabase({ api, accountId: 'a', id: 'b', name: 'c' })
    const error = await errorOf(gone.prepare('DELETE FROM notes').all())
    expect(error).not.toBeInstanceOf(UnknownOutcomeError)
    expect(error.message).toContain(`${host} cannot be reached`)
  })

  it('is the same in the middle of an import', async () => {
    const database = open()
    const make = (name: string) =>
      database.prepare(`CREATE TRIGGER ${name} AFTER INSERT ON notes begin SELECT 1; end`).all()
    const drop = (match: RegExp) => cloudflare.fail({ match, how: 'drop-after' })
    drop(/"init"/)
    drop(/^PUT \/uploads/)
    drop(/"poll"/)
    await make('a')
    drop(/"ingest"/)
    expect(await errorOf(make('b'))).toBeInstanceOf(UnknownOutcomeError)
    const { results } = await database.prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'").all()
    expect(results).toEqual([{ name: 'a' }, { name: 'b' }])
  })
})
