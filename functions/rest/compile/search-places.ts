/**
 * Words at places that FTS5's own queries cannot say: `a <2> b`, `!a <-> b`, `(a | b) <-> c`. Where each word stands is read from the index
 * (`fts5vocab`), as rows of `d`, a row of the table, and `p`, the place where a match begins; operators are unions, intersections and differences of
 * these. What is meant is what PostgreSQL 15's `TS_phrase_execute` finds.
 * @module
 */
import type { SearchIndex } from '../../../db/catalog/catalog.ts'
import { joinBalanced } from '../../../db/sql/join-balanced.ts'
import { quoteName, quoteText } from '../../../db/sql/quote.ts'
import { type PlacedWord, placedWords, type SearchQuery, type Word } from '../ask/parse-search.ts'
import { errors } from '../errors.ts'
import { searchQuery } from './search-query.ts'
import { termsOf } from './search-terms.ts'
import type { Parameters } from './sql.ts'

/** Writes SQL. What is not needed in the end is not written, as parameters go with it. */
type Write = () => string

/** Where something matches, or does not. */
interface Places {
  /** A word, other rows of places, or null: nowhere. */
  readonly of: Word | Write | null
  /** Whether what is meant are all other places. */
  readonly isNegated: boolean
  /** How many words a match ends behind its beginning; null where PostgreSQL has one or another, depending on what else is in the row. */
  readonly width: number | null
  /** Whether PostgreSQL knows this width also in rows where nothing matches. */
  readonly isSteady: boolean
}

interface Placed {
  readonly part: Places
  readonly place: number
}

const wordWidth = { width: 0, isSteady: true } as const

export class PlaceSearch {
  readonly #parameters: Parameters
  readonly #index: SearchIndex
  readonly #column: string
  readonly #rowid: string

  /** @param rowid SQL for the row that is looked at */
  constructor(parameters: Parameters, index: SearchIndex, column: string, rowid: string) {
    this.#parameters = parameters
    this.#index = index
    this.#column = column
    this.#rowid = rowid
  }

  /**
   * SQL that is true of the rows that are found. Of rows whose column is null, it says nothing that counts.
   *
   * @throws 0A000 where the places of words are not known
   */
  condition(query: SearchQuery): string {
    if (placedWords(query) === 0) return this.#withoutPlaces(query)
    switch (query.kind) {
      case 'not':
        return `NOT (${this.condition(query.of)})`
      case 'and':
      case 'or': {
        const placed = query.of.filter((one) => placedWords(one) > 0)
        const plain = query.of.filter((one) => placedWords(one) === 0)
        const texts = placed.map((one) => `(${this.condition(one)})`)
        if (plain.length > 0) texts.unshift(this.#withoutPlaces({ kind: query.kind, of: plain }))
        return joinBalanced(texts, query.kind === 'and' ? ' AND ' : ' OR ')
      }
      default: {
        const { of, isNegated } = this.#places(query)
        if (isNegated || of === null) return isNegated ? '1' : '0'
        return `${this.#rowid} IN (SELECT d FROM (${this.#all([{ of, place: 0 }], 'INTERSECT')}))`
      }
    }
  }

  #withoutPlaces(query: SearchQuery): string {
    const { rows, isNegated } = this.#matches(query)
    return `${this.#rowid} ${isNegated ? 'NOT ' : ''}IN (${rows})`
  }

