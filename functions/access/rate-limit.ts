import { type Caller, identityOf } from '../core/caller.ts'
import { errors } from './errors.ts'
import type { Limits } from './services.ts'

/**
 * Counts a request against its key and its caller, with Cloudflare's rate-limit bindings: per location, and near enough
 * rather than exact. Servers with the secret key are counted by key alone. Who asks beyond their own limit is refused by it, and uses
 * up nothing of what all share.
 *
 * @param caller null when the key or token was refused: guessing is counted by address
 * @throws 429 when there were too many
 */
export async function limitRate(
  limits: Limits,
  caller: Caller | null,
  address: string | null,
): Promise<void> {
  const counted = [
    { limit: limits.perCaller, key: callerKey(caller, address) },
    { limit: limits.perKey, key: caller === null ? null : `key:${caller.key}` },
  ]
  for (const { limit, key } of counted) {
    if (limit === null || key === null) continue
    const { success } = await limit.limit({ key })
    if (!success) throw errors.tooManyRequests(limits.seconds)
  }
}

/** Who a caller is to whatever counts callers; null for servers with the secret key, and where nobody knows. */
export function callerKey(caller: Caller | null, address: string | null): string | null {
  if (caller?.role === 'service_role') return null
  const identity = caller === null ? null : identityOf(caller)
  if (identity !== null) return `sub:${identity}`
  return address === null ? null : `ip:${callerNetwork(address)}`
}

/** An IPv6 address stands for its /64: whoever has one has all of them. */
export function callerNetwork(address: string | null): string {
  if (address === null) return ''
  if (!address.includes(':')) return address
  const [head = '', tail] = address.split('::', 2)
  const left = head.split(':').filter((group) => group !== '')
  const right = (tail ?? '').split(':').filter((group) => group !== '')
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length)
  const groups = [...left, ...Array<string>(zeros).fill('0'), ...right]
  return groups.slice(0, 4).join(':').toLowerCase()
}
