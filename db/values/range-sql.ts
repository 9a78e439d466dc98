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

/** Whether a text is a range in `canonicalRange`'s form: 0, 1, or null. Without CASE, whose END D1's REST API takes for a trigger's. */
export function isCanonical(v: string, kind: RangeKind): string {
  const { lower, upper } = rangeParts(v, kind)
  const comma = `instr(${v},',')`
  const [low, high] = [`substr(${v},2,${comma}-2)`, `substr(${v},${comma}+1,length(${v})-${comma}-1)`]
  const isDiscrete = kind !== 'numrange' && kind !== 'tsrange' && kind !== 'tstzrange'
  const counts = (bound: string) => (kind === 'daterange' ? `${bound} NOT GLOB '*infinity'` : '1')
  const opens = isDiscrete ? `(substr(${v},1,1)='[' OR NOT ${counts(low)})` : '1'
  const closes = isDiscrete ? `(substr(${v},-1)=')' OR NOT ${counts(high)})` : '1'
  const terms = [
    `${v} GLOB '[[(]*,*[])]'`,
    `iif(${low}='',substr(${v},1,1)='(',${isBound(low, kind)} AND ${opens})`,
    `iif(${high}='',substr(${v},-1)=')',${isBound(high, kind)} AND ${closes})`,
    `(${low}='' OR ${high}='' OR ${lower[1]} < ${upper[1]} OR (${lower[1]} = ${upper[1]} AND ${v} GLOB '[[]*]'))`,
  ]
  return `(${v}='empty' OR (${terms.join(' AND ')}))`
}

function isBound(bound: string, kind: RangeKind): string {
  switch (kind) {
    case 'int4range':
    case 'int8range':
      return `(${bound}=CAST(CAST(${bound} AS INTEGER) AS TEXT))`
    case 'numrange': {
      const size = `ltrim(${bound},'-')`
      const isNumber = `${size} GLOB '[0-9]*' AND ${size} NOT GLOB '*[^0-9.]*' AND ${size} NOT GLOB '*.*.*'`
      return `(${isNumber} AND ${size} NOT GLOB '0[0-9]*' AND ${size} NOT GLOB '*.' AND ${size} NOT GLOB '*.*0' AND length(${bound})-length(${size})<(${size}<>'0')+1)`
    }
    case 'daterange':
      return `(${bound} IN ('infinity','-infinity') OR ${bound} IS date(${bound}))`
    default: {
      const time = `trim(${bound},'"')`
      const zone = kind === 'tsrange' ? '' : '+00'
      const second = `substr(${time},1,19)`
      const fraction = `substr(${time},20,length(${time})-${19 + zone.length})`
      const isWritten = `${bound}='"'||${second}||${fraction}||'${zone}"' AND ${second} IS strftime('%Y-%m-%d %H:%M:%S',${second})`
      const isFraction = `(${fraction}='' OR (${fraction} GLOB '.[0-9]*' AND ${fraction} NOT GLOB '.*[^0-9]*' AND ${fraction} NOT GLOB '*0' AND length(${fraction})<=7))`
      return `(${bound} IN ('infinity','-infinity') OR (${isWritten} AND ${isFraction}))`
    }
  }
}
