/**
 * A database in a transaction answers as the database itself: the same random statements, directly and through the transaction, give
 * the same results, the same errors and, once it is committed, the same rows.
 */
import { asc, eq, gt, lt, sql } from 'drizzle-orm'
import { type DrizzleD1Database, drizzle } from 'drizzle-orm/d1'
import { blob, integer, real, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import fc from 'fast-check'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { AtollError } from '../../db/errors/atoll-error.ts'
import { queuedBinding } from '../../functions/own-code/transaction/queued-binding.ts'
import { QueuedDatabase } from '../../functions/own-code/transaction/queued-database.ts'
import { database as binding } from '../support/worker-client.ts'

const shelves = sqliteTable('tried_shelves', {
  id: integer('id').primaryKey({ autoIncrement: true }),
  label: text('label').unique(),
  width: real('width'),
  tags: text('tags', { mode: 'json' }),
  bytes: blob('bytes', { mode: 'buffer' }),
  isFull: integer('is_full', { mode: 'boolean' }),
  area: real('area'),
})
const books = sqliteTable('tried_books', {
  code: text('code').primaryKey(),
  shelfId: integer('shelf_id').references(() => shelves.id, { onDelete: 'cascade' }),
  copies: integer('copies').notNull().default(1),
})

const made = [
  `CREATE TABLE tried_shelves (id INTEGER PRIMARY KEY AUTOINCREMENT, label TEXT UNIQUE, width REAL, tags TEXT, bytes BLOB,
   is_full INTEGER, area REAL GENERATED ALWAYS AS (width * width) STORED)`,
  `CREATE TABLE tried_books (code TEXT PRIMARY KEY, shelf_id INTEGER REFERENCES tried_shelves (id) ON DELETE CASCADE,
   copies INTEGER NOT NULL DEFAULT 1 CHECK (copies > 0)) WITHOUT ROWID`,
  // Triggers of the app's own: they change along with a statement what is not its answer.
  'CREATE TABLE tried_log (id INTEGER PRIMARY KEY, what TEXT)',
  `CREATE TRIGGER tried_noted AFTER INSERT ON tried_books BEGIN INSERT INTO tried_log (what) VALUES (NEW.code); END`,
]
const first = [
  'DELETE FROM tried_log',
  'DELETE FROM tried_books',
  'DELETE FROM tried_shelves',
  "DELETE FROM sqlite_sequence WHERE name = 'tried_shelves'",
  `INSERT INTO tried_shelves (label, width, tags, bytes, is_full) VALUES ('a', 1.5, '[1]', x'00ff', 1), ('b', 0.1, NULL, NULL, 0),
   (NULL, 1e300, '{"x":null}', x'', NULL)`,
  `INSERT INTO tried_books VALUES ('A-1', 1, 3), ('A-2', 1, 1), ('B-1', 2, 7)`,
  'DELETE FROM tried_log',
]

const batch = (statements: readonly string[]) =>
  binding.batch(statements.map((statement) => binding.prepare(statement)))

async function rowsNow() {
  const [a, b, c] = await batch([
    'SELECT * FROM tried_shelves ORDER BY id',
    'SELECT * FROM tried_books ORDER BY code',
    'SELECT what FROM tried_log ORDER BY id',
  ])
  return [a?.results, b?.results, c?.results]
}

/** A statement that has not been run yet, made for a database. */
type Made = (database: DrizzleD1Database) => PromiseLike<unknown>
interface Tried {
  readonly told: string
  readonly make: Made
}

const label = fc.oneof(
  fc.constantFrom('a', 'b', "it's", 'é😀', 'line\nbreak\ttab', '"quoted"', '', '\u0001'),
  fc.string({ maxLength: 8 }).filter((text) => !text.includes('\0')),
)
const number = fc.oneof(
  fc.integer({ min: -5, max: 5 }),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(0.1 + 0.2, 5e-324, 1.7976931348623157e308, 9007199254740991),
)
const id = fc.integer({ min: 1, max: 6 })
const shelf = fc.record({
  label: fc.option(label),
  width: fc.option(number),
  tags: fc.option(fc.constantFrom([1, 'two'], { deep: { er: null } }, 'text')),
  bytes: fc.option(fc.uint8Array({ maxLength: 4 }).map((bytes) => bytes as Buffer)),
  isFull: fc.option(fc.boolean()),
})
const book = fc.record({
  code: fc.constantFrom('A-1', 'A-2', 'C-1', 'C-2', 'C-3'),
  shelfId: fc.option(id),
  copies: fc.integer({ min: 0, max: 4 }),
})
const answers = fc.constantFrom<Answers[]>('none', 'all', 'some')

const told = <Value>(arbitrary: fc.Arbitrary<Value>, name: string, make: (value: Value) => Made) =>
  arbitrary.map((value): Tried => ({ told: `${name} ${JSON.stringify(value)}`, make: make(value) }))

type Answers = 'none' | 'all' | 'some'
type Returning = { returning(fields?: object): PromiseLike<unknown> } & PromiseLike<unknown>
/** Expressions with parameters. */
const some = {
  id: shelves.id,
  doubled: sql`${shelves.width} * ${2.5}`,
  said: sql`${"it's "} || ifnull(${shelves.label}, ${null}) || '?'`,
  json: sql`json_object('w', ${shelves.width})`,
}
const shown = (query: unknown, how: Answers, fields: object = some): PromiseLike<unknown> => {
  const writes = query as Returning
  if (how === 'none') return writes
  return how === 'all' ? writes.returning() : writes.returning(fields)
}

const statement: fc.Arbitrary<Tried> = fc.oneof(
  told(
    fc.tuple(fc.array(shelf, { minLength: 1, maxLength: 3 }), answers),
    'insert',
    ([rows, how]) =>
      (db) =>
        shown(db.insert(shelves).values(rows), how),
  ),
  told(
    fc.tuple(shelf, answers),
    'insert or nothing',
    ([row, how]) =>
      (db) =>
        shown(db.insert(shelves).values(row).onConflictDoNothing(), how),
  ),
  told(
    fc.tuple(shelf, number, answers),
    'upsert',
    ([row, width, how]) =>
      (db) =>
        shown(
          db.insert(shelves).values(row).onConflictDoUpdate({ target: shelves.label, set: { width } }),
          how,
        ),
  ),
  told(
    fc.tuple(fc.array(book, { minLength: 1, maxLength: 2 }), answers),
    'books',
    ([rows, how]) =>
      (db) =>
        shown(db.insert(books).values(rows), how, { code: books.code }),
  ),
  told(
    fc.tuple(id, number, answers),
    'update',
    ([least, width, how]) =>
      (db) =>
        shown(
          db
            .update(shelves)
            .set({ width, label: sql`${shelves.label} || ${'+'}` })
            .where(gt(shelves.id, least)),
          how,
        ),
  ),
  told(
    fc.tuple(id, answers),
    'delete',
    ([below, how]) =>
      (db) =>
        shown(db.delete(shelves).where(lt(shelves.id, below)), how),
  ),
  told(
    id,
    'select',
    (below) => (db) =>
      db.select().from(shelves).where(lt(shelves.id, below)).orderBy(asc(shelves.label), asc(shelves.id)),
  ),
  told(
    id,
    'join',
    (below) => (db) =>
      db
        .select({ shelf: shelves, book: books })
        .from(shelves)
        .leftJoin(books, eq(books.shelfId, shelves.id))
        .where(lt(shelves.id, below))
        .orderBy(asc(shelves.id), asc(books.code)),
  ),
  told(
    label,
    'raw',
    (value) => (db) =>
      db.all(
        sql`WITH w(x) AS (SELECT ${value}) SELECT w.x AS "the text", count(*) AS n, json_array(1, 'b') FROM w, tried_books -- all`,
      ),
  ),
  told(
    number,
    'raw write',
    (value) => (db) => db.run(sql`UPDATE tried_books SET copies = copies + ${value} WHERE code LIKE 'A%'`),
  ),
)
const work: fc.Arbitrary<Tried> = fc.oneof(
  { weight: 4, arbitrary: statement },
  {
    weight: 1,
    arbitrary: fc.array(statement, { minLength: 1, maxLength: 3 }).map((list) => ({
      told: `batch of ${list.map((each) => each.told).join('; ')}`,
      make: (db: DrizzleD1Database) => db.batch(list.map(({ make }) => make(db)) as never),
    })),
  },
)

/** Results as far as a transaction promises them: what the platform measures is not among it. */
function plain(result: unknown): unknown {
  if (Array.isArray(result)) return result.map(plain)
  if (typeof result === 'object' && result !== null && 'meta' in result) {
    const { results, meta } = result as D1Result
    return { results, changes: meta.changes }
  }
  return result
}

async function outcomes(list: readonly Tried[], database: DrizzleD1Database): Promise<unknown[]> {
  const all: unknown[] = []
  for (const { make } of list) {
    try {
      all.push(plain(await make(database)))
    } catch (error) {
      all.push(String((error as Error).cause ?? error))
    }
  }
  return all
}

const refuse = (error: AtollError): never => {
  throw error
}

beforeAll(async () => {
  await batch(made)
})
beforeEach(async () => {
  await batch(first)
})

describe('a database in a transaction', () => {
  it('answers as the database itself, and commits the same rows', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(work, { minLength: 1, maxLength: 6 }), async (list) => {
        await batch(first)
        const direct = await outcomes(list, drizzle(binding))
        const rows = await rowsNow()
        await batch(first)
        const before = await rowsNow()
        const queued = new QueuedDatabase('DB', binding, refuse)
        const answers = await outcomes(list, drizzle(queuedBinding(binding, queued, () => refuse as never)))
        expect(answers, list.map((each) => each.told).join('\n')).toEqual(direct)
        expect(await rowsNow()).toEqual(before)
        await queued.check()
        expect(await rowsNow()).toEqual(before)
        await queued.commit()
        expect(await rowsNow()).toEqual(rows)
        const left = await batch([
          'SELECT * FROM _atoll_undone',
          "SELECT name FROM sqlite_schema WHERE name LIKE '\\_atoll\\_undone\\_%' ESCAPE '\\'",
        ])
        expect(left.map(({ results }) => results)).toEqual([[], []])
      }),
      { numRuns: 40, seed: 20261130 },
    )
  }, 120_000)
})
