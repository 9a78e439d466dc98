import type { ReadSetting, Setting } from '../core/setting.ts'
import type { PoolDeclaration } from './declarations.ts'
import { errors } from './errors.ts'
import type { OriginTarget } from './origin.ts'

/**
 * A pool's origins, with the variables read that they name.
 *
 * @throws 503 when one is not set, or is no address
 */
export function readTargets({ origins }: PoolDeclaration, setting: ReadSetting): readonly OriginTarget[] {
  const read = (from: Setting): string => {
    const value = typeof from === 'string' ? from : setting(from.variable)
    if (value === undefined) throw errors.originUnset((from as { variable: string }).variable)
    return value
  }
  return Object.entries(origins).map(([name, declared]) => {
    const {
      url,
      weight = 1,
      priority = 0,
      headers = {},
    } = typeof declared === 'string' ? { url: declared } : declared
    const address = URL.parse(read(url))
    if (address === null || !/^https?:$/.test(address.protocol)) {
      throw errors.originUnset(typeof url === 'string' ? name : url.variable)
    }
    return {
      name,
      url: address,
      weight,
      priority,
      headers: Object.fromEntries(Object.entries(headers).map(([key, value]) => [key, read(value)])),
    }
  })
}
