/**
 * SQLite's words: what migrations are read by. Source: https://www.sqlite.org/draft/tokenreq.html
 * @module
 */

/** A word of a statement. */
export interface Token {
  /** `word` is a bare name or keyword, `name` a quoted one. Spaces and comments are no tokens. */
  readonly kind: 'word' | 'name' | 'string' | 'number' | 'punctuation'
  readonly text: string
  /** Position of its first character in the SQL, and the one behind its last. */
  readonly start: number
  readonly end: number
}

const space = /[ \t\n\f\r\ufeff]+/y
const comment = /--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)/y
const word = /[A-Za-z_\u0080-\uffff][A-Za-z0-9_$\u0080-\uffff]*/y
const number = /0[xX][0-9a-fA-F]+|(?:\d[\d_]*(?:\.[\d_]*)?|\.\d[\d_]*)(?:[eE][+-]?\d+)?/y
const quoted: readonly (readonly [kind: Token['kind'], pattern: RegExp])[] = [
  ['string', /[xX]?'(?:[^']|'')*(?:'|$)/y],
  ['name', /"(?:[^"]|"")*(?:"|$)/y],
  ['name', /`(?:[^`]|``)*(?:`|$)/y],
  ['name', /\[[^\]]*(?:\]|$)/y],
]
const operator = /\|\||<<|>>|<=|>=|<>|!=|==|->>|->|[\s\S]/y

/** The tokens of SQL text; what is not closed ends with the text. */
export function tokensOf(sql: string): Token[] {
  const tokens: Token[] = []
  let at = 0
  const match = (pattern: RegExp): string | null => {
    pattern.lastIndex = at
    return pattern.exec(sql)?.[0] ?? null
  }
  while (at < sql.length) {
    const skipped = match(space) ?? match(comment)
    if (skipped !== null) {
      at += skipped.length
      continue
    }
    const found = matchToken(match)
    tokens.push({ ...found, start: at, end: at + found.text.length })
    at += found.text.length
  }
  return tokens
}

function matchToken(match: (pattern: RegExp) => string | null): Pick<Token, 'kind' | 'text'> {
  for (const [kind, pattern] of quoted) {
    const text = match(pattern)
    if (text !== null) return { kind, text }
  }
  const bare = match(word)
  if (bare !== null) return { kind: 'word', text: bare }
  const digits = match(number)
  if (digits !== null) return { kind: 'number', text: digits }
  return { kind: 'punctuation', text: match(operator) as string }
}

/** The name that a token stands for; SQLite takes text in single quotes for one, too. */
export function nameOf(token: Token | undefined): string {
  if (!token) return ''
  const quote = token.text[0] as string
  if (token.kind === 'word') return token.text
  const inner = token.text.slice(1, -1)
  return quote === '[' ? inner : inner.replaceAll(quote + quote, quote)
}

/** Whether a token is one of these keywords, in capitals. */
export function isWord(token: Token | undefined, ...words: readonly string[]): boolean {
  return token?.kind === 'word' && words.includes(token.text.toUpperCase())
}

/** Whether a token is this sign, and not the same in quotes. */
export function isPunctuation(token: Token | undefined, text: string): boolean {
  return token?.kind === 'punctuation' && token.text === text
}

/** Whether two names are the same to SQLite, which folds ASCII letters. */
export function sameName(a: string, b: string): boolean {
  return foldName(a) === foldName(b)
}

/** A name as SQLite compares it. */
export function foldName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => letter.toLowerCase())
}

/** The index of the parenthesis that closes the one at `open`; that of the last token when none does. */
export function closing(tokens: readonly Token[], open: number): number {
  let depth = 0
  for (let i = open; i < tokens.length; i++) {
    if (isPunctuation(tokens[i], '(')) depth++
    if (isPunctuation(tokens[i], ')') && --depth === 0) return i
  }
  return tokens.length - 1
}

/** Splits tokens at the commas that stand in no parentheses of theirs. */
export function splitAtCommas(tokens: readonly Token[]): Token[][] {
  const parts: Token[][] = [[]]
  let depth = 0
  for (const token of tokens) {
    if (isPunctuation(token, '(')) depth++
    if (isPunctuation(token, ')')) depth--
    if (depth === 0 && isPunctuation(token, ',')) parts.push([])
    else parts.at(-1)?.push(token)
  }
  return parts
}

/** The text between two tokens, both included. */
export function textOf(sql: string, tokens: readonly Token[]): string {
  const [first, last] = [tokens[0], tokens.at(-1)]
  return first && last ? sql.slice(first.start, last.end) : ''
}

/** Whether SQL names something, by any of its tokens that can be names. */
export function mentions(sql: string, name: string): boolean {
  return tokensOf(sql).some(
    (token) => (token.kind === 'word' || token.kind === 'name') && sameName(nameOf(token), name),
  )
}
