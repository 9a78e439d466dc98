/** Words as the index keeps them, worked out outside it, beside FTS5 itself: each letter that is said to be known, and random words. */
import { env } from 'cloudflare:workers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type SearchConfig, searchConfigs } from '../../db/catalog/catalog.ts'
import { createSearch, dropSearch } from '../../db/system/search-objects.ts'
import { termsOf } from '../../functions/rest/compile/search-terms.ts'
import { seededRandom } from '../support/seeded-random.ts'

const { DB } = env as unknown as { DB: D1Database }
const searchOf = (config: SearchConfig) => ({
  index: `_atoll_search_words_${config}`,
  places: `_atoll_places_words_${config}`,
  config,
  of: `words_${config}`,
  columns: ['word'],
})

beforeAll(async () => {
  const statements = searchConfigs.flatMap((config) => [
    `CREATE TABLE words_${config} (id INTEGER PRIMARY KEY, word TEXT)`,
    ...createSearch(searchOf(config)),
  ])
  await DB.batch(statements.map((statement) => DB.prepare(statement)))
})
afterAll(async () => {
  const drops = searchConfigs.flatMap((config) => [
    ...dropSearch(searchOf(config).index),
    `DROP TABLE words_${config}`,
  ])
  await DB.batch(drops.map((statement) => DB.prepare(statement)))
})

/** What the index keeps of words beside what is worked out, where these differ, of words that can be worked out. */
async function differences(words: readonly string[], config: SearchConfig) {
  const known = words.flatMap((text) => {
    try {
      return [{ text, term: termsOf({ kind: 'word', text, prefix: false }, config)[0] }]
    } catch {
      return []
    }
  })
  const { of, places } = searchOf(config)
  await DB.batch([
    DB.prepare(`DELETE FROM ${of}`),
    DB.prepare(`INSERT INTO ${of} (id, word) SELECT key, value FROM json_each(?)`).bind(
      JSON.stringify(known.map(({ text }) => text)),
    ),
  ])
  const { results } = await DB.prepare(
    `SELECT doc, json_group_array(term) AS terms FROM ${places} GROUP BY doc ORDER BY doc`,
  ).all<{ doc: number; terms: string }>()
  const kept = new Map(results.map(({ doc, terms }) => [doc, terms]))
  const others = known.flatMap(({ text, term }, i) =>
    kept.get(i) === JSON.stringify([term]) ? [] : [{ text, term, kept: kept.get(i) }],
  )
  return { known: known.length, others }
}

describe.each(searchConfigs)('words of %s', (config) => {
  it('are folded as FTS5 folds them, letter by letter', async () => {
    const letters = Array.from({ length: 0x10000 }, (_, code) => String.fromCharCode(code)).filter((letter) =>
      /[\p{L}\p{N}]/u.test(letter),
    )
    const { known, others } = await differences(
      letters.map((letter) => `a${letter}b`),
      config,
    )
    expect(others).toEqual([])
    expect(known).toBeGreaterThan(30_000)
  })

  it('lose the endings that FTS5 takes off', async () => {
    const seed = Math.floor(Math.random() * 2 ** 31)
    const random = seededRandom(seed)
    const pick = (list: readonly string[]) => list[Math.floor(random() * list.length)] as string
    const letters = [...'aeeiouybcdfghlmnprstvwxzßæøéñяиας中日9ÀÉ']
    const endings =
      's es ies sses eed ed ing y ational tional enci izer abli alli ousli ization ation ator alism iveness fulness ousness iviti biliti logi icate ative alize iciti ical ful ness al ance er ic able ible ant ement ment ent ion sion tion ou ism ate iti ous ive ize e ll at bl iz tt zz'.split(
        ' ',
      )
    const some = (list: readonly string[], most: number) =>
      Array.from({ length: Math.floor(random() * most) }, () => pick(list)).join('')
    const words = Array.from({ length: 20_000 }, () => pick(letters) + some(letters, 6) + some(endings, 4))
    words.push(`${'a'.repeat(60)}tion`, `${'b'.repeat(61)}tion`, 'as', 'is', 'ß', 'ßs', 'skies', 'dying')
    const { others } = await differences(words, config)
    expect(others, `seed ${seed}`).toEqual([])
  })
})
