/**
 * Operators of ranges, over texts in `canonicalRange`'s form.
 * Source: https://www.postgresql.org/docs/current/functions-range.html
 * @module
 */
import type { RangeKind } from '../../../db/values/range-bounds.ts'
import { type RangeParts, rangeParts } from '../../../db/values/range-sql.ts'

export const rangeSigns = {
  sl: '<<',
  sr: '>>',
  nxr: '&<',
  nxl: '&>',
  adj: '-|-',
  ov: '&&',
  cs: '@>',
  cd: '<@',
} as const

export type RangeOperator = keyof typeof rangeSigns

/** @param left SQL of a range, and `right` of one of the same kind; neither is null */
export function compareRanges(operator: RangeOperator, left: string, right: string, kind: RangeKind): string {
  const [a, b] = [rangeParts(left, kind), rangeParts(right, kind)]
  const filled = `${a.filled} AND ${b.filled}`
  switch (operator) {
    case 'sl':
      return `(${filled} AND ${isBefore(a, b)})`
    case 'sr':
      return `(${filled} AND ${isBefore(b, a)})`
    case 'nxr':
      return `(${filled} AND ${row(a.upper)} <= ${row(b.upper)})`
    case 'nxl':
      return `(${filled} AND ${row(a.lower)} >= ${row(b.lower)})`
    case 'adj':
      return `(${filled} AND (${meets(a, b)} OR ${meets(b, a)}))`
    case 'ov':
      return `(${filled} AND NOT ${isBefore(a, b)} AND NOT ${isBefore(b, a)})`
    case 'cs':
      return contains(a, b)
    case 'cd':
      return contains(b, a)
  }
}

const row = (values: readonly string[]) => `(${values.join(',')})`

/** Whether the first ends before the second begins. */
function isBefore({ upper }: RangeParts, { lower }: RangeParts): string {
  const [open, end, within] = upper
  const [there, start, outside] = lower
  return `(NOT ${open} AND ${there} AND (${end} < ${start} OR (${end} = ${start} AND (NOT ${within} OR ${outside}))))`
}

/** Whether the second begins where the first ends, with the value between them in one of them. */
function meets({ upper }: RangeParts, { lower }: RangeParts): string {
  const [open, end, within] = upper
  const [there, start, outside] = lower
  return `(NOT ${open} AND ${there} AND ${end} = ${start} AND ${within} = ${outside})`
}

function contains(whole: RangeParts, part: RangeParts): string {
  const isWithin = `${row(whole.lower)} <= ${row(part.lower)} AND ${row(whole.upper)} >= ${row(part.upper)}`
  return `(NOT ${part.filled} OR (${whole.filled} AND ${isWithin}))`
}
