import { eq } from 'drizzle-orm'
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { describe, expect, it } from 'vitest'
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import type { Table } from '../../db/catalog/catalog.ts'
import { defineTables, local } from '../../db/define.ts'
import { Rights } from '../../functions/access/area.ts'
import { passes, readFilters } from '../../functions/realtime/change-filter.ts'
import { messageOf, readFrame, writeMessage } from '../../functions/realtime/frames.ts'
import { seenAmongLogged } from '../../functions/rest/area.ts'

const things = sqliteTable('things', {
  id: integer('id').primaryKey(),
  name: text('name'),
  done: integer('done', { mode: 'boolean' }),
  owner: text('owner'),
})
const catalog = buildCatalog(
  defineTables({
    things: local(things, {
      access: {
        authenticated: { select: ({ caller, row }) => eq(row.owner, caller.sub) },
        anon: { select: true },
      },
    }),
  }),
)
const table = catalog.tables.get('things') as Table

describe('filters of changes', () => {
  const asks = (filter: string, row: Record<string, unknown>) => {
    const filters = readFilters(filter, table)
    return typeof filters === 'string' ? filters : passes(filters, row, table)
  }
  const row = { id: 7, name: 'b, c', done: true, owner: null }

  it('compare numbers as numbers, texts as SQLite does, and let nothing pass that is null', () => {
    expect(
      ['id=eq.7', 'id=lt.10', 'id=gte.7', 'id=in.(1,7)', 'id=neq.8'].map((one) => asks(one, row)),
    ).toEqual(Array(5).fill(true))
    expect(['id=gt.7', 'id=in.(1,2)', 'owner=neq.x', 'done=eq.false'].map((one) => asks(one, row))).toEqual(
      Array(4).fill(false),
    )
    expect(asks('name=in.("b, c",d)', row)).toBe(true)
    // By code points: in UTF-16, the first of these would be the smaller.
    expect(asks('name=gt.\uffff', { ...row, name: '\u{10000}' })).toBe(true)
    expect(asks('id=gt.9007199254740992', { ...row, id: '9007199254740993' })).toBe(true)
  })

  it('must all hold, and are not answered for a row whose columns are not known', () => {
    expect(asks('id=gt.0,done=eq.true', row)).toBe(true)
    expect(asks('id=gt.0,done=eq.false', row)).toBe(false)
    expect(asks('name=eq.x', { id: 7 })).toBeNull()
  })

  it('that are none are said to be', () => {
    expect(asks('secret=eq.1', row)).toBe('invalid column for filter secret')
    expect(asks('id=like.1', row)).toBe('Error parsing `filter` params: ["like","1"]')
    expect(asks('undefined', row)).toBe('Error parsing `filter` params: ["undefined"]')
    expect(asks('id=eq.one', row)).toBe('invalid input for column id: "one"')
  })
})

describe('frames', () => {
  it('that are cut off or foreign are none', () => {
    const push = Uint8Array.from([3, 1, 1, 4, 1, 0, 1, 49, 50, ...Buffer.from('roome{}')])
    const read = readFrame('2.0.0', push.buffer)
    expect(read).toMatchObject({ joinRef: '1', ref: '2', topic: 'room', event: 'broadcast' })
    expect(read && messageOf(read)).toEqual({ event: 'e', payload: '{}' })
    for (let length = 0; length < push.length - 2; length++) {
      const cut = readFrame('2.0.0', push.slice(0, length).buffer)
      expect(cut === null || messageOf(cut) !== null).toBe(cut === null)
    }
    expect(readFrame('1.0.0', push.buffer)).toBeNull()
    expect(
      ['', '[]', 'null', '{"topic":1}', '["1","2",3,"e",{}]'].map((one) => readFrame('2.0.0', one)),
    ).toEqual(Array(5).fill(null))
  })

  it('say in JSON what does not fit into the header of bytes, and leave out bytes where there is only JSON', () => {
    expect(writeMessage('2.0.0', 'r'.repeat(256), { event: 'e', payload: '{}' })).toMatch(/^\[null,null,"r/)
    expect(writeMessage('1.0.0', 'r', { event: 'e', payload: Uint8Array.from([1]) })).toBeNull()
  })
})

describe('rows that are no more', () => {
  const rightsOf = (role: string) =>
    new Rights(catalog, { role, sub: 'ada', signedIn: true, claims: { sub: 'ada' }, key: 'token' })

  it('are asked for by the policy where what it reads is known, and not told of where it is not', () => {
    const known = new Set(['id', 'owner'])
    const statement = seenAmongLogged(table, rightsOf('authenticated'), '[]', known)
    expect(statement?.text).toContain('_atoll_v."owner" = ?2')
    expect(statement?.parameters).toEqual(['[]', 'ada'])
    expect(seenAmongLogged(table, rightsOf('authenticated'), '[]', new Set(['id']))).toBeNull()
    expect(seenAmongLogged(table, rightsOf('anon'), '[]', new Set(['id']))?.parameters).toEqual(['[]'])
    expect(seenAmongLogged(table, rightsOf('nobody'), '[]', known)?.text).toMatch(/WHERE \(0\)$/)
  })
})
