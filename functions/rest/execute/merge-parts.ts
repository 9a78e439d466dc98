/**
 * Puts the answers of several databases together into the one that a single database would give.
 * @module
 */
import type { Row } from '../../../db/sql/statement.ts'
import { csvField } from '../ask/csv-field.ts'
import type { CompiledSpread, GroupColumn } from '../compile/compile-spread.ts'
import type { ReadPlan } from '../plan/plan.ts'
import { compareBy, compareStored, sortRows } from './sort-rows.ts'

/** A range of the merged rows. */
export interface MergeRange {
  readonly offset: number
  readonly limit: number | null
}

/** @returns the rows in range, as texts, and the number of all that were merged */
export function mergeParts(
  parts: readonly (readonly Row[])[],
  spread: CompiledSpread,
  plan: ReadPlan,
  { offset, limit }: MergeRange,
): { readonly rows: readonly string[]; readonly merged: number } {
  const all =
    spread.kind === 'rows'
      ? sortRows(parts.flat(), plan.root.order).map((row) => row.r as string)
      : mergeGroups(parts, spread.columns, plan)
  const end = limit === null ? undefined : offset + limit
  return { rows: all.slice(offset, end), merged: all.length }
}

/** One group as far as it is put together. */
interface Group {
  readonly row: Row
  readonly totals: Total[]
}

/** An aggregate as far as it is put together; `text` is JSON of the least or greatest value. */
interface Total {
  sum: bigint | number | null
  /** What rounding has taken from the sum: Kahan and Babuška's method, which SQLite sums by as well. */
  lost: number
  count: number
  value: unknown
  type: string
  text: string
}

function mergeGroups(
  parts: readonly (readonly Row[])[],
  columns: readonly GroupColumn[],
  plan: ReadPlan,
): string[] {
  const groups = new Map<string, Group>()
  for (const row of parts.flat()) {
    const key = columns.map((column, i) => (column.kind === 'key' ? row[`j${i}`] : '')).join('\n')
    let group = groups.get(key)
    if (!group) {
      const totals = columns.map(
        (): Total => ({ sum: null, lost: 0, count: 0, value: null, type: 'null', text: '[null]' }),
      )
      group = { row, totals }
      groups.set(key, group)
    }
    for (const [i, column] of columns.entries()) {
      if (column.kind === 'aggregate') add(group.totals[i] as Total, column, row, i)
    }
  }
  const { order } = plan.root
  // What the order leaves open the groups decide, as they do on each database.
  const sorted = [...groups.values()].sort((a, b) => {
    const ordered = compareBy(order, a.row, b.row)
    if (ordered !== 0) return ordered
    for (const [i, column] of columns.entries()) {
      if (column.kind !== 'key') continue
      const compared = compareStored(a.row[`g${i}`], b.row[`g${i}`])
      if (compared !== 0) return compared
    }
    return 0
  })
  return sorted.map((group) => shape(group, columns, plan))
}

function add(
  total: Total,
  { aggregate }: Extract<GroupColumn, { kind: 'aggregate' }>,
  row: Row,
  i: number,
): void {
  total.count += Number(row[`n${i}`] ?? 0)
  const type = row[`y${i}`] as string | undefined
  if (aggregate === 'count' || type === undefined || type === 'null') return
  const part = row[`p${i}`]
  if (aggregate === 'min' || aggregate === 'max') {
    const value = type === 'integer' ? BigInt(part as string) : part
    const compared = total.type === 'null' ? 0 : compareStored(value, total.value)
    if (total.type !== 'null' && (aggregate === 'min' ? compared >= 0 : compared <= 0)) return
    total.value = value
    total.type = type
    total.text = row[`j${i}`] as string
    return
  }
  const value = type === 'integer' ? BigInt(part as string) : Number(part)
  if (total.sum === null) total.sum = value
  else if (typeof value === 'bigint' && typeof total.sum === 'bigint') total.sum += value
  else addReal(total, Number(value))
}

function addReal(total: Total, value: number): void {
  const before = Number(total.sum)
  const sum = before + value
  total.lost += Math.abs(before) >= Math.abs(value) ? before - sum + value : value - sum + before
  total.sum = sum
}

function shape({ row, totals }: Group, columns: readonly GroupColumn[], { media }: ReadPlan): string {
  const csv = media.kind === 'csv'
  const values = columns.map((column, i): string | null => {
    if (column.kind === 'key') {
      const text = row[`j${i}`] as string
      return csv ? text : text.slice(1, -1)
    }
    const text = resultOf(totals[i] as Total, column)
    return csv && text?.startsWith('"') ? csvField(JSON.parse(text) as string) : text
  })
  if (csv) return values.map((value) => value ?? '').join(',')
  // Of columns of one name the last is shown, as by SQLite.
  const byName = new Map(columns.map(({ name }, i) => [name, values[i] ?? 'null']))
  const members = [...byName].flatMap(([name, value]) => {
    return media.nullsStripped && value === 'null' ? [] : [`${JSON.stringify(name)}:${value}`]
  })
  return `{${members.join(',')}}`
}

/** JSON of an aggregate's result; null for none. */
function resultOf(
  total: Total,
  { aggregate, cast }: Extract<GroupColumn, { kind: 'aggregate' }>,
): string | null {
  switch (aggregate) {
    case 'count':
      return castNumber(BigInt(total.count), cast)
    case 'sum':
      return total.sum === null ? null : castNumber(sumOf(total), cast)
    case 'avg':
      return total.sum === null ? null : castNumber(Number(sumOf(total)) / total.count, cast)
    default: {
      if (total.type === 'null') return null
      if (total.type === 'integer' || total.type === 'real') {
        if (cast !== null) return castNumber(total.value as bigint | number, cast)
      }
      const text = total.text.slice(1, -1)
      return text === 'null' ? null : text
    }
  }
}

function sumOf({ sum, lost }: Total): bigint | number {
  return typeof sum === 'bigint' ? sum : Number(sum) + lost
}

function castNumber(value: bigint | number, cast: string | null): string {
  switch (cast) {
    case 'text':
      return JSON.stringify(String(value))
    case 'integer':
      return typeof value === 'bigint'
        ? String(value)
        : String(Math.sign(value) * Math.round(Math.abs(value)))
    case 'real':
      return realText(Number(value))
    default:
      return typeof value === 'bigint' ? String(value) : realText(value)
  }
}

/** A real number as SQLite writes it in JSON: with a point, however whole it is. */
function realText(value: number): string {
  const text = String(value)
  return /^-?\d+$/.test(text) ? `${text}.0` : text
}
