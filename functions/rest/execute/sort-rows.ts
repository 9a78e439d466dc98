import type { Row } from '../../../db/sql/statement.ts'
import type { OrderPlan } from '../plan/plan.ts'

/** What of a term of `order` decides how its values compare. */
type Direction = Pick<OrderPlan, 'descending' | 'nulls'>

/**
 * Sorts rows by their columns `k0`, `k1`, … as SQLite would by the terms of `order`; whole numbers that a double cannot
 * hold stand as text in `b0`, `b1`, …
 */
export function sortRows(rows: readonly Row[], order: readonly Direction[]): readonly Row[] {
  return order.length === 0 ? rows : [...rows].sort((a, b) => compareBy(order, a, b))
}

/** How two rows compare by the terms of `order`. */
export function compareBy(order: readonly Direction[], a: Row, b: Row): number {
  for (const [i, { descending, nulls }] of order.entries()) {
    const [left, right] = [keyOf(a, i), keyOf(b, i)]
    if (left === null || right === null) {
      if (left === right) continue
      return (left === null) === (nulls === 'first') ? -1 : 1
    }
    const compared = compareStored(left, right)
    if (compared !== 0) return descending ? -compared : compared
  }
  return 0
}

function keyOf(row: Row, i: number): unknown {
  const large = row[`b${i}`]
  return typeof large === 'string' ? BigInt(large) : (row[`k${i}`] ?? null)
}

const isNumber = (value: unknown) => typeof value === 'number' || typeof value === 'bigint'

/** SQLite's order of values: null, then numbers, then text by its bytes in UTF-8. */
export function compareStored(a: unknown, b: unknown): number {
  if (a === null || b === null) return a === b ? 0 : a === null ? -1 : 1
  if (isNumber(a) && isNumber(b))
    return (a as number) < (b as number) ? -1 : (a as number) > (b as number) ? 1 : 0
  if (isNumber(a)) return -1
  if (isNumber(b)) return 1
  return compareText(String(a), String(b))
}

/** By code points, which is the order of the bytes; JavaScript compares halves of surrogate pairs. */
function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    let left = a.charCodeAt(i)
    let right = b.charCodeAt(i)
    if (left === right) continue
    if (left >= 0xd800 && right >= 0xd800) {
      left += left >= 0xe000 ? -0x800 : 0x2000
      right += right >= 0xe000 ? -0x800 : 0x2000
    }
    return left - right
  }
  return a.length - b.length
}
