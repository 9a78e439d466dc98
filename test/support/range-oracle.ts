/**
 * Ranges as sets of points, for comparison: on a line of whole numbers, where a continuous bound is a point and what lies just below or above it.
 */

/** Without a bound on a side: null. `at` counts units of the kind. */
export interface Limit {
  readonly at: number
  readonly inclusive: boolean
}

export type Span = 'empty' | { readonly from: Limit | null; readonly to: Limit | null }

/** Places between points: `2 * at` is the point, one more is just above it. Ends of the line are beyond all of them. */
const end = 1_000_000

interface Places {
  readonly first: number
  readonly last: number
}

/** First and last place of a span; null of an empty one. Where values can be counted, no place lies between two points. */
export function placesOf(span: Span, isDiscrete: boolean): Places | null {
  if (span === 'empty') return null
  const { from, to } = span
  const step = isDiscrete ? 2 : 1
  const first = from === null ? -end : 2 * from.at + (from.inclusive ? 0 : step)
  const last = to === null ? end : 2 * to.at - (to.inclusive ? 0 : step)
  // Between two places of a line that is not counted there is always another, but at a point that is left out.
  if (first > last) return null
  return { first, last }
}

export type Sign =
  | 'sl'
  | 'sr'
  | 'nxr'
  | 'nxl'
  | 'adj'
  | 'ov'
  | 'cs'
  | 'cd'
  | 'eq'
  | 'neq'
  | 'gt'
  | 'gte'
  | 'lt'
  | 'lte'

export function holds(sign: Sign, left: Span, right: Span, isDiscrete: boolean): boolean {
  const [a, b] = [placesOf(left, isDiscrete), placesOf(right, isDiscrete)]
  const order = compare(a, b)
  switch (sign) {
    case 'eq':
      return order === 0
    case 'neq':
      return order !== 0
    case 'gt':
      return order > 0
    case 'gte':
      return order >= 0
    case 'lt':
      return order < 0
    case 'lte':
      return order <= 0
    case 'cs':
      return contains(a, b)
    case 'cd':
      return contains(b, a)
  }
  if (a === null || b === null) return false
  switch (sign) {
    case 'sl':
      return a.last < b.first
    case 'sr':
      return a.first > b.last
    case 'nxr':
      return a.last <= b.last
    case 'nxl':
      return a.first >= b.first
    case 'ov':
      return a.first <= b.last && b.first <= a.last
    case 'adj': {
      const step = isDiscrete ? 2 : 1
      const meets = (one: Places, other: Places) =>
        one.last !== end && other.first !== -end && one.last + step === other.first
      return meets(a, b) || meets(b, a)
    }
  }
}

function contains(whole: Places | null, part: Places | null): boolean {
  if (part === null) return true
  return whole !== null && whole.first <= part.first && whole.last >= part.last
}

/** The empty one first, then by where they begin, then by where they end. */
export function compare(a: Places | null, b: Places | null): number {
  if (a === null || b === null) return Number(a !== null) - Number(b !== null)
  return a.first - b.first || a.last - b.last
}
