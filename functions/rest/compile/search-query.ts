/**
 * Full-text queries as FTS5's. Words are always quoted, so that none is read as FTS5's own syntax.
 * Source: https://www.sqlite.org/fts5.html#full_text_query_syntax
 * @module
 */
import { type SearchQuery, wordsInARow } from '../ask/parse-search.ts'

/**
 * An FTS5 query that looks in one column, behind a sign: `+` for rows that it finds, `-` for the others. FTS5 itself can leave out only from what
 * it has found.
 *
 * @param query whose phrases are words side by side; null finds nothing
 */
export function searchQuery(query: SearchQuery | null, column: string): string {
  // Of words that say nothing, nothing is found, nor is anything without them.
  const { text, isNegated } = query === null ? nothing : written(query)
  const sign = isNegated ? '-' : '+'
  return text === null ? `${sign}""` : `${sign}{${quote(column)}} : (${text})`
}

function quote(word: string): string {
  return `"${word.replaceAll('"', '""')}"`
}

interface Written {
  /** Null: what no row has. */
  readonly text: string | null
  /** Whether what is meant are all rows but those. */
  readonly isNegated: boolean
}

const nothing: Written = { text: null, isNegated: false }

function written(query: SearchQuery): Written {
  switch (query.kind) {
    case 'nothing':
      return nothing
    case 'not':
      return flipped(written(query.of))
    case 'and':
      return allOf(query.of.map(written))
    case 'or':
      // Either is wanted: what is left is what has none of the wanted, and all that must not be.
      return flipped(allOf(query.of.map((one) => flipped(written(one)))))
    default: {
      const row = wordsInARow(query)
      if (row === null) throw new Error('a phrase of other things than words is looked for by places')
      const texts = row.map(({ word }) => quote(word.text) + (word.prefix ? '*' : ''))
      return { text: texts.join(' + '), isNegated: false }
    }
  }
}

function flipped({ text, isNegated }: Written): Written {
  return { text, isNegated: !isNegated }
}

/** What has all of some, and none of others. */
function allOf(parts: readonly Written[]): Written {
  const wanted = parts.flatMap(({ text, isNegated }) => (isNegated ? [] : [text]))
  const unwanted = parts.flatMap(({ text, isNegated }) => (isNegated && text !== null ? [text] : []))
  if (wanted.includes(null)) return nothing
  const without = unwanted.length === 0 ? null : joined(unwanted, 'OR')
  if (wanted.length === 0) return { text: without, isNegated: true }
  const all = joined(wanted as string[], 'AND')
  return { text: without === null ? all : `(${all} NOT ${without})`, isNegated: false }
}

function joined(texts: readonly string[], word: 'AND' | 'OR'): string {
  return texts.length === 1 ? (texts[0] as string) : `(${texts.join(` ${word} `)})`
}
