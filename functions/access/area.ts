/**
 * Who is calling, and what they may: keys, tokens, roles, rate limits.
 * @module
 */
import type { Area } from '../core/area.ts'
import type { CoreServices } from '../core/context.ts'
import type { CoreEngine } from '../core/engine.ts'
import { type AccessConfig, accessDefaults } from './config.ts'
import { errors } from './errors.ts'
import { createIdentify } from './identify-caller.ts'
import type { AccessEnv, AccessServices, Limits } from './services.ts'

// What areas above it use.
export { callerKey, callerNetwork } from './rate-limit.ts'
export { allRows, noRows, policyCallerOf, Rights, type RowPolicy } from './rights.ts'
export type { AccessServices } from './services.ts'

export const access = {
  name: 'access',
  defaults: accessDefaults,
  errors,

  open(env: AccessEnv, { config, budget }: CoreEngine<AccessConfig>, { keys }: CoreServices): AccessServices {
    return {
      identify: createIdentify(keys, config, budget),
      limits: limitsOf(env, config),
      rateLimit: (binding) => {
        const limit = (env as unknown as Record<string, RateLimit | undefined>)[binding]
        return env.ATOLL_RATE_LIMITS === 'off' ? null : (limit ?? null)
      },
      rateLimitSeconds: config.rateLimitSeconds,
    }
  },
} satisfies Area

function limitsOf(env: AccessEnv, { rateLimitSeconds: seconds }: AccessConfig): Limits | null {
  const perKey = env.KEY_RATE_LIMIT ?? null
  const perCaller = env.CALLER_RATE_LIMIT ?? null
  if (env.ATOLL_RATE_LIMITS === 'off' || (perKey === null && perCaller === null)) return null
  return { perKey, perCaller, seconds }
}
