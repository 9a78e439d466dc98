import { type BackupTable, type Counted, type Line, type Part, RowSum } from './format.ts'
import type { LastLines } from './parts.ts'

/** Adds what a part says in the end to what was counted of its database. */
export function countLines(
  lines: readonly Line[],
  part: Part,
  number: number,
  last: LastLines,
  tables: readonly BackupTable[],
  before: Readonly<Record<string, Counted>> = {},
): Record<string, Counted> {
  const sums = new Map(Object.entries(before).map(([name, { rows, sum }]) => [name, RowSum.from(sum, rows)]))
  for (const [i, line] of lines.entries()) {
    if (line.row === null || (part.kind !== 'whole' && !last.isLast(part, number, i, line))) continue
    const sum = sums.get(line.table) ?? new RowSum()
    sums.set(line.table, sum)
    sum.add(line.table, keyIn(tables, line), line.row)
  }
  return Object.fromEntries([...sums].map(([name, sum]) => [name, { rows: sum.rows, sum: sum.text }]))
}

/** A row's key, as sums count it. */
export function keyIn(tables: readonly BackupTable[], { table, key }: Pick<Line, 'table' | 'key'>) {
  return tables.find(({ name }) => name === table)?.key[0]?.name === 'rowid' ? null : key
}
