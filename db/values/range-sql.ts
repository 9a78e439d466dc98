/**
 * Ranges in SQL: what of a text in `canonicalRange`'s form says which range it is.
 * @module
 */
import type { RangeKind } from './range-bounds.ts'

/** SQL of the parts of a range, none of which is null unless the range is. */
export interface RangeParts {
  /** 1 unless it is empty. */
  readonly filled: string
  /** Lower bound: 0 without one, else 1; its value; 1 when that is not within. In this order they compare as lower bounds do. */
  readonly lower: readonly [there: string, value: string, outside: string]
  /** Upper bound: 1 without one, else 0; its value; 1 when that is within. In this order they compare as upper bounds do. */
  readonly upper: readonly [open: string, value: string, within: string]
}

/** @param v SQL of the range's text */
export function rangeParts(v: string, kind: RangeKind): RangeParts {
  const comma = `instr(${v},',')`
  const value = (bound: string) => {
    switch (kind) {
      case 'int4range':
      case 'int8range':
        return `CAST(${bound} AS INTEGER)`
      case 'numrange':
        return `CAST(${bound} AS NUMERIC)`
      case 'daterange':
        return bound
      default:
        return `trim(${bound},'"')`
    }
  }
  return {
    filled: `(${v}<>'empty')`,
    lower: [`(substr(${v},2,1)<>',')`, value(`substr(${v},2,${comma}-2)`), `(substr(${v},1,1)='(')`],
    upper: [
      `(substr(${v},-2,1)=',')`,
      value(`substr(${v},${comma}+1,length(${v})-${comma}-1)`),
      `(substr(${v},-1)=']')`,
    ],
  }
}

/** What ranges are ordered by: the empty one first, then lower bounds, then upper ones. */
export function rangeOrder(v: string, kind: RangeKind): readonly string[] {
  const { filled, lower, upper } = rangeParts(v, kind)
  return [filled, ...lower, ...upper]
}
