import type { Row } from '../../db/cluster/cluster.ts'
import type { OrderPlan } from './plan.ts'

/** Sorts rows by their columns `k0`, `k1`, … as SQLite would by the terms of `order`. */
export function sortRows(rows: readonly Row[], order: readonly OrderPlan[]): readonly Row[] {
  if (order.length === 0) return rows
  return [...rows].sort((a, b) => {
    for (const [i, { descending, nulls }] of order.entries()) {
      const [left, right] = [a[`k${i}`], b[`k${i}`]]
      if (left === null || right === null) {
        if (left === right) continue
        return (left === null) === (nulls === 'first') ? -1 : 1
      }
      const compared = compareValues(left, right)
      if (compared !== 0) return descending ? -compared : compared
    }
    return 0
  })
}

/** SQLite's order of values that are not null: numbers before text; text by its bytes in UTF-8. */
function compareValues(a: unknown, b: unknown): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b
  if (typeof a === 'number') return -1
  if (typeof b === 'number') return 1
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
