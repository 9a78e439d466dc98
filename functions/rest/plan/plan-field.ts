import type { Table } from '../../../db/catalog/catalog.ts'
import type { Field } from '../ask/request.ts'
import { errors } from '../errors.ts'
import type { FieldPlan } from './plan.ts'

/** The key under which a field appears: the last name on its JSON path. */
export function nameOf(field: Field): string {
  return field.path.reduce((name, step) => (typeof step.at === 'string' ? step.at : name), field.name)
}

export function fieldPlan(table: Table, alias: string, field: Field): FieldPlan {
  const column = table.columns.get(field.name)
  if (column === undefined) throw errors.undefinedColumn(table.shownName, field.name)
  return {
    table: table.name,
    alias,
    column,
    path: field.path,
    untyped: table.kind === 'view' || column.expression !== null,
    search: table.search,
  }
}
