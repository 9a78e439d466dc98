/**
 * Full-text search beside PostgreSQL 15, whose answers to random queries are in `test/support/search/answers.json`. What differs is listed
 * in the README.
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

const pages = sqliteTable('searched_pages', { id: integer('id').primaryKey(), body: text('body') })
const tables = defineTables({
  pages: local(pages, { searchable: ['body'], access: { anon: { select: true } } }),
})
const { DB } = env as unknown as { DB: D1Database }
const ask = gatewayOver(tables)
const search = buildCatalog(tables).tables.get('searched_pages')?.search as SearchIndex

beforeAll(async () => {
  const statements = [
    'CREATE TABLE searched_pages (id INTEGER PRIMARY KEY, body TEXT)',
    ...createSearch(search),
  ]
  await DB.batch([
    ...statements.map((statement) => DB.prepare(statement)),
    ...texts.map((body) => DB.prepare('INSERT INTO searched_pages (body) VALUES (?)').bind(body)),
  ])
})
afterAll(async () => {
  const drops = [...dropSearch(search.index), 'DROP TABLE searched_pages']
  await DB.batch(drops.map((statement) => DB.prepare(statement)))
})

async function found(operator: string, query: string) {
  const answer = await ask(
    `/rest/v1/searched_pages?select=id&order=id&body=${operator}.${encodeURIComponent(query)}`,
  )
  const body = (await answer.json()) as { id: number }[]
  return answer.status === 200 ? body.map(({ id }) => id) : body
}

/** Rows of words with words between that say nothing: PostgreSQL finds any other such word in their place, too. */
const hasInnerStopWord = /\b\w+ (?:the|over|and)(?: (?:the|over|and))* \w+\b/i

describe('what a search finds', () => {
  it(`is what PostgreSQL finds, for ${answers.length} queries`, async () => {
    const others: unknown[] = []
    for (const { operator, query, rows } of answers) {
      if (operator === 'phfts' && hasInnerStopWord.test(query)) continue
      const own = await found(operator, query)
      if (JSON.stringify(own) !== JSON.stringify(rows)) others.push({ operator, query, rows, own })
    }
    expect(others).toEqual([])
  })

  it('is said by a language, or by a distance, only where that can be found', async () => {
    expect(await found('fts(english)', 'cat')).toEqual([1, 2, 10, 11])
    expect(await found('fts(simple)', 'cat')).toMatchObject({ code: '42704' })
    expect(await found('fts', 'cat<2>rat')).toMatchObject({ code: '0A000' })
    expect(await found('fts', '!cat<->rat')).toMatchObject({ code: '0A000' })
    expect(await found('fts', 'cat<1>fox')).toEqual([10])
    expect(await found('fts', 'cat &')).toMatchObject({ code: '42601' })
    expect(await found('not.wfts', '-cat')).toEqual([1, 2, 10, 11])
  })

  it('is found by the index, and not by reading all rows', async () => {
    const { results } = await DB.prepare(
      "EXPLAIN QUERY PLAN SELECT * FROM searched_pages WHERE rowid IN (SELECT rowid FROM _atoll_search_searched_pages WHERE _atoll_search_searched_pages MATCH substr(?1,2) AND ?1 LIKE '+%' UNION ALL SELECT rowid FROM searched_pages WHERE body IS NOT NULL AND ?1 LIKE '-%')",
    )
      .bind('+"cat"')
      .all<{ detail: string }>()
    expect(results[0]?.detail).toMatch(/SEARCH searched_pages USING INTEGER PRIMARY KEY/)
  })
})
