import type { Table } from '../../db/catalog/catalog.ts'
import type { Operation } from '../../db/define.ts'
import type { Caller } from '../access/caller.ts'
import { errors } from '../errors.ts'
import type { RowPolicy } from './plan.ts'

/**
 * The rows of `table` that `caller` may touch with `operation`.
 *
 * @throws 42501 when there are none by right
 */
export function authorize(table: Table, operation: Operation, caller: Caller): RowPolicy {
  if (caller.role === 'service_role') return { kind: 'all' }
  if (table.access[caller.role]?.[operation] === true) return { kind: 'all' }
  throw errors.denied(table.name, caller.signedIn)
}
