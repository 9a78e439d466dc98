import { sameColumns, type Table, type UniqueKey } from './catalog.ts'

/**
 * The unique key that SQLite means.
 *
 * @param columns those that it names; a partial index has no other name
 * @param subject what it names: of an index over expressions, the index
 */
export function violatedKey(
  table: Table | undefined,
  columns: readonly string[],
  subject: string,
): UniqueKey | null {
  const [, index] = /^index '(.+)'$/.exec(subject) ?? []
  if (index !== undefined) return { constraint: index, columns: [] }
  const isMeant = (key: UniqueKey) => sameColumns(key.columns, columns)
  return table?.uniques.find(isMeant) ?? table?.partialUniques.find(isMeant) ?? null
}
