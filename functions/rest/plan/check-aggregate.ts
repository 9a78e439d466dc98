import type { ColumnType } from '../../../db/catalog/catalog.ts'
import type { CastType } from '../ask/casts.ts'
import type { AggregateName } from '../ask/request.ts'
import { errors } from '../errors.ts'
import type { FieldPlan } from './plan.ts'

/** @throws 42883 for an aggregate that PostgreSQL does not have of the type: SQLite would make a number of anything */
export function checkAggregate(name: AggregateName, cast: CastType | null, field: FieldPlan): void {
  if (cast === null) checkFormAggregate(name, field)
  const type = cast ?? typeOf(field)
  const isOrdered = name === 'min' || name === 'max'
  const isKnown = isOrdered
    ? type !== 'json' && type !== 'boolean'
    : name === 'count' || type === 'integer' || type === 'real' || type === 'numeric'
  if (!isKnown)
    throw errors.undefinedFunction(
      `function ${name}(${type}) does not exist`,
      'No function matches the given name and argument types. You might need to add explicit type casts.',
    )
}

/** The type of what a field gives: of a column, or of a path into its JSON. */
function typeOf({ column, path }: FieldPlan): ColumnType {
  const last = path.at(-1)
  const own = column.form?.isJson ? 'json' : column.type
  return last === undefined ? own : last.asText ? 'text' : 'json'
}

/** Values of a form are counted, and have a least and a greatest one where they are ordered as they are stored. @throws 42883 */
function checkFormAggregate(name: AggregateName, { column, path }: FieldPlan): void {
  const { form } = column
  if (form === null || path.length > 0 || name === 'count') return
  if ((name === 'min' || name === 'max') && form.order.length === 0 && !form.isJson) return
  throw errors.undefinedFunction(
    `function ${name}(${form.name}) does not exist`,
    'No function matches the given name and argument types. You might need to add explicit type casts.',
  )
}
