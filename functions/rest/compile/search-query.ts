/**
 * PostgreSQL's full-text queries as FTS5's. Words are always quoted, so that none is read as FTS5's own syntax.
 * Sources: https://www.postgresql.org/docs/current/textsearch-controls.html, https://www.sqlite.org/fts5.html
 * @module
 */
import { errors } from '../errors.ts'

/** FTS5's parser holds 100 symbols, of which each level takes several. */
const maxDepth = 20

export type SearchOperator = 'fts' | 'plfts' | 'phfts' | 'wfts'

/** An FTS5 query that looks in one column. */
export function searchQuery(operator: SearchOperator, text: string, column: string): string {
  const queries = { fts: tsQuery, plfts: plainQuery, phfts: phraseQuery, wfts: webQuery }
  return `{${quote(column)}} : (${queries[operator](text)})`
}

function quote(word: string): string {
  return `"${word.replaceAll('"', '""')}"`
}

function words(text: string): string[] {
  return text.match(/[\p{L}\p{N}\p{M}_]+/gu) ?? []
}

/** What nothing matches. */
const nothing = '""'

/** All of the words. */
function plainQuery(text: string): string {
  return words(text).map(quote).join(' AND ') || nothing
}

/** The words in this order, side by side. */
function phraseQuery(text: string): string {
  return quote(words(text).join(' '))
}

/** As search engines take it: "phrases", -without, or. */
function webQuery(text: string): string {
  const groups: { wanted: string[]; unwanted: string[] }[] = [{ wanted: [], unwanted: [] }]
  for (const [token, minus, phrase, word] of text.matchAll(/(-?)(?:"([^"]*)"?|([^\s"]+))/g)) {
    if (token.toLowerCase() === 'or') groups.push({ wanted: [], unwanted: [] })
    else {
      const found = words(phrase ?? word ?? '')
      if (found.length > 0) groups.at(-1)?.[minus ? 'unwanted' : 'wanted'].push(quote(found.join(' ')))
    }
  }
  const filled = groups.filter(({ wanted, unwanted }) => wanted.length + unwanted.length > 0)
  return filled.map(({ wanted, unwanted }) => conjunction(wanted, unwanted, text)).join(' OR ') || nothing
}

/** FTS5 can leave out only from what it has found. */
function conjunction(wanted: readonly string[], unwanted: readonly string[], text: string): string {
  if (wanted.length === 0) throw errors.searchSyntax(text)
  const all = wanted.length === 1 ? (wanted[0] as string) : `(${wanted.join(' AND ')})`
  return unwanted.length === 0 ? all : `(${all} NOT (${unwanted.join(' OR ')}))`
}

/** `to_tsquery`: words with `&`, `|`, `!`, `<->`, parentheses, and `:*` for beginnings. */
function tsQuery(text: string): string {
  const tokens = text.match(/<->|[&|!()]|'[^']*'(?::\*)?|[^\s&|!()<]+/g) ?? []
  let at = 0
  let depth = 0
  const fail = (): never => {
    throw errors.searchSyntax(text)
  }
  const either = (): string => {
    const parts = [both()]
    while (tokens[at] === '|') {
      at++
      parts.push(both())
    }
    return parts.length === 1 ? (parts[0] as string) : `(${parts.join(' OR ')})`
  }
  const both = (): string => {
    const wanted: string[] = []
    const unwanted: string[] = []
    do {
      let negated = false
      while (tokens[at] === '!') {
        negated = !negated
        at++
      }
      ;(negated ? unwanted : wanted).push(unit())
    } while (tokens[at] === '&' && at++ >= 0)
    return conjunction(wanted, unwanted, text)
  }
  const unit = (): string => {
    const token = tokens[at++] ?? fail()
    if (token === '(') {
      if (++depth > maxDepth) fail()
      const inner = either()
      depth--
      if (tokens[at++] !== ')') fail()
      return inner
    }
    if (/^[&|!)]$|^<->$/.test(token)) fail()
    const phrase = [...words(token.replace(/:\*$/, ''))]
    let prefix = token.endsWith(':*')
    while (tokens[at] === '<->') {
      const next = tokens[at + 1] ?? fail()
      phrase.push(...words(next.replace(/:\*$/, '')))
      prefix = next.endsWith(':*')
      at += 2
    }
    return quote(phrase.join(' ')) + (prefix ? '*' : '')
  }
  const query = either()
  return at < tokens.length ? fail() : query
}
