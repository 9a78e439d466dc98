/**
 * LIKE patterns. PostgreSQL's `like` minds case and SQLite's does not, so `like` becomes GLOB and `ilike` LIKE.
 * In URLs `*` stands for `%`.
 * @module
 */
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
  return bounded(
    tokens(pattern)
      .map((token) => {
        if (token.kind === 'any') return '*'
        if (token.kind === 'one') return '?'
        return /[[*?]/.test(token.text) ? `[${token.text}]` : token.text
      })
      .join(''),
  )
}

export function likePattern(pattern: string): string {
  return bounded(
    tokens(pattern)
      .map((token) => {
        if (token.kind === 'any') return '%'
        if (token.kind === 'one') return '_'
        return /[%_\\]/.test(token.text) ? `\\${token.text}` : token.text
      })
      .join(''),
  )
}

function bounded(pattern: string): string {
  if (new TextEncoder().encode(pattern).length > maxBytes) throw errors.patternTooLong(maxBytes)
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
  if (new TextEncoder().encode(pattern).length <= maxBytes - 6) return null
  const all = tokens(pattern)
  const starts = all[0]?.kind !== 'any'
  const ends = all.at(-1)?.kind !== 'any'
  const inner = all.slice(starts ? 0 : 1, ends ? all.length : -1)
  if (inner.some((token) => token.kind !== 'text')) throw errors.patternTooLong(maxBytes)
  const text = inner.map((token) => (token.kind === 'text' ? token.text : '')).join('')
  return {
    kind: starts && ends ? 'is' : starts ? 'starts' : ends ? 'ends' : 'holds',
    // SQLite's lower() knows ASCII only.
    text: ignoreCase ? text.replace(/[A-Z]/g, (letter) => letter.toLowerCase()) : text,
  }
}
