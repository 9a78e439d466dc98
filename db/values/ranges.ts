/**
 * Ranges as PostgreSQL writes them: `[1,5)`, `(,2024-01-01)`, `empty`. They are kept as text in one form, so that equal ranges are equal texts.
 * Source: https://www.postgresql.org/docs/current/rangetypes.html#RANGETYPES-IO
 * @module
 */
import { customType } from 'drizzle-orm/sqlite-core'
import { errors } from './errors.ts'
import { boundTypes, type RangeKind } from './range-bounds.ts'

/** One bound; null: there is none. */
interface Bound {
  readonly value: string | null
  readonly inclusive: boolean
}

/** Whether a text is the name of a kind of range, as a column's type has it. */
export function isRangeKind(name: string): name is RangeKind {
  return Object.hasOwn(boundTypes, name)
}

/**
 * A range in the form in which PostgreSQL prints it: of integers and dates `[` and `)`, times in UTC, numbers without zeros at their ends.
 *
 * @throws AtollError 22P02 for what is none, 22000 for a lower bound above the upper, and what its bounds' type throws
 * @example canonicalRange('int4range', '(1,4]') // '[2,5)'
 */
export function canonicalRange(kind: RangeKind, text: string): string {
  const literal = readLiteral(text)
  if (literal === null) return 'empty'
  const type = boundTypes[kind]
  const read = ({ value, inclusive }: Bound): Bound =>
    value === null ? { value, inclusive: false } : { value: type.read(value), inclusive }
  let [lower, upper] = literal.map(read) as [Bound, Bound]
  const order = compare(kind, lower, upper)
  if (order > 0) throw errors.boundsReversed()
  if (order === 0 && !(lower.inclusive && upper.inclusive)) return 'empty'
  if (type.next !== null) {
    // Without a value that can be counted, a bound stays as it is.
    const counts = ({ value }: Bound) => value !== null && !value.endsWith('infinity')
    if (counts(lower) && !lower.inclusive)
      lower = { value: type.next(lower.value as string), inclusive: true }
    if (counts(upper) && upper.inclusive)
      upper = { value: type.next(upper.value as string), inclusive: false }
    if (compare(kind, lower, upper) === 0 && !(lower.inclusive && upper.inclusive)) return 'empty'
  }
  return `${lower.inclusive ? '[' : '('}${written(lower)},${written(upper)}${upper.inclusive ? ']' : ')'}`
}

/** A bound that is not there is beyond all values. */
function compare(kind: RangeKind, lower: Bound, upper: Bound): number {
  if (lower.value === null || upper.value === null) return -1
  return boundTypes[kind].compare(lower.value, upper.value)
}

/** What has a space in it stands in quotes. */
function written({ value }: Bound): string {
  return value === null ? '' : value.includes(' ') ? `"${value}"` : value
}

function readLiteral(text: string): [Bound, Bound] | null {
  const malformed = (details: string) => errors.malformedRange(text, details)
  const literal = text.trim()
  if (/^empty/i.test(literal)) {
    if (literal.length === 'empty'.length) return null
    throw malformed('Junk after "empty" key word.')
  }
  if (!/^[[(]/.test(literal)) throw malformed('Missing left parenthesis or bracket.')
  const [first, at] = readBound(literal, 1)
  if (at >= literal.length) throw malformed('Unexpected end of input.')
  if (literal[at] !== ',') throw malformed('Missing comma after lower bound.')
  const [second, end] = readBound(literal, at + 1)
  if (end >= literal.length) throw malformed('Unexpected end of input.')
  if (literal[end] === ',') throw malformed('Too many commas.')
  if (end < literal.length - 1) throw malformed('Junk after right parenthesis or bracket.')
  return [
    { value: first, inclusive: literal[0] === '[' },
    { value: second, inclusive: literal[end] === ']' },
  ]
}

/** The text of a bound, null when it has none, and where it ends. */
function readBound(literal: string, start: number): [value: string | null, end: number] {
  let value = ''
  let isQuoted = false
  let at = start
  for (; at < literal.length; at++) {
    const char = literal[at] as string
    if (!isQuoted && /[,)\]]/.test(char)) break
    if (char === '\\') value += literal[++at] ?? ''
    else if (char !== '"') value += char
    else if (isQuoted && literal[at + 1] === '"') value += literal[++at]
    else isQuoted = !isQuoted
  }
  return [at === start ? null : value, at]
}

const rangeType = (kind: RangeKind) =>
  customType<{ data: string; driverData: string }>({
    dataType: () => kind,
    toDriver: (value) => canonicalRange(kind, value),
  })

/** Integers of 32 bits: `[1,5)`. @example ages: int4range('ages') */
export const int4range = rangeType('int4range')
/** Integers of 64 bits. */
export const int8range = rangeType('int8range')
/** Decimal numbers of 15 digits. */
export const numrange = rangeType('numrange')
/** Days: `[2024-01-01,2024-02-01)`. */
export const daterange = rangeType('daterange')
/** Times without a zone, of microseconds: `["2024-01-01 10:00:00","2024-01-01 11:00:00")`. */
export const tsrange = rangeType('tsrange')
/** Times in UTC. */
export const tstzrange = rangeType('tstzrange')
