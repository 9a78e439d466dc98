/**
 * Indexes that might serve a statement: equal columns first, then the order or a range, as SQLite uses them
 * (https://www.sqlite.org/queryplanner.html).
 * @module
 */
import type { OrderColumn, ReadTable } from './statement-columns.ts'

export interface Candidate {
  readonly table: string
  readonly columns: readonly OrderColumn[]
}

/** Columns of an index beyond which another one is not worth what it costs to write. */
const maxColumns = 4
const maxSets = 60

/** Sets of indexes to try, the smaller first: one for each, and two where a statement may need both, as with OR. */
export function candidateSets(tables: readonly ReadTable[]): readonly (readonly Candidate[])[] {
  const singles = new Map<string, Candidate>()
  const add = (table: string, columns: readonly OrderColumn[]) => {
    const names = columns.map(({ column }) => column)
    if (columns.length === 0 || columns.length > maxColumns || new Set(names).size < names.length) return
    const candidate = { table, columns }
    singles.set(nameOf(candidate), candidate)
  }
  for (const { table, equal, range, order } of tables) {
    const up = (column: string): OrderColumn => ({ column, descending: false })
    for (const column of [...equal, ...range]) add(table, [up(column)])
    const prefixes = [[], ...equal.map((column) => [column]), ...(equal.length > 1 ? [equal] : [])]
    for (const prefix of prefixes) {
      const rest = order.filter(({ column }) => !prefix.includes(column))
      add(table, [...prefix.map(up), ...rest])
      for (const column of range) add(table, [...prefix, column].map(up))
    }
    add(table, equal.map(up))
  }
  const all = [...singles.values()]
  const short = all.filter(({ columns }) => columns.length === 1)
  const pairs = short.flatMap((a, i) => short.slice(i + 1).map((b) => [a, b]))
  return [...all.map((one) => [one]), ...pairs].slice(0, maxSets)
}

export function nameOf({ table, columns }: Candidate): string {
  return `${table}_${columns.map(({ column, descending }) => column + (descending ? '_desc' : '')).join('_')}_idx`
}

export function sqlOf(candidate: Candidate): string {
  const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`
  const columns = candidate.columns.map(
    ({ column, descending }) => quoted(column) + (descending ? ' DESC' : ''),
  )
  return `CREATE INDEX ${quoted(nameOf(candidate))} ON ${quoted(candidate.table)} (${columns.join(', ')})`
}

/** Whether one index serves whatever another does: it begins with its columns. */
export function covers(longer: Candidate, shorter: Candidate): boolean {
  return (
    longer.table === shorter.table &&
    longer.columns.length >= shorter.columns.length &&
    shorter.columns.every(
      ({ column, descending }, i) =>
        longer.columns[i]?.column === column && longer.columns[i]?.descending === descending,
    )
  )
}
