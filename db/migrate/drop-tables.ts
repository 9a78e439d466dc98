import { quoteName } from '../quote.ts'
import type { Planner } from './planner.ts'
import { parentsFirst } from './rebuild-tables.ts'
import { sameName } from './sql-tokens.ts'
import type { StatementOf } from './statement.ts'

/** Tables go after those that refer to them. */
export function dropTables(planner: Planner, group: readonly StatementOf<'drop-table'>[]): void {
  const { model } = planner
  const going = group.flatMap(({ table }) => model.table(table) ?? [])
  const isGoing = (name: string) => going.some((other) => sameName(other.name, name))
  for (const operation of group) {
    planner.source = operation.sql
    if (!model.table(operation.table) && !operation.ifExists)
      throw planner.error(`there is no table ${operation.table}`)
    for (const child of model.tables.values()) {
      const key = child.foreignKeys.find(({ parent }) => sameName(parent, operation.table))
      if (!key || isGoing(child.name)) continue
      throw planner.error(
        `${child.name}.${key.columns.join(', ')} still refers to ${operation.table}`,
        `Take the foreign key of ${child.name} out of the schema in the same migration, or before.`,
      )
    }
  }
  for (const table of parentsFirst(going).reverse()) {
    planner.source = group.find((operation) => sameName(operation.table, table.name))?.sql ?? null
    for (const { columns } of table.foreignKeys.filter(({ parent }) => isGoing(parent)))
      planner.temporaryIndex(table.name, columns)
    for (const trigger of model.triggersOn(table.name)) planner.run(`DROP TRIGGER ${quoteName(trigger.name)}`)
    planner.dropSearchOf(table.name)
    planner.detach(table.name)
    planner.run(`DROP TABLE ${quoteName(table.name)}`)
    planner.rewritten.add(table.name)
  }
}