  #places(query: SearchQuery): Places {
    switch (query.kind) {
      case 'word':
        return { of: query, isNegated: false, ...wordWidth }
      case 'nothing':
        return { of: null, isNegated: false, ...wordWidth }
      case 'not':
        return negated(this.#places(query.of))
      case 'phrase':
        return this.#phrase(
          query.of.map((one) => this.#places(one)),
          query.distances,
        )
      case 'and': {
        const parts = query.of.map((one) => this.#places(one))
        return { ...this.#meet(parts.map((part) => ({ part, place: 0 }))), ...widestOf(parts) }
      }
      default: {
        const parts = query.of.map((one) => this.#places(one))
        const others = this.#meet(parts.map((part) => ({ part: negated(part), place: 0 })))
        const { of, isNegated } = negated({ ...others, ...wordWidth })
        return { of, isNegated, ...widthOfEither(parts, isNegated) }
      }
    }
  }

  #phrase(parts: readonly Places[], distances: readonly number[]): Places {
    const [first] = parts as [Places]
    const placed: Placed[] = [{ part: first, place: 0 }]
    let width = knownWidth(first)
    // Where the first part does not match, nothing is measured from its end.
    let end = first.width
    for (const [i, part] of parts.slice(1).entries()) {
      if (end === null) throw errors.searchWidth()
      const place = end + (distances[i] as number)
      const own = knownWidth(part)
      placed.push({ part, place })
      width = width === null || own === null ? null : place + own
      end = width
    }
    const met = this.#meet(placed)
    return { ...met, width, isSteady: met.isNegated || width === 0 }
  }

  /** Where all of them match, each so many places behind the first. */
  #meet(parts: readonly Placed[]): Pick<Places, 'of' | 'isNegated'> {
    const wanted = parts.filter(({ part }) => !part.isNegated)
    const unwanted = parts.flatMap(({ part, place }) =>
      part.isNegated && part.of !== null ? [{ of: part.of, place }] : [],
    )
    if (wanted.some(({ part }) => part.of === null)) return { of: null, isNegated: false }
    const without = unwanted.length === 0 ? null : () => this.#all(unwanted, 'UNION')
    if (wanted.length === 0) return { of: without, isNegated: true }
    const parted = wanted.map(({ part, place }) => ({ of: part.of as Word | Write, place }))
    const all = () => this.#all(parted, 'INTERSECT')
    return { of: without === null ? all : () => combined('EXCEPT', all(), without()), isNegated: false }
  }

  /** Matches of all of them or of any, each so many places behind. */
  #all(
    parts: readonly { readonly of: Word | Write; readonly place: number }[],
    how: 'UNION' | 'INTERSECT',
  ): string {
    const words = parts.flatMap(({ of, place }) => (typeof of === 'function' ? [] : [{ word: of, place }]))
    const texts = parts.flatMap(({ of, place }) => (typeof of === 'function' ? [shifted(of(), place)] : []))
    if (words.length > 0) texts.unshift(this.#words(words, how))
    return balanced(how, texts)
  }

  /**
   * All words of a list in one pass over the index, each term read once: a place where as many end up as there are is one of all. Words that no row has
   * together are not read.
   */
  #words(words: readonly PlacedWord[], how: 'UNION' | 'INTERSECT'): string {
    const byTerm = new Map<string, [from: string, to: string, places: number[]]>()
    for (const { word, place } of words) {
      const [from, to] = termsOf(word, this.#index.config)
      const known = byTerm.get(to)
      if (known) known[2].push(place)
      else byTerm.set(to, [from, to, [place]])
    }
    const list = this.#parameters.add({ kind: 'constant', value: JSON.stringify([...byTerm.values()]) })
    const rows = `json_each(${list}) AS _atoll_w CROSS JOIN ${quoteName(this.#index.places)} AS _atoll_v CROSS JOIN json_each(_atoll_w.value->2) AS _atoll_p WHERE _atoll_v.term >= (_atoll_w.value->>0) AND _atoll_v.term <= (_atoll_w.value->>1) AND _atoll_v.col=${quoteText(this.#column)}`
    const found = 'SELECT _atoll_v.doc AS d, _atoll_v.offset-_atoll_p.value AS p FROM'
    if (how === 'UNION' || words.length === 1) return `${found} ${rows}`
    const together = this.#matches({ kind: 'and', of: words.map(({ word }) => word) })
    return `${found} (SELECT 1 FROM (${together.rows}) LIMIT 1) CROSS JOIN ${rows} AND _atoll_v.doc IN (${together.rows}) GROUP BY 1, 2 HAVING count(*)=${words.length}`
  }

  /** Rows that FTS5 finds by itself, or all but which are meant. */
  #matches(query: SearchQuery): { readonly rows: string; readonly isNegated: boolean } {
    const index = quoteName(this.#index.index)
    const text = searchQuery(query, this.#column)
    const wanted = this.#parameters.add({ kind: 'constant', value: text.slice(1) })
    return {
      rows: `SELECT rowid FROM ${index} WHERE ${index} MATCH ${wanted}`,
      isNegated: text.startsWith('-'),
    }
  }
}

function negated(places: Places): Places {
  return { ...places, isNegated: !places.isNegated }
}

/** How wide a part is, where all that is not negated matches. */
function knownWidth({ width, isNegated, isSteady }: Places): number | null {
  return isNegated && !isSteady ? null : width
}

function widestOf(parts: readonly Places[]): Pick<Places, 'width' | 'isSteady'> {
  const widths = parts.map(knownWidth)
  const width = widths.includes(null) ? null : Math.max(...(widths as number[]))
  return { width, isSteady: width === 0 || parts.every(({ isNegated }) => isNegated) }
}

/** The widest of those that match, whichever these are: known only where all are as wide. */
function widthOfEither(parts: readonly Places[], isNegated: boolean): Pick<Places, 'width' | 'isSteady'> {
  const widths = new Set(parts.map(knownWidth))
  const [first = null] = widths
  const width = widths.size === 1 ? first : null
  return { width, isSteady: width === 0 || isNegated }
}

function shifted(sql: string, place: number): string {
  return place === 0 ? sql : `SELECT d, p-${place} AS p FROM (${sql})`
}

function combined(how: 'UNION' | 'INTERSECT' | 'EXCEPT', left: string, right: string): string {
  return `SELECT d, p FROM (${left}) ${how} SELECT d, p FROM (${right})`
}

/** As deep as the logarithm of how many they are: what stands in FROM has a limit of its own. */
function balanced(how: 'UNION' | 'INTERSECT', texts: readonly string[]): string {
  if (texts.length === 1) return texts[0] as string
  const middle = Math.ceil(texts.length / 2)
  return combined(how, balanced(how, texts.slice(0, middle)), balanced(how, texts.slice(middle)))
}
