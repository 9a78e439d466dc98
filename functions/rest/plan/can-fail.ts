import type { ValueForm } from '../../../db/catalog/catalog.ts'
import type { Operator } from '../ask/request.ts'
import type { Predicate } from './plan.ts'

/** Operators that are true, false or unknown of every value; patterns and searches may be too complex, once one is met. */
const surelyAnswered: ReadonlySet<Operator> = new Set([
  'eq',
  'neq',
  'gt',
  'gte',
  'lt',
  'lte',
  'isdistinct',
  'in',
  'is',
  'sl',
  'sr',
  'nxr',
  'nxl',
  'adj',
])

/** What the app's own SQL does with a value, nobody knows; JSON of bytes may be none. */
function mayFailOn({ isJson, isDeclared }: ValueForm, operator: Operator): boolean {
  return isJson || (isDeclared && !['eq', 'neq', 'in', 'isdistinct'].includes(operator))
}

/** Whether a predicate may fail on some value, rather than be true or not. */
export function canFail(predicate: Predicate): boolean {
  switch (predicate.kind) {
    case 'embed':
      return false
    case 'compare': {
      const { column, path, untyped } = predicate.field
      if (path.length > 0 || column.type === 'json' || column.expression !== null || untyped) return true
      if (column.form !== null && mayFailOn(column.form, predicate.operator)) return true
      return predicate.quantifier !== null || !surelyAnswered.has(predicate.operator)
    }
    default:
      return predicate.terms.some(canFail)
  }
}
