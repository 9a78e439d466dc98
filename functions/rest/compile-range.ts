import { errors } from '../errors.ts'
import { integerText } from './convert-operand.ts'
import type { ResourcePlan } from './plan.ts'
import { textOf, type Value } from './request.ts'
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

/** The range that a request asks of merged rows. */
export function rangeOf(
  { limit, offset }: ResourcePlan,
  maxRows: number | null,
  operands: readonly string[],
): { readonly offset: number; readonly limit: number | null } {
  const asked =
    limit === null ? maxRows : Math.min(limitOf(textOf(limit, operands)), maxRows ?? Number.MAX_SAFE_INTEGER)
  return { offset: offset === null ? 0 : offsetOf(textOf(offset, operands)), limit: asked }
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

function limitOf(text: string): number {
  const number = rangeNumber('limit', text)
  if (number < 0) throw errors.negativeLimit()
  return number
}

function offsetOf(text: string): number {
  return Math.max(0, rangeNumber('offset', text))
}

function rangeNumber(name: string, text: string): number {
  if (!/^-?\d{1,15}$/.test(text)) throw errors.invalidNumber(name, text)
  return Number(integerText(text))
}
