import type { CoreEnv } from '../core/context.ts'
import type { Identify } from './identify-caller.ts'
import type { OwnKeys } from './own-keys.ts'

export interface AccessEnv extends CoreEnv {
  /** `off` switches the rate limits off. */
  readonly ATOLL_RATE_LIMITS?: string
  readonly KEY_RATE_LIMIT?: RateLimit
  readonly CALLER_RATE_LIMIT?: RateLimit
}

/** Cloudflare's rate limits; null where there is none. */
export interface Limits {
  readonly perKey: RateLimit | null
  readonly perCaller: RateLimit | null
  /** Their period. */
  readonly seconds: number
}

/** What the area offers. */
export interface AccessServices {
  readonly identify: Identify
  /** Keys by which the project itself signs tokens. */
  readonly ownKeys: OwnKeys
  readonly limits: Limits | null
  /** A rate limit by the name of its binding; null: not bound, or all are off. */
  readonly rateLimit: (binding: string) => RateLimit | null
  readonly rateLimitSeconds: number
}
