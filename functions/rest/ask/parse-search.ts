/**
 * PostgreSQL's full-text queries, read as PostgreSQL 15 reads them: words that say nothing are taken out, and leave their places behind.
 * Source: https://www.postgresql.org/docs/15/textsearch-controls.html
 * @module
 */
import { type SearchConfig, searchConfigs } from '../../../db/catalog/catalog.ts'
import { errors } from '../errors.ts'
import { stopWords } from './stop-words.ts'

export type SearchOperator = 'fts' | 'plfts' | 'phfts' | 'wfts'

/** A word, or the beginning of one. */
export interface Word {
  readonly kind: 'word'
  readonly text: string
  readonly prefix: boolean
}

/** What no row has: a word of a weight that the index does not know. */
interface Nothing {
  readonly kind: 'nothing'
}

/** A word that is not searched for, whose place counts. */
interface StopWord {
  readonly kind: 'stop'
}

type Tree<Leaf> =
  | Leaf
  | { readonly kind: 'not'; readonly of: Tree<Leaf> }
  | { readonly kind: 'and' | 'or'; readonly of: readonly Tree<Leaf>[] }
  /** One behind the other, `distances` words from each to the next: one fewer than there are of them. */
  | { readonly kind: 'phrase'; readonly of: readonly Tree<Leaf>[]; readonly distances: readonly number[] }

type Written = Tree<Word | Nothing | StopWord>
export type SearchQuery = Tree<Word | Nothing>

/** A word and how many words behind the first of its phrase it stands. */
export interface PlacedWord {
  readonly word: Word
  readonly place: number
}

/** FTS5's parser holds 100 symbols, of which each level takes several. */
const maxDepth = 20

/** PostgreSQL counts places so far. */
const maxDistance = 16_384

const searchOperators: ReadonlySet<string> = new Set<SearchOperator>(['fts', 'plfts', 'phfts', 'wfts'])

export function isSearchOperator(operator: string): operator is SearchOperator {
  return searchOperators.has(operator)
}

/**
 * Null for a query that has no words left.
 *
 * @throws 42601, 22023
 */
export function parseSearch(
  operator: SearchOperator,
  text: string,
  config: SearchConfig,
): SearchQuery | null {
  const readers = { fts: tsQuery, plfts: plainQuery, phfts: phraseQuery, wfts: webQuery }
  return withoutStopWords(readers[operator](text, config)).query
}

/** Whether it depends on an operand's words how its statement is written, in any configuration. */
export function needsPlaces(operator: SearchOperator, text: string): boolean {
  if (operator === 'plfts') return false
  // Without these, `fts` and `wfts` have no words in a row.
  if (operator !== 'phfts' && /^[\p{L}\p{N}\s&|!()]*$/u.test(text)) return false
  try {
    return searchConfigs.some((config) => {
      const query = parseSearch(operator, text, config)
      return query !== null && placedWords(query) > 0
    })
  } catch {
    // It is refused when it is bound.
    return false
  }
}

/** How many words there are whose places must be looked at: those that FTS5 finds side by side are none. */
export function placedWords(query: SearchQuery): number {
  switch (query.kind) {
    case 'word':
    case 'nothing':
      return 0
    case 'not':
      return placedWords(query.of)
    case 'phrase':
      return isSideBySide(query) ? 0 : wordsIn(query)
    default:
      return query.of.reduce((sum, one) => sum + placedWords(one), 0)
  }
}

function wordsIn(query: SearchQuery): number {
  if (query.kind === 'word' || query.kind === 'nothing') return 1
  if (query.kind === 'not') return wordsIn(query.of)
  return query.of.reduce((sum, one) => sum + wordsIn(one), 0)
}

export function isSideBySide(query: SearchQuery): boolean {
  return wordsInARow(query)?.every(({ place }, i) => place === i) ?? false
}

/** The words of a phrase that has nothing but words, each at one place; null for another. */
export function wordsInARow(query: SearchQuery): readonly PlacedWord[] | null {
  if (query.kind === 'word') return [{ word: query, place: 0 }]
  if (query.kind !== 'phrase') return null
  const found: PlacedWord[] = []
  let end = 0
  for (const [i, one] of query.of.entries()) {
    const inner = wordsInARow(one)
    if (inner === null) return null
    const start = i === 0 ? 0 : end + (query.distances[i - 1] as number)
    for (const { word, place } of inner) found.push({ word, place: start + place })
    end = start + (inner.at(-1) as PlacedWord).place
  }
  return found
}

/** What is left of a query, and how many places were taken from its left and right ends: what PostgreSQL's `clean_stopword_intree` keeps. */
interface Cleaned {
  readonly query: SearchQuery | null
  readonly left: number
  readonly right: number
}

function withoutStopWords(query: Written): Cleaned {
  switch (query.kind) {
    case 'stop':
      return { query: null, left: 0, right: 0 }
    case 'word':
    case 'nothing':
      return { query, left: 0, right: 0 }
    case 'not': {
      const { query: of, ...ends } = withoutStopWords(query.of)
      return { query: of && { kind: 'not', of }, ...ends }
    }
    case 'phrase':
      return phraseWithoutStopWords(query.of.map(withoutStopWords), query.distances)
    default: {
      const all = query.of.map(withoutStopWords)
      const [first, ...others] = all.filter((one) => one.query !== null)
      if (!first) {
        const most = all.reduce((max, { left }) => Math.max(max, left), 0)
        return { query: null, left: most, right: most }
      }
      if (others.length === 0) return first
      const of = [first, ...others].map((one) => one.query as SearchQuery)
      return { query: { kind: query.kind, of }, left: 0, right: 0 }
    }
  }
}

