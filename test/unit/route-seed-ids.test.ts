import { DatabaseSync } from 'node:sqlite'
import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { describe, expect, it } from 'vitest'
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import { defineTables, distributed, idFor, routedId } from '../../db/define.ts'
import { routeSeedIds } from '../../db/seed/route-seed-ids.ts'
import { slotTable } from '../../db/slots/slot-expression.ts'
import { slotOf, slotOfId } from '../../db/slots/slots.ts'

const tenants = sqliteTable('tenants', { id: text('id').primaryKey() })
const tenant = () =>
  text('tenant')
    .notNull()
    .references(() => tenants.id)
const posts = sqliteTable('posts', { id: integer('id').primaryKey(), tenant: tenant() }, (table) => [
  index('posts_tenant').on(table.tenant),
])
const notes = sqliteTable(
  'notes',
  {
    id: text('id').primaryKey().$defaultFn(routedId),
    post: integer('post').references(() => posts.id),
    tenant: tenant(),
  },
  (table) => [index('notes_tenant').on(table.tenant)],
)
const catalog = buildCatalog(
  defineTables({
    tenants: distributed(tenants, { by: 'id' }),
    posts: distributed(posts, { by: 'tenant' }),
    notes: distributed(notes, { by: 'tenant' }),
  }),
)

describe('ids of seeded rows', () => {
  it('carry their slots, whatever the seed made, and are referred to by their new names', () => {
    const memory = new DatabaseSync(':memory:')
    for (const statement of slotTable) memory.exec(statement)
    memory.exec('PRAGMA foreign_keys = OFF')
    memory.exec('CREATE TABLE posts (id INTEGER PRIMARY KEY, tenant TEXT)')
    memory.exec('CREATE TABLE notes (id TEXT PRIMARY KEY, post INTEGER REFERENCES posts (id), tenant TEXT)')
    const kept = 7 * 16_384 + slotOf('a')
    const ids = [
      0n,
      1n,
      -1n,
      7n,
      BigInt(slotOf('a')),
      BigInt(kept),
      1700000000001n,
      1700000000002n,
      9007199254740993n,
    ]
    for (const id of ids) {
      memory.prepare("INSERT INTO posts VALUES (?, 'a')").run(id)
      memory.prepare('INSERT INTO notes VALUES (?, ?, ?)').run(routedId(), id, 'a')
    }
    const own = idFor('a')
    memory.prepare("INSERT INTO notes VALUES (?, NULL, 'a')").run(own)
    expect([...routeSeedIds(memory, catalog)]).toEqual([
      ['posts', ids.length - 2],
      ['notes', expect.any(Number)],
    ])
    expect(memory.prepare('PRAGMA foreign_key_check').all()).toEqual([])
    const found = memory
      .prepare('SELECT p.id, n.id AS note FROM notes AS n JOIN posts AS p ON p.id = n.post')
      .all()
    expect(found).toHaveLength(ids.length)
    for (const { id, note } of found) {
      expect(slotOfId(String(id), true)).toBe(slotOf('a'))
      expect(slotOfId(String(note), false)).toBe(slotOf('a'))
    }
    expect(found.map(({ id }) => id)).toContain(kept)
    expect(memory.prepare('SELECT 1 FROM notes WHERE id = ?').get(own)).toBeDefined()
    expect([...routeSeedIds(memory, catalog)]).toEqual([])
    memory.close()
  })

  it('carry them for distribution values that are too long for SQL to work out', () => {
    const memory = new DatabaseSync(':memory:')
    memory.exec('CREATE TABLE posts (id INTEGER PRIMARY KEY, tenant TEXT)')
    memory.exec('CREATE TABLE notes (id TEXT PRIMARY KEY, post INTEGER REFERENCES posts (id), tenant TEXT)')
    const long = 'x'.repeat(200)
    memory.prepare('INSERT INTO posts VALUES (1, ?)').run(long)
    expect([...routeSeedIds(memory, catalog)]).toEqual([['posts', 1]])
    expect(slotOfId(String(memory.prepare('SELECT id FROM posts').get()?.id), true)).toBe(slotOf(long))
    memory.close()
  })
})
