/**
 * Splits a request into its shape and its operands. Two requests of the same shape run the same statements with
 * other parameters, so that everything between here and the database is done once per shape (`compile-cache.ts`).
 * @module
 */

import { errors } from '../errors.ts'
import { needsPlaces, type SearchOperator } from './parse-search.ts'

export interface Parameter {
  readonly name: string
  /** Everything after `=`, less the operand. */
  readonly text: string
  /** Number of the operand that was taken off, or null. */
  readonly operand: number | null
}

export interface Shape {
  /** Equal for requests of the same shape. */
  readonly key: string
  readonly parameters: readonly Parameter[]
  readonly operands: readonly string[]
}

/** What of the headers decides how a request is answered. */
export interface ShapeHeaders {
  readonly method: string
  readonly accept: string
  readonly prefer: string
  /** The schema that is meant. */
  readonly schema: string
  readonly range: { readonly offset: number; readonly limit: number | null } | null
}

const wholeNames = /(?:^|\.)(?:select|order|columns|on_conflict|and|or)$/
const numberNames = /(?:^|\.)(?:limit|offset)$/
/** Operators whose statement is the same whatever they compare with, unless that is an array or object. */
const operandPrefix =
  /^(?:not\.)?(?:(?:eq|neq|gt|gte|lt|lte|isdistinct)\.(?![[{])|in\.|(?:eq|gt|gte|lt|lte)\((?:any|all)\)\.|(?:sl|sr|nxr|nxl|adj)\.|(?:plfts|phfts|wfts|fts)(?:\([a-z_]+\))?\.|i?like\.(?=[^[?\\\x80-\uffff]{0,40}$))/i

const searchPrefix = /(fts|plfts|phfts|wfts)(?:\([a-z_]+\))?\.$/i

/** Whether the words that are searched for decide what the statement is. */
function isWrittenOut(prefix: string, value: string): boolean {
  const operator = searchPrefix.exec(prefix)?.[1]?.toLowerCase()
  return operator !== undefined && needsPlaces(operator as SearchOperator, value.slice(prefix.length))
}

/** Those of the rows themselves, not of embedded ones. */
const rangeNames = new Set(['limit', 'offset'])

type Range = NonNullable<ShapeHeaders['range']>

/** What a query says of the range; null when it says nothing, or what is no number, which is refused later. */
function rangeIn(query: Iterable<readonly [name: string, value: string]>): Range | null {
  const found = new Map([...query].filter(([name]) => rangeNames.has(name)))
  if (found.size === 0 || ![...found.values()].every((text) => /^\d{1,15}$/.test(text))) return null
  const limit = found.get('limit')
  return { offset: Number(found.get('offset') ?? 0), limit: limit === undefined ? null : Number(limit) }
}

function narrowed(range: Range, other: Range | null): Range {
  if (other === null) return range
  const ends = [range, other].flatMap(({ offset, limit }) => (limit === null ? [] : [offset + limit]))
  const offset = Math.max(range.offset, other.offset)
  return { offset, limit: ends.length === 0 ? null : Math.max(0, Math.min(...ends) - offset) }
}

/** Parameters that other parts of the platform send along and that filter nothing. */
const ignored = new Set(['apikey'])

export function shapeOf(
  table: string,
  query: Iterable<readonly [name: string, value: string]>,
  headers: ShapeHeaders,
): Shape {
  const parameters: Parameter[] = []
  const operands: string[] = []
  const { method, accept, prefer, schema } = headers
  let key = `${method}\n${table}\n${accept}\n${prefer}\n${schema}\n`
  const isRead = method === 'GET' || method === 'HEAD'
  const asked = headers.range ? withRange(query, headers.range) : query
  for (const [name, value] of isRead ? inOrder(asked) : asked) {
    if (ignored.has(name)) continue
    if (name.includes('\0') || value.includes('\0')) throw errors.nullCharacter()
    let text = value
    let operand: number | null = null
    if (numberNames.test(name)) {
      text = ''
      operand = operands.push(value) - 1
    } else if (!wholeNames.test(name)) {
      const prefix = operandPrefix.exec(value)?.[0]
      if (prefix !== undefined && !isWrittenOut(prefix, value)) {
        text = prefix
        operand = operands.push(value.slice(prefix.length)) - 1
      }
    }
    parameters.push({ name, text, operand })
    key += `${encodeURIComponent(name)}=${encodeURIComponent(text)}${operand === null ? '' : '?'}&`
  }
  return { key, parameters, operands }
}

type Pair = readonly [name: string, value: string]

/** A Range header is the same as offset and limit; with named ones, what is in both. */
function withRange(query: Iterable<Pair>, range: Range): Pair[] {
  const pairs = [...query]
  const named = rangeIn(pairs)
  const { offset, limit } = narrowed(range, named)
  return [
    ['offset', String(offset)],
    ...(limit === null ? [] : [['limit', String(limit)] as const]),
    ...pairs.filter(([name]) => named === null || !rangeNames.has(name)),
  ]
}

const selectsAll = /^\*?$/

/**
 * The parameters of a read in the order in which all requests that ask the same have them: what columns, which rows, in what order, how
 * many; and without those that say what is so anyway. Filters are all to hold, whichever comes first. Of orders, limits and offsets of
 * embedded resources that may be the same by another name the sequence counts, and is left.
 */
function inOrder(query: Iterable<Pair>): readonly Pair[] {
  const pairs = [...query]
  const last = pairs.findLast(([name]) => name === 'select')
  const kept = pairs.filter((pair) => {
    if (pair[0] === 'select') return pair === last && !selectsAll.test(pair[1])
    // The last one counts, so that one of several says something.
    return pair[0] !== 'offset' || pair[1] !== '0' || pairs.filter(([name]) => name === 'offset').length > 1
  })
  if (kept.length < 2) return kept
  const isNamedOnce = last === undefined || !last[1].includes(':')
  const placed = kept.map((pair) => ({ pair, place: placeOf(pair[0]) }))
  return placed
    .sort((a, b) => {
      if (a.place !== b.place) return a.place - b.place
      const isFree = a.place === filterPlace || (isNamedOnce && a.pair[0] !== b.pair[0])
      if (!isFree) return 0
      return compare(a.pair[0], b.pair[0]) || (a.place === filterPlace ? compare(a.pair[1], b.pair[1]) : 0)
    })
    .map(({ pair }) => pair)
}

const filterPlace = 1

function placeOf(name: string): number {
  if (name === 'select') return 0
  const [, path, keyword] = keywords.exec(name) ?? []
  if (keyword === undefined) return filterPlace
  return 2 + 2 * keywordOrder.indexOf(keyword) + (path === undefined ? 0 : 1)
}

const keywordOrder = ['order', 'limit', 'offset', 'columns', 'on_conflict']
const keywords = /^(.*\.)?(order|limit|offset|columns|on_conflict)$/s

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