function phraseWithoutStopWords(parts: readonly Cleaned[], distances: readonly number[]): Cleaned {
  const kept: SearchQuery[] = []
  const between: number[] = []
  let left = 0
  let right = 0
  for (const [i, part] of parts.entries()) {
    const distance = i === 0 ? 0 : (distances[i - 1] as number)
    const gap = right + distance + part.left
    if (part.query === null) {
      right = gap
      if (kept.length === 0) left = gap
      continue
    }
    if (kept.length > 0) between.push(gap)
    else left = gap
    kept.push(part.query)
    right = part.right
  }
  const [only] = kept
  const query: SearchQuery | null =
    kept.length > 1 ? { kind: 'phrase', of: kept, distances: between } : (only ?? null)
  return { query, left, right }
}

function words(text: string): string[] {
  return text.match(/[\p{L}\p{N}\p{M}]+/gu) ?? []
}

function leaf(text: string, config: SearchConfig, prefix = false): Word | StopWord {
  const isStop = config === 'english' && stopWords.has(text.toLowerCase())
  return isStop ? { kind: 'stop' } : { kind: 'word', text, prefix }
}

/** One behind the other. */
function inARow(of: readonly Written[]): Written {
  if (of.length === 1) return of[0] as Written
  return of.length === 0 ? { kind: 'stop' } : { kind: 'phrase', of, distances: of.slice(1).map(() => 1) }
}

/** What stands between spaces and is several words is these in a row. Those at its ends that say nothing leave no place. */
function term(text: string, config: SearchConfig, prefix = false): Written {
  const leaves = words(text).map((word) => leaf(word, config, prefix))
  const first = leaves.findIndex(({ kind }) => kind === 'word')
  const last = leaves.findLastIndex(({ kind }) => kind === 'word')
  return first < 0 ? { kind: 'stop' } : inARow(leaves.slice(first, last + 1))
}

/** All of the words. */
function plainQuery(text: string, config: SearchConfig): Written {
  return { kind: 'and', of: words(text).map((word) => leaf(word, config)) }
}

function phraseQuery(text: string, config: SearchConfig): Written {
  return inARow(words(text).map((word) => leaf(word, config)))
}

/** As search engines take it: "phrases", -without, or. Where there is nothing before or behind it, `or` is a word. */
function webQuery(text: string, config: SearchConfig): Written {
  let group: Written[] = []
  const groups = [group]
  const tokens = [...text.matchAll(/(-?)(?:"([^"]*)"?|([^\s"]+))/g)]
  for (const [i, [token, minus, phrase, word = '']] of tokens.entries()) {
    if (token.toLowerCase() === 'or' && group.length > 0 && i < tokens.length - 1) {
      group = []
      groups.push(group)
    } else if (phrase !== undefined || !/^[-&|!()]*$/.test(word)) {
      const query = term(phrase ?? word, config)
      group.push(minus ? { kind: 'not', of: query } : query)
    }
  }
  return { kind: 'or', of: groups.map((of): Written => ({ kind: 'and', of })) }
}

/** `to_tsquery`: words with `&`, `|`, `!`, `<->`, `<2>`, parentheses, and `:*` for beginnings. */
function tsQuery(text: string, config: SearchConfig): Written {
  const tokens = text.match(/<(?:-|\d+)>|[&|!()]|'[^']*'(?::[*A-Da-d]+)?|[^\s&|!()<]+/g) ?? []
  let at = 0
  let depth = 0
  const fail = (): never => {
    throw errors.searchSyntax(text)
  }
  const list = (kind: 'and' | 'or', sign: string, part: () => Written): Written => {
    const of = [part()]
    while (tokens[at] === sign) {
      at++
      of.push(part())
    }
    return of.length === 1 ? (of[0] as Written) : { kind, of }
  }
  const either = (): Written => list('or', '|', both)
  const both = (): Written => list('and', '&', row)
  const row = (): Written => {
    const of = [negation()]
    const distances: number[] = []
    while (tokens[at]?.startsWith('<')) {
      distances.push(distanceOf(tokens[at++] as string))
      of.push(negation())
    }
    return of.length === 1 ? (of[0] as Written) : { kind: 'phrase', of, distances }
  }
  const negation = (): Written => {
    const start = at
    while (tokens[at] === '!') at++
    const isNegated = (at - start) % 2 === 1
    const of = unit()
    return isNegated ? { kind: 'not', of } : of
  }
  const unit = (): Written => {
    const token = tokens[at++] ?? fail()
    if (token === '(') {
      if (++depth > maxDepth) fail()
      const inner = either()
      depth--
      return tokens[at++] === ')' ? inner : fail()
    }
    // Behind a colon there are weights, or nothing.
    if (/^[&|!)]$|^<.*>$|^[^'].*:(?![*A-Da-d]*$)/.test(token)) fail()
    const label = /:([*A-Da-d]+)$/.exec(token)?.[1] ?? ''
    const bare = label === '' ? token : token.slice(0, -label.length - 1)
    const found = term(bare, config, label.includes('*'))
    // All words of a text have the weight D.
    const isWeighed = /[abc]/i.test(label) && !/d/i.test(label)
    return isWeighed && found.kind !== 'stop' ? { kind: 'nothing' } : found
  }
  if (tokens.length === 0) return { kind: 'and', of: [] }
  const query = either()
  return at < tokens.length ? fail() : query
}

function distanceOf(token: string): number {
  if (token === '<->') return 1
  const distance = Number(token.slice(1, -1))
  if (distance > maxDistance) throw errors.searchTooFar(maxDistance)
  return distance
}
