import { type Column, keyColumn, type Table } from './catalog.ts'
import type { Draft } from './draft.ts'

/**
 * SQL names of the columns whose values are to be unique over all shards, a free key among them; what cannot be is a problem. Their text
 * must say what SQLite compares, and every new value must be known before its row is written.
 */
export function uniqueAcrossShards(draft: Draft, ids: Table['ids'], problems: string[]): string[] {
  const { declaration } = draft
  if (declaration.kind !== 'distributed') return []
  const key = ids === 'free' ? keyColumn(draft) : null
  const keys = new Set([...(key === null ? [] : [key.key]), ...declaration.uniqueAcrossShards])
  return [...keys].flatMap((name) => {
    const column = [...draft.columns.values()].find((candidate) => candidate.key === name)
    const problem =
      column === undefined
        ? 'uniqueAcrossShards names it, and the table has no such column; name one that it has'
        : whyNot(draft, column, declaration.by, column === key)
    if (problem === null && column !== undefined) return [column.name]
    problems.push(`table ${draft.name}, column ${column?.name ?? name}: ${problem}`)
    return []
  })
}

function whyNot({ uniques }: Draft, column: Column, by: string, isFreeKey: boolean): string | null {
  if (column.key === by) {
    return 'the distribution column is unique over all shards if it is unique at all; leave it out'
  }
  const isUnique = uniques.some(({ columns }) => columns.length === 1 && columns[0] === column.name)
  if (!isUnique) return 'a column that is unique over all shards must be unique on each; add .unique()'
  if (column.type !== 'text' && column.type !== 'integer') {
    return `only texts and integers can be unique over all shards, and it is ${column.type}; leave it out`
  }
  if (column.generated || column.default?.kind === 'sql' || column.default?.kind === 'value') {
    return isFreeKey
      ? 'a key that the database fills in by itself cannot be kept unique over all shards; make it with $defaultFn'
      : 'what the database fills in by itself cannot be unique over all shards; drop the default'
  }
  if (column.default?.kind === 'rowid' && !isFreeKey) {
    return 'numbers that Atoll gives out are unique over all shards; leave it out'
  }
  return null
}
