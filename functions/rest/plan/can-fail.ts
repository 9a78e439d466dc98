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
])

/** Whether a predicate may fail on some value, rather than be true or not. */
export function canFail(predicate: Predicate): boolean {
  switch (predicate.kind) {
    case 'embed':
      return false
    case 'compare': {
      const { column, path, untyped } = predicate.field
      if (path.length > 0 || column.type === 'json' || column.expression !== null || untyped) return true
      return predicate.quantifier !== null || !surelyAnswered.has(predicate.operator)
    }
    default:
      return predicate.terms.some(canFail)
  }
}
