import type { Value } from '../ask/request.ts'
import type { ResourcePlan } from '../plan/plan.ts'
import { limitOf, offsetOf } from '../plan/range.ts'
import type { Parameters } from './sql.ts'

/** LIMIT and OFFSET of a resource, no more than `maxRows`; nothing when there are none. */
export function rangeSql(resource: ResourcePlan, maxRows: number | null, parameters: Parameters): string {
  const { limit, offset } = resource
  if (limit === null && offset === null && maxRows === null) return ''
  const bounded = (text: string) => Math.min(limitOf(text), maxRows ?? Number.MAX_SAFE_INTEGER)
  const most = limit === null ? String(maxRows ?? -1) : bindNumber(limit, bounded, parameters)
  return ` LIMIT ${most}${offset === null ? '' : ` OFFSET ${bindNumber(offset, offsetOf, parameters)}`}`
}

/** LIMIT of one of several databases' parts: what comes before the range may all lie there. */
export function spreadRangeSql(
  resource: ResourcePlan,
  maxRows: number | null,
  parameters: Parameters,
): string {
  const { limit, offset } = resource
  if (limit === null && maxRows === null) return ''
  const bounded = (text: string) => Math.min(limitOf(text), maxRows ?? Number.MAX_SAFE_INTEGER)
  const most = limit === null ? String(maxRows) : bindNumber(limit, bounded, parameters)
  return ` LIMIT ${most}${offset === null ? '' : ` + ${bindNumber(offset, offsetOf, parameters)}`}`
}

/**
 * Rows that nobody ordered come as they were inserted, whichever index the database takes: else equal requests
 * would page through different orders.
 */
export function implicitOrder(resource: ResourcePlan): string {
  return resource.table.kind === 'table' && resource.source === 'table'
    ? ` ORDER BY ${resource.alias}.rowid`
    : ''
}

function bindNumber(value: Value, convert: (text: string) => number, parameters: Parameters): string {
  if (value.kind === 'constant') return String(convert(value.text))
  return `CAST(${parameters.add({ kind: 'operand', index: value.index, convert })} AS INTEGER)`
}
