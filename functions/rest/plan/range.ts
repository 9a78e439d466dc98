import { textOf } from '../ask/request.ts'
import { errors } from '../errors.ts'
import { integerText } from './convert-operand.ts'
import type { ResourcePlan } from './plan.ts'

/** The range that a request asks of merged rows. */
export function rangeOf(
  { limit, offset }: Pick<ResourcePlan, 'limit' | 'offset'>,
  maxRows: number | null,
  operands: readonly string[],
): { readonly offset: number; readonly limit: number | null } {
  const asked =
    limit === null ? maxRows : Math.min(limitOf(textOf(limit, operands)), maxRows ?? Number.MAX_SAFE_INTEGER)
  return { offset: offset === null ? 0 : offsetOf(textOf(offset, operands)), limit: asked }
}

/** @throws 416 `PGRST103` for what is no number, or below nothing */
export function limitOf(text: string): number {
  const number = rangeNumber('limit', text)
  if (number < 0) throw errors.negativeLimit()
  return number
}

/** @throws 416 `PGRST103` for what is no number */
export function offsetOf(text: string): number {
  return Math.max(0, rangeNumber('offset', text))
}

function rangeNumber(name: string, text: string): number {
  if (!/^-?\d{1,15}$/.test(text)) throw errors.invalidNumber(name, text)
  return Number(integerText(text))
}
