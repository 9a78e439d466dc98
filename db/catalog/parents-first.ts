import type { Table } from './catalog.ts'

/** Tables, each behind those among them that it refers to, as far as they do not refer to each other. */
export function parentsFirst(tables: readonly Table[]): Table[] {
  const sorted = new Set<Table>()
  const begun = new Set<Table>()
  const visit = (table: Table) => {
    if (begun.has(table)) return
    begun.add(table)
    for (const { forward, junction, to } of table.relations) {
      const parent = forward && junction === null ? tables.find(({ name }) => name === to) : undefined
      if (parent) visit(parent)
    }
    sorted.add(table)
  }
  for (const table of tables) visit(table)
  return [...sorted]
}
