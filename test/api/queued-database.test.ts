/** What a database in a transaction holds fast to until its commit, and what it cannot. */
import { sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/d1'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { AtollError } from '../../db/errors/atoll-error.ts'
import type { Services } from '../../functions/areas.ts'
import type { AppDatabases } from '../../functions/own-code/app-databases.ts'
import { queuedBinding } from '../../functions/own-code/transaction/queued-binding.ts'
import { QueuedDatabase } from '../../functions/own-code/transaction/queued-database.ts'
import { openTransaction } from '../../functions/own-code/transaction/transaction.ts'
import { databases } from '../support/one-and-many.ts'
import { database as binding } from '../support/worker-client.ts'

const batch = (...statements: readonly string[]) =>
  binding.batch<Record<string, unknown>>(statements.map((statement) => binding.prepare(statement)))

const refuse = (error: AtollError): never => {
  throw error
}

function open() {
  const queued = new QueuedDatabase('DB', binding, refuse)
  const wrapped = queuedBinding(binding, queued, () => refuse as never)
  return { queued, wrapped, database: drizzle(wrapped) }
}

beforeAll(async () => {
  await batch(
    `CREATE TABLE kept_notes (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES kept_notes (id) ON DELETE CASCADE, text TEXT,
     n INTEGER NOT NULL DEFAULT 0, at REAL NOT NULL DEFAULT (unixepoch('subsec')))`,
    'CREATE TABLE kept_stamped (id INTEGER PRIMARY KEY, text TEXT, changed REAL)',
    `CREATE VIEW kept_view AS SELECT id, text FROM kept_notes`,
    `CREATE TRIGGER kept_view_insert INSTEAD OF INSERT ON kept_view BEGIN INSERT INTO kept_notes (id, text) VALUES (NEW.id, NEW.text); END`,
  )
})
beforeEach(async () => {
  await batch(
    'DROP TRIGGER IF EXISTS kept_stamp',
    'DELETE FROM kept_notes',
    'DELETE FROM kept_stamped',
    "INSERT INTO kept_notes (id, text, n, at) VALUES (1, 'one', 1, 0)",
    "INSERT INTO kept_stamped VALUES (1, 'one', 0), (2, 'two', 0)",
  )
})

const stamping = `CREATE TRIGGER kept_stamp AFTER UPDATE OF text ON kept_stamped BEGIN
  UPDATE kept_stamped SET changed = unixepoch('subsec') WHERE id = NEW.id; END`

describe('what was told of a transaction', () => {
  it('may have another time at the commit', async () => {
    const { queued, wrapped } = open()
    const add = wrapped.prepare("INSERT INTO kept_notes (text) VALUES ('new') RETURNING *")
    expect((await add.all()).results).toMatchObject([{ id: 2, text: 'new' }])
    await wrapped.prepare("UPDATE kept_notes SET at = unixepoch('subsec') WHERE id = 1 RETURNING at").all()
    expect(await wrapped.prepare('SELECT * FROM kept_notes').raw()).toHaveLength(2)
    await queued.commit()
    const [left] = await batch('SELECT id FROM kept_notes WHERE at > 0')
    expect(left?.results).toEqual([{ id: 1 }, { id: 2 }])
  })

  it.each([
    ['what it answered', 'UPDATE kept_notes SET n = n + 1 RETURNING n', 'UPDATE kept_notes SET n = n + 1'],
    ['how many rows it changed', 'UPDATE kept_notes SET n = 5', 'INSERT INTO kept_notes (id) VALUES (9)'],
    [
      'the id of a new row',
      "INSERT INTO kept_notes (text) VALUES ('x')",
      'INSERT INTO kept_notes (id) VALUES (2)',
    ],
    [
      'a row that a clock is in',
      'INSERT INTO kept_notes (id, n) VALUES (3, (SELECT sum(n) FROM kept_notes)) RETURNING n, at',
      'UPDATE kept_notes SET n = 8',
    ],
    ['that it can be', 'INSERT INTO kept_notes (id) VALUES (2)', 'INSERT INTO kept_notes (id) VALUES (2)'],
  ])('is %s, or nothing is committed', async (_, statement, theirs) => {
    const { queued, wrapped } = open()
    await wrapped.prepare(statement).all()
    await batch(theirs)
    const [before] = await batch('SELECT * FROM kept_notes')
    await expect(queued.check()).rejects.toMatchObject({ status: 409, body: { code: 'SHARD016' } })
    await expect(queued.commit()).rejects.toMatchObject({ status: 409, body: { code: 'SHARD016' } })
    const [after] = await batch('SELECT * FROM kept_notes')
    expect(after?.results).toEqual(before?.results)
  })

  it('is what was read after a write', async () => {
    const { queued, database } = open()
    await database.run(sql`UPDATE kept_notes SET text = 'changed' WHERE id = 1`)
    expect(await database.all(sql`SELECT n FROM kept_notes`)).toEqual([{ n: 1 }])
    await batch('UPDATE kept_notes SET n = 2')
    await expect(queued.commit()).rejects.toMatchObject({ body: { code: 'SHARD016' } })
  })

  it('is no longer possible when what waits is not', async () => {
    const { wrapped } = open()
    await wrapped.prepare('INSERT INTO kept_notes (id) VALUES (2)').run()
    await batch('INSERT INTO kept_notes (id) VALUES (2)')
    const next = wrapped.prepare('SELECT * FROM kept_notes').all()
    await expect(next).rejects.toMatchObject({ body: { code: 'SHARD016' } })
  })
})

describe('rows that a statement does not write by itself', () => {
  it('are no part of what it answers, or it is refused', async () => {
    await batch(stamping)
    const { wrapped, queued } = open()
    const renamed = wrapped.prepare("UPDATE kept_stamped SET text = 'x' RETURNING id")
    await expect(renamed.all()).rejects.toMatchObject({ body: { code: 'SHARD018' } })
    // Without its list, nothing has to be told apart.
    const { meta } = await wrapped.prepare("UPDATE kept_stamped SET text = 'y'").run()
    expect(meta.changes).toBe(4)
    await queued.commit()
    const [left] = await batch("SELECT count(*) AS n FROM kept_stamped WHERE text = 'y' AND changed > 0")
    expect(left?.results).toEqual([{ n: 2 }])
  })

  it('are not taken for it when they go along by a foreign key', async () => {
    await batch('INSERT INTO kept_notes (id, parent) VALUES (2, 1), (3, 2)')
    const { wrapped } = open()
    const gone = wrapped.prepare('DELETE FROM kept_notes WHERE id = 1 RETURNING id')
    await expect(gone.all()).rejects.toMatchObject({ body: { code: 'SHARD018' } })
  })

  it('are refused where no trigger can tell them', async () => {
    const { wrapped } = open()
    const add = "INSERT INTO kept_view (id, text) VALUES (7, 'seven')"
    await expect(wrapped.prepare(`${add} RETURNING id`).all()).rejects.toMatchObject({
      body: { code: 'SHARD018' },
    })
    await wrapped.prepare(add).run()
    expect(await wrapped.prepare('SELECT text FROM kept_notes WHERE id = 7').first('text')).toBe('seven')
  })
})

describe('a transaction over several databases', () => {
  const wrote: string[] = []
  let settled = 0
  const told = {
    wrote: (name: string) => void wrote.push(name),
    settle: async () => void settled++,
  } as unknown as AppDatabases

  it('says which have committed when one is lost', async () => {
    const shard = databases.SHARD_1
    await shard.prepare('CREATE TABLE kept_far (id INTEGER)').run()
    let isEnding = false
    let batches = 0
    const lost = {
      prepare: (text: string) => shard.prepare(text),
      batch: async (statements: D1PreparedStatement[]) => {
        // The first is the try before any commit.
        if (isEnding && ++batches === 2) throw new Error('D1_ERROR: Network connection lost.')
        return shard.batch(statements)
      },
    } as unknown as D1Database
    const bindings = new Map([
      ['DB', binding],
      ['SHARD_1', lost],
    ])
    const transaction = openTransaction(
      { bindings } as unknown as Services,
      { tables: new Map(), fingerprint: '' },
      1000,
    )
    const work = async () => {
      await transaction.binding('DB').prepare('INSERT INTO kept_notes (id) VALUES (5)').run()
      await transaction.binding('SHARD_1').prepare('INSERT INTO kept_far VALUES (5)').run()
      isEnding = true
    }
    await expect(transaction.around(work, true, told)).rejects.toMatchObject({
      status: 207,
      body: {
        code: 'SHARD023',
        details: [
          { database: 'DB', committed: true, error: null },
          { database: 'SHARD_1', committed: null, error: { code: 'SHARD025' } },
        ],
      },
    })
    expect(wrote).toEqual(['DB', 'SHARD_1'])
    expect(settled).toBe(1)
  })
})

describe('a binding of a transaction', () => {
  it('takes statements in the order in which they were begun', async () => {
    const { queued, wrapped } = open()
    const add = (id: number) => wrapped.prepare('INSERT INTO kept_notes (id) VALUES (?)').bind(id).run()
    const count = () => wrapped.prepare('SELECT count(*) AS n FROM kept_notes').first('n')
    const [, two, , three] = await Promise.all([add(2), count(), add(3), count()])
    expect([two, three]).toEqual([2, 3])
    // Nobody waits for this one.
    const late = add(4)
    await queued.commit()
    expect((await batch('SELECT count(*) AS n FROM kept_notes'))[0]?.results).toEqual([{ n: 4 }])
    await late
  })

  it('answers in the forms that D1 has', async () => {
    const { wrapped } = open()
    await wrapped.prepare("UPDATE kept_notes SET text = 'x'").run()
    const select = wrapped.prepare('SELECT id, id AS id, text AS "a b" FROM kept_notes WHERE id = ?').bind(1)
    expect(await select.raw({ columnNames: true })).toEqual([
      ['id', 'id', 'a b'],
      [1, 1, 'x'],
    ])
    expect((await select.all()).results).toEqual([{ id: 1, 'a b': 'x' }])
    expect(await select.first()).toEqual({ id: 1, 'a b': 'x' })
    expect(await select.bind(9).first()).toBeNull()
    await expect(select.first('none')).rejects.toThrow('D1_COLUMN_NOTFOUND')
    expect(() => wrapped.prepare('SELECT ?').bind(undefined)).toThrow('D1_TYPE_ERROR')
  })
})
