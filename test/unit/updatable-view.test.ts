import { sql } from 'drizzle-orm'
import { integer, sqliteTable, sqliteView, text } from 'drizzle-orm/sqlite-core'
import { describe, expect, it } from 'vitest'
import { rowMark } from '../../db/catalog/grants.ts'
import { updatableView } from '../../db/catalog/updatable-view.ts'

const t = sqliteTable('t', { a: integer('a'), b: text('b'), end: text('end'), text: text('text') })
const base = { name: 't', columns: new Map(['a', 'b', 'end', 'text'].map((name) => [name, null])) }
const baseOf = (name: string) => (name.toLowerCase() === 't' ? base : null)

/** What is found out of a view with columns x and y; the row's mark as `@`. */
function read(query: string, names = ['x', 'y']) {
  const view = sqliteView('v', { x: text('x') }).as(sql.raw(query))
  const found = updatableView(view, names, baseOf)
  const plain = (sqlText: string | null) =>
    sqlText?.replaceAll(`${rowMark}.`, '@').replaceAll(/\s+/g, ' ') ?? null
  return (
    found && {
      columns: Object.fromEntries(found.columns),
      expressions: Object.fromEntries([...found.expressions].map(([name, one]) => [name, plain(one)])),
      filter: plain(found.filter),
      readsBase: found.readsBase,
    }
  )
}

describe('a view that can be written', () => {
  it.each([
    ['select a, b from t', { x: 'a', y: 'b' }, {}, null],
    ['SELECT ALL T.A x, t."b" AS y FROM T;', { x: 'a', y: 'b' }, {}, null],
    ['select `q`.[a], q.b from main_t as q', null, null, null],
    [
      'select `q`.[a], q.b from "t" as q where q.a>=1 and b is not null',
      { x: 'a', y: 'b' },
      {},
      '@"a" >= 1 and @"b" is not null',
    ],
    [
      "select a, upper(b) || '-from t' from t /* where a */",
      { x: 'a' },
      { y: 'upper ( @"b" ) || \'-from t\'' },
      null,
    ],
    ['select a, cast(b as text) from t', { x: 'a' }, { y: 'cast ( @"b" as text )' }, null],
    ['select a, max(a, 1) from t order by a', { x: 'a' }, { y: 'max ( @"a" , 1 )' }, null],
    [
      'select a, case when a = 1 then b else "end" end from t',
      { x: 'a' },
      { y: 'case when @"a" = 1 then @"b" else @"end" end' },
      null,
    ],
    [
      'select a, b from t where a in (select o.id from other o where o.t = t.a)',
      { x: 'a', y: 'b' },
      {},
      '@"a" in ( select o.id from other o where o.t = @"a" )',
    ],
    ['select a, (b) from t', { x: 'a' }, { y: '( @"b" )' }, null],
  ])('%s', (query, columns, expressions, filter) => {
    const found = read(query)
    if (columns === null) expect(found).toBeNull()
    else expect(found).toMatchObject({ columns, expressions, filter })
  })

  it('may be all of a table, or made by Drizzle', () => {
    expect(read('select * from t', ['b', 'a'])?.columns).toEqual({ b: 'b', a: 'a' })
    const view = sqliteView('v').as((query) =>
      query.select({ a: t.a, end: t.end }).from(t).where(sql`${t.a} > 1`),
    )
    const found = updatableView(view, ['a', 'end'], baseOf)
    expect([Object.fromEntries(found?.columns ?? []), found?.filter]).toEqual([
      { a: 'a', end: 'end' },
      `${rowMark}."a" > 1`,
    ])
  })

  it('is known to read its own table', () => {
    expect(read('select a, b from t where a = (select max(q.a) from t q)')?.readsBase).toBe(true)
    expect(read('select a, b from t where (a > 1)')?.readsBase).toBe(false)
  })
})

describe('a view that only shows', () => {
  it.each([
    'select distinct a, b from t',
    'select a, b from t limit 3',
    'select a, b from t, u',
    'select a, b from t join u',
    'select a, b from t left join u on true',
    'select a, count(*) from t',
    'select a, max(a) from t',
    'select a, row_number() over () from t',
    'select a, b from t group by a',
    'select a, b from t union all select 1, 2',
    'with u as (select 1) select a, b from t',
    'select a, b from (select * from t)',
    'select a, b from (t)',
    'select a, b from elsewhere',
    'select a, b, a from t',
    'select * from t join u',
    'values (1, 2)',
    // Which table a name means in there cannot be told from here.
    'select a, b from t where a in (select a from u)',
    'select a, b from t where a in (select t.a from t)',
    'select a, b from t where a = "not a column"',
    'select a, b from t where a in (select 1',
  ])('%s', (query) => {
    expect(read(query)).toBeNull()
  })
})
