/**
 * PostgreSQL's full-text queries as FTS5's. Words are always quoted, so that none is read as FTS5's own syntax.
 * Sources: https://www.postgresql.org/docs/current/textsearch-controls.html, https://www.sqlite.org/fts5.html
 * @module
 */
import { errors } from '../errors.ts'
import { stopWords } from './stop-words.ts'

/** FTS5's parser holds 100 symbols, of which each level takes several. */
const maxDepth = 20

export type SearchOperator = 'fts' | 'plfts' | 'phfts' | 'wfts'

/** Words in a row, the last of which may be a beginning; or queries of queries. */
type Query =
  | { readonly kind: 'words'; readonly words: readonly string[]; readonly prefix: boolean }
  | { readonly kind: 'not'; readonly of: Query }
  | { readonly kind: 'and' | 'or'; readonly of: readonly Query[] }

/**
 * An FTS5 query that looks in one column, behind a sign: `+` for rows that it finds, `-` for the others. FTS5 itself can leave out only from what
 * it has found.
 */
export function searchQuery(operator: SearchOperator, text: string, column: string): string {
  const queries = { fts: tsQuery, plfts: plainQuery, phfts: phraseQuery, wfts: webQuery }
  const query = withoutStopWords(queries[operator](text))
  // Of words that say nothing, nothing is found, nor is anything without them.
  if (query === null) return '+""'
  const { text: found, isNegated } = written(query)
  return `${isNegated ? '-' : '+'}{${quote(column)}} : (${found})`
}

function quote(word: string): string {
  return `"${word.replaceAll('"', '""')}"`
}

function words(text: string): string[] {
  return text.match(/[\p{L}\p{N}\p{M}_]+/gu) ?? []
}

/** Null for a query that has no words left. Within words in a row, all are looked for: a row of words is found as it is written. */
function withoutStopWords(query: Query): Query | null {
  switch (query.kind) {
    case 'words': {
      const isStop = (word: string) => stopWords.has(word.toLowerCase())
      const first = query.words.findIndex((word) => !isStop(word))
      const last = query.words.findLastIndex((word) => !isStop(word))
      if (first < 0) return null
      return {
        ...query,
        words: query.words.slice(first, last + 1),
        prefix: query.prefix && last === query.words.length - 1,
      }
    }
    case 'not': {
      const of = withoutStopWords(query.of)
      return of && { kind: 'not', of }
    }
    default: {
      const of = query.of.flatMap((one) => withoutStopWords(one) ?? [])
      return of.length > 1 ? { kind: query.kind, of } : (of[0] ?? null)
    }
  }
}

interface Written {
  readonly text: string
  /** Whether what is meant are all rows but those. */
  readonly isNegated: boolean
}

function written(query: Query): Written {
  if (query.kind === 'words') {
    return { text: quote(query.words.join(' ')) + (query.prefix ? '*' : ''), isNegated: false }
  }
  if (query.kind === 'not') {
    const { text, isNegated } = written(query.of)
    return { text, isNegated: !isNegated }
  }
  const parts = query.of.map(written)
  const plain = parts.filter(({ isNegated }) => !isNegated).map(({ text }) => text)
  const negated = parts.filter(({ isNegated }) => isNegated).map(({ text }) => text)
  return query.kind === 'and' ? allOf(plain, negated) : noneBut(allOf(negated, plain))
}

/** What has all of some, and none of others. */
function allOf(wanted: readonly string[], unwanted: readonly string[]): Written {
  if (wanted.length === 0) return { text: joined(unwanted, 'OR'), isNegated: true }
  const all = joined(wanted, 'AND')
  return { text: unwanted.length === 0 ? all : `(${all} NOT ${joined(unwanted, 'OR')})`, isNegated: false }
}

/** Either is wanted: what is left is what has none of the wanted, and all that must not be. */
function noneBut({ text, isNegated }: Written): Written {
  return { text, isNegated: !isNegated }
}

function joined(texts: readonly string[], word: 'AND' | 'OR'): string {
  return texts.length === 1 ? (texts[0] as string) : `(${texts.join(` ${word} `)})`
}

const wordsOf = (text: string, prefix = false): Query => ({ kind: 'words', words: words(text), prefix })

/** All of the words. */
function plainQuery(text: string): Query {
  return { kind: 'and', of: words(text).map((word) => wordsOf(word)) }
}

/** The words in this order, side by side. */
function phraseQuery(text: string): Query {
  return wordsOf(text)
}

/** As search engines take it: "phrases", -without, or. */
function webQuery(text: string): Query {
  const groups: Query[][] = [[]]
  for (const [token, minus, phrase, word] of text.matchAll(/(-?)(?:"([^"]*)"?|([^\s"]+))/g)) {
    const query = wordsOf(phrase ?? word ?? '')
    if (token.toLowerCase() === 'or') groups.push([])
    else if (words(token).length > 0) groups.at(-1)?.push(minus ? { kind: 'not', of: query } : query)
  }
  const filled = groups.filter((group) => group.length > 0)
  return { kind: 'or', of: filled.map((of): Query => ({ kind: 'and', of })) }
}

/** `to_tsquery`: words with `&`, `|`, `!`, `<->`, parentheses, and `:*` for beginnings. */
function tsQuery(text: string): Query {
  const tokens = text.match(/<(?:-|\d+)>|[&|!()]|'[^']*'(?::\*)?|[^\s&|!()<]+/g) ?? []
  let at = 0
  let depth = 0
  const fail = (): never => {
    throw errors.searchSyntax(text)
  }
  const either = (): Query => {
    const of = [both()]
    while (tokens[at] === '|') {
      at++
      of.push(both())
    }
    return of.length === 1 ? (of[0] as Query) : { kind: 'or', of }
  }
  const both = (): Query => {
    const of = [negation()]
    while (tokens[at] === '&') {
      at++
      of.push(negation())
    }
    return of.length === 1 ? (of[0] as Query) : { kind: 'and', of }
  }
  const negation = (): Query => {
    if (tokens[at] !== '!') return unit()
    at++
    // To PostgreSQL, this is a place where the first word is not.
    if (tokens[at + 1]?.startsWith('<')) throw errors.searchDistance(text)
    return { kind: 'not', of: negation() }
  }
  const unit = (): Query => {
    const token = tokens[at++] ?? fail()
    if (token === '(') {
      if (++depth > maxDepth) fail()
      const inner = either()
      depth--
      if (tokens[at++] !== ')') fail()
      if (tokens[at]?.startsWith('<')) throw errors.searchDistance(text)
      return inner
    }
    if (/^[&|!)]$|^<.*>$/.test(token)) fail()
    const phrase = [...words(bare(token))]
    let prefix = token.endsWith(':*')
    while (tokens[at]?.startsWith('<')) {
      const next = tokens[at + 1] ?? fail()
      if (/^[&|!)]$|^<.*>$/.test(next)) fail()
      // Words are found side by side, or anywhere.
      if (!['<->', '<1>'].includes(tokens[at] as string) || next === '(' || prefix)
        throw errors.searchDistance(text)
      phrase.push(...words(bare(next)))
      prefix = next.endsWith(':*')
      at += 2
    }
    return { kind: 'words', words: phrase, prefix }
  }
  if (tokens.length === 0) return { kind: 'and', of: [] }
  const query = either()
  return at < tokens.length ? fail() : query
}

/** A word without its label: `:*` for a beginning, `:A` for weights, which the index does not have. */
function bare(token: string): string {
  return token.replace(/:[*A-Da-d]+$/, '')
}
