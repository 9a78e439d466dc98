/**
 * Full-text search beside PostgreSQL 15, whose answers to random queries are in `test/support/search/answers.json`. What differs is listed
 * in functions/rest/GUIDE.md.
 */
import { env } from 'cloudflare:workers'
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import type { SearchIndex } from '../../db/catalog/catalog.ts'
import { defineTables, local } from '../../db/define.ts'
import { createSearch, dropSearch } from '../../db/system/search-objects.ts'
import { gatewayOver } from '../support/clinic.ts'
import answers from '../support/search/answers.json' with { type: 'json' }
import { texts } from '../support/search/texts.ts'

const columns = { id: integer('id').primaryKey(), body: text('body') }
const pages = sqliteTable('searched_pages', columns)
const plainPages = sqliteTable('plain_pages', { ...columns, note: text('note') })
const access = { anon: { select: true } } as const
const tables = defineTables({
  pages: local(pages, { searchable: ['body'], access }),
  plainPages: local(plainPages, {
    searchable: ['body', 'note'],
    searchConfig: 'simple',
    access: { anon: { select: { columns: ['id', 'body'] } } },
  }),
})
const { DB } = env as unknown as { DB: D1Database }
const ask = gatewayOver(tables)
const searches = [...buildCatalog(tables).tables.values()].map(({ search }) => search as SearchIndex)

beforeAll(async () => {
  const statements = [
    'CREATE TABLE searched_pages (id INTEGER PRIMARY KEY, body TEXT)',
    'CREATE TABLE plain_pages (id INTEGER PRIMARY KEY, body TEXT, note TEXT)',
    ...searches.flatMap(createSearch),
  ]
  await DB.batch([
    ...statements.map((statement) => DB.prepare(statement)),
    ...texts.map((body) => DB.prepare('INSERT INTO searched_pages (body) VALUES (?)').bind(body)),
    ...texts.map((body) =>
      DB.prepare("INSERT INTO plain_pages (body, note) VALUES (?, 'cat rat hidden secret')").bind(body),
    ),
  ])
})
afterAll(async () => {
  const drops = [...searches.flatMap(({ index, of }) => [...dropSearch(index), `DROP TABLE ${of}`])]
  await DB.batch(drops.map((statement) => DB.prepare(statement)))
})

async function found(operator: string, query: string, table = 'searched_pages') {
  const answer = await ask(
    `/rest/v1/${table}?select=id&order=id&body=${operator}.${encodeURIComponent(query)}`,
  )
  const body = (await answer.json()) as { id: number }[]
  return answer.status === 200 ? body.map(({ id }) => id) : body
}

