/**
 * Who is calling, and what they may: keys, tokens, roles, rate limits.
 * @module
 */
import type { Area } from '../core/area.ts'
import type { CoreServices } from '../core/context.ts'
import type { CoreEngine } from '../core/engine.ts'
import { type AccessConfig, accessDefaults } from './config.ts'
import { errors } from './errors.ts'
import { createIdentify, type TokenRoles } from './identify-caller.ts'
import { OwnKeys } from './own-keys.ts'
import { roleClaimOf } from './role-claim.ts'
import type { AccessEnv, AccessServices, Limits } from './services.ts'

export type { Before, CallerValues } from './config.ts'
// What areas above it use.
export { callerKey, callerNetwork } from './rate-limit.ts'
export { allRows, noRows, policyCallerOf, Rights, type RowPolicy } from './rights.ts'
export type { AccessServices } from './services.ts'

/** What the area makes of an app. */
export interface AccessEngine {
  readonly tokenRoles: TokenRoles
}

export const access = {
  name: 'access',
  defaults: accessDefaults,
  errors,

  /** @throws Error for a path to the role that is none */
  read: (_app: unknown, { config, roles }: CoreEngine<AccessConfig>): AccessEngine => ({
    tokenRoles: { all: roles, of: roleClaimOf(config.jwtRoleClaim) },
  }),

  open(
    env: AccessEnv,
    { config, budget, tokenRoles }: CoreEngine<AccessConfig> & AccessEngine,
    { keys }: CoreServices,
  ): AccessServices {
    const ownKeys = new OwnKeys()
    return {
      ownKeys,
      identify: createIdentify(keys, config, tokenRoles, budget, ownKeys),
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
