/**
 * Footprints: what of a table an answer was made from, and so which changes it outlives.
 * @module
 */
import type { Touch } from './change-window.ts'

/** What of one table an answer was made from. Names are SQL names. */
export interface Footprint {
  /** Columns that decided which rows are in it, in what order, or in what group, whatever rows they were; the key's among them. */
  readonly deciding: readonly string[]
  /** Columns whose values are in it. */
  readonly shown: readonly string[]
  /**
   * What precedes the key of each shown row in the answer's JSON, `"id":` say; null: which rows are shown cannot be told, so any may
   * be.
   */
  readonly marks: readonly string[] | null
}

/** Keys that JSON writes in one way, wherever: of one column, whole numbers and simple texts. */
const plainKey = /^(?:-?\d+|"[\w .@:+-]*")$/

/** Whether an answer may be another one after an update. */
export function isTouched(
  { deciding, shown, marks }: Footprint,
  body: string | null,
  [columns, ...keys]: Touch,
): boolean {
  if (columns.some((column) => deciding.includes(column))) return true
  if (!columns.some((column) => shown.includes(column))) return false
  if (marks === null || body === null || keys.length === 0) return true
  return keys.some((key) => !plainKey.test(key) || marks.some((mark) => holds(body, mark + key)))
}

/** Whether a JSON text has a member with a value, and not with one that only begins like it. */
function holds(body: string, member: string): boolean {
  for (let at = body.indexOf(member); at !== -1; at = body.indexOf(member, at + 1)) {
    const next = body[at + member.length]
    if (next === ',' || next === '}') return true
  }
  return false
}
