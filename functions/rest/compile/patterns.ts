/**
 * LIKE patterns. PostgreSQL's `like` minds case and SQLite's does not, so `like` becomes GLOB and `ilike` LIKE.
 * In URLs `*` stands for `%`.
 * @module
 */

import { byteLength } from '../../core/byte-length.ts'
import { errors } from '../errors.ts'

/** D1's limit on patterns, in bytes. */
const maxBytes = 50

type Token =
  | { readonly kind: 'any' }
  | { readonly kind: 'one' }
  | { readonly kind: 'text'; readonly text: string }

function tokens(pattern: string): Token[] {
  const found: Token[] = []
  for (let i = 0; i < pattern.length; i++) {
    const character = pattern[i] as string
    if (character === '%' || character === '*') found.push({ kind: 'any' })
    else if (character === '_') found.push({ kind: 'one' })
    else found.push({ kind: 'text', text: character === '\\' ? (pattern[++i] ?? '\\') : character })
  }
  return found
}

export function globPattern(pattern: string): string {
  return bounded(globText(pattern))
}

export function likePattern(pattern: string): string {
  return bounded(likeText(pattern))
}

function globText(pattern: string): string {
  return written(pattern, '*', '?', globCharacter)
}

function likeText(pattern: string): string {
  return written(pattern, '%', '_', (character) => (/[%_\\]/.test(character) ? `\\${character}` : character))
}

/** The pattern with other wildcards, and what is none of them as `literal` writes it. */
function written(pattern: string, any: string, one: string, literal: (character: string) => string): string {
  return tokens(pattern)
    .map((token) => (token.kind === 'any' ? any : token.kind === 'one' ? one : literal(token.text)))
    .join('')
}

/** A character that GLOB takes for itself. */
function globCharacter(character: string): string {
  return /[[*?]/.test(character) ? `[${character}]` : character
}

function bounded(pattern: string): string {
  if (byteLength(pattern) > maxBytes) throw errors.patternTooLong(maxBytes)
  return pattern
}

export interface LongPattern {
  readonly kind: 'is' | 'starts' | 'ends' | 'holds'
  readonly text: string
}

/**
 * A pattern too long for the database, as a plain comparison: possible when `%` stands at its ends only.
 *
 * @returns null when the pattern is short enough
 */
export function longPattern(pattern: string, ignoreCase: boolean): LongPattern | null {
  if (byteLength(ignoreCase ? likeText(pattern) : globText(pattern)) <= maxBytes) return null
  const all = tokens(pattern)
  const starts = all[0]?.kind !== 'any'
  const ends = all.at(-1)?.kind !== 'any'
  const inner = all.slice(starts ? 0 : 1, ends ? all.length : -1)
  if (inner.some((token) => token.kind !== 'text')) throw errors.patternTooLong(maxBytes)
  const text = inner.map((token) => (token.kind === 'text' ? token.text : '')).join('')
  return {
    kind: starts && ends ? 'is' : starts ? 'starts' : ends ? 'ends' : 'holds',
    text: ignoreCase ? lowerAscii(text) : text,
  }
}

/** As SQLite's lower() does, which knows ASCII only. */
export function lowerAscii(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase())
}

/**
 * GLOB patterns that find together what a regular expression finds, anywhere in the text unless it is anchored.
 * GLOB knows literals, `.`, `.*`, classes and the escapes of a few, and `|` between whole alternatives.
 *
 * @throws PGRST127 for what has no such form
 */
export function regexPatterns(expression: string): string[] {
  return splitAlternatives(expression).map((alternative) => bounded(regexPattern(alternative, expression)))
}

function splitAlternatives(expression: string): string[] {
  // What is longer than any pattern of the database need not be looked at.
  if (expression.length > maxBytes * 4 || /^\||\|\||\|$/.test(expression)) throw errors.regex(expression)
  const parts = expression.match(/(?:\\[\s\S]|\[(?:\\[\s\S]|[^\]\\])*\]|[^|])+/g)
  return parts ?? ['']
}

const escapes: Readonly<Record<string, string>> = {
  d: '[0-9]',
  w: '[0-9A-Za-z_]',
  D: '[^0-9]',
  W: '[^0-9A-Za-z_]',
}

function regexPattern(alternative: string, whole: string): string {
  const fromStart = alternative.startsWith('^')
  const toEnd = /(?<!\\)(?:\\\\)*\$$/.test(alternative)
  const body = alternative.slice(fromStart ? 1 : 0, toEnd ? -1 : undefined)
  const token = /\.\*|\.|\[(\^?)([^\]\\[]+)\]|\\([\s\S])|([^\\^$.|?*+()[\]{}])/y
  let glob = ''
  while (token.lastIndex < body.length) {
    const found = token.exec(body)
    const quantified = found && found[0] !== '.*' && /[*+?{]/.test(body[token.lastIndex] ?? '')
    if (!found || quantified) throw errors.regex(whole)
    const [text, not = '', members, escaped, literal] = found
    if (text === '.*') glob += '*'
    else if (text === '.') glob += '?'
    else if (members !== undefined) glob += `[${not}${members}]`
    else if (escaped !== undefined) glob += escapes[escaped] ?? globLiteral(escaped, whole)
    else glob += literal
  }
  return `${fromStart ? '' : '*'}${glob}${toEnd ? '' : '*'}`
}

/** An escaped letter or digit that is none of the above has a meaning that GLOB does not know. */
function globLiteral(character: string, whole: string): string {
  if (/[A-Za-z0-9]/.test(character)) throw errors.regex(whole)
  return globCharacter(character)
}