describe('what a search finds', () => {
  it.each([
    ['english', 'searched_pages'],
    ['simple', 'plain_pages'],
  ])('in %s is what PostgreSQL finds', async (config, table) => {
    const asked = answers.filter((answer) => answer.config === config)
    const others: unknown[] = []
    let refused = 0
    for (const { operator, query, rows } of asked) {
      const own = await found(operator, query, table)
      // Where a word stands behind alternatives of several lengths, nothing is said.
      if (!Array.isArray(own) && (own as { code: string }).code === '0A000') refused++
      else if (JSON.stringify(own) !== JSON.stringify(rows)) others.push({ operator, query, rows, own })
    }
    expect(others).toEqual([])
    expect(refused).toBeLessThan(asked.length / 20)
  })

  it('is said by the configuration of the table', async () => {
    expect(await found('fts(english)', 'cat')).toEqual(await found('fts', 'cat'))
    expect(await found('fts(simple)', 'the', 'plain_pages')).toContain(1)
    expect(await found('fts(simple)', 'cat')).toMatchObject({ code: '42704' })
    expect(await found('fts(english)', 'cat', 'plain_pages')).toMatchObject({ code: '42704' })
  })

  it('is said by places, where these can be known', async () => {
    expect(await found('fts', 'cat<1>fox')).toEqual(expect.arrayContaining([10]))
    expect(await found('fts', 'cat &')).toMatchObject({ code: '42601' })
    expect(await found('fts', 'cat<->')).toMatchObject({ code: '42601' })
    expect(await found('fts', 'cat:dog')).toMatchObject({ code: '42601' })
    expect(await found('fts', 'cat<16385>fox')).toMatchObject({ code: '22023' })
    expect(await found('fts', 'cat<16384>fox')).toEqual([])
    expect(await found('fts', '(cat<->fox | dog)<->sea')).toMatchObject({ code: '0A000' })
    expect(await found('fts', 'ǆunglaǡ<2>sea')).toMatchObject({ code: '0A000' })
    const all = await found('not.fts', '!cat')
    expect(await found('not.fts', 'zzz<2>cat')).toHaveLength(texts.length - 1)
    expect(await found('fts', 'cat')).toEqual(all)
  })

  it('is that of one column, and of no column that the caller may not see', async () => {
    expect(await found('fts', 'hidden<2>secret | hidden<1>secret', 'plain_pages')).toEqual([])
    expect(await found('fts', 'cat<1>rat & !(rat<2>cat)', 'plain_pages')).not.toHaveLength(texts.length)
    const answer = await ask('/rest/v1/plain_pages?select=id&note=fts.hidden<2>secret')
    expect(await answer.json()).toMatchObject({ code: '42703' })
  })

  it('stands in logic, behind not, and in embeds, as other filters do', async () => {
    const or = encodeURIComponent('(body.fts.cat<5>rat,body.not.fts.!zebra<->hunt,id.eq.8)')
    const answer = await ask(`/rest/v1/searched_pages?select=id&order=id&or=${or}`)
    const either = new Set([...((await found('fts', 'cat<5>rat')) as number[]), 8])
    for (const id of (await found('not.fts', '!zebra<->hunt')) as number[]) either.add(id)
    expect(await answer.json()).toEqual([...either].sort((a, b) => a - b).map((id) => ({ id })))
  })

  it('costs a filter for each word whose place is looked at', async () => {
    const many = Array.from({ length: 101 }, () => 'cat').join('<2>')
    expect(await found('fts', many)).toMatchObject({ code: 'BOUND007' })
    expect(await found('phfts', Array.from({ length: 101 }, () => 'cat the').join(' '))).toMatchObject({
      code: 'BOUND007',
    })
    const most = Array.from({ length: 99 }, (_, i) => (i % 3 === 0 ? '!cat' : '(cat|rat)')).slice(0, 49)
    expect(await found('fts', most.join('<2>'))).toEqual([])
    const row = Array.from({ length: 99 }, (_, i) => `w${i}`)
    expect(await found('fts', row.join('<2>'))).toEqual([])
    expect(await found('fts', `${row.slice(0, 98).join('<2>')} | cat`)).toEqual(await found('fts', 'cat'))
    expect(await found('fts', `${'!'.repeat(8000)}cat<2>rat`)).toEqual(await found('fts', 'cat<2>rat'))
  })

  it('is found by the index, and not by reading all rows', async () => {
    const plan = async (sql: string, ...values: string[]) => {
      const { results } = await DB.prepare(`EXPLAIN QUERY PLAN ${sql}`)
        .bind(...values)
        .all<{ detail: string }>()
      return results[0]?.detail
    }
    expect(
      await plan(
        "SELECT * FROM searched_pages WHERE rowid IN (SELECT rowid FROM _atoll_search_searched_pages WHERE _atoll_search_searched_pages MATCH substr(?1,2) AND ?1 LIKE '+%' UNION ALL SELECT rowid FROM searched_pages WHERE body IS NOT NULL AND ?1 LIKE '-%')",
        '+"cat"',
      ),
    ).toMatch(/SEARCH searched_pages USING INTEGER PRIMARY KEY/)
    expect(
      await plan(
        'SELECT * FROM searched_pages WHERE body IS NOT NULL AND (rowid IN (SELECT d FROM (SELECT v.doc AS d, v.offset-(w.value->>2) AS p FROM json_each(?1) AS w CROSS JOIN _atoll_places_searched_pages AS v WHERE v.term >= (w.value->>0) AND v.term <= (w.value->>1) GROUP BY 1, 2 HAVING count(*)=2)))',
        '[["cat","cat",0],["rat","rat",2]]',
      ),
    ).toMatch(/SEARCH searched_pages USING INTEGER PRIMARY KEY/)
  })
})
