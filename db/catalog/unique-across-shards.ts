import type { Draft } from './build-catalog.ts'

/**
 * SQL names of the columns whose values are to be unique over all shards; what cannot be is a problem. Their text must say
 * what SQLite compares, and every new value must pass through the Worker.
 */
export function uniqueAcrossShards(
  { name, declaration, columns, uniques }: Draft,
  problems: string[],
): string[] {
  if (declaration.kind !== 'distributed') return []
  return declaration.uniqueAcrossShards.flatMap((key) => {
    const column = [...columns.values()].find((candidate) => candidate.key === key)
    const report = (what: string) => {
      problems.push(`table ${name}, column ${column?.name ?? key}: ${what}`)
      return []
    }
    if (!column)
      return report('uniqueAcrossShards names it, and the table has no such column; name one that it has')
    if (column.key === declaration.by) {
      return report('the distribution column is unique over all shards if it is unique at all; leave it out')
    }
    const isUnique = uniques.some(
      (unique) => unique.columns.length === 1 && unique.columns[0] === column.name,
    )
    if (!isUnique)
      return report('a column that is unique over all shards must be unique on each; add .unique()')
    if (column.type !== 'text' && column.type !== 'integer') {
      return report(
        `only texts and integers can be unique over all shards, and it is ${column.type}; leave it out`,
      )
    }
    if (column.generated || column.default?.kind === 'sql' || column.default?.kind === 'value') {
      return report('what the database fills in by itself cannot be unique over all shards; drop the default')
    }
    if (column.default?.kind === 'rowid') {
      return report('numbers that Atoll gives out are unique over all shards; leave it out')
    }
    return [column.name]
  })
}
