/**
 * An app that signs people in: what the tests of accounts stand on.
 * @module
 */
import type { App } from '../../functions/areas.ts'
import { type AuthDeclaration, refuse } from '../../functions/define.ts'
import journal from './db/app/migrations/meta/_journal.json' with { type: 'json' }
import tables from './db/app/tables.ts'

const migrations = journal.entries.map(({ tag }) => `${tag}.sql`)

/** A password costs as little as it may, so that tests need not wait for it. */
const cheap = { n: 1024, r: 8, p: 1 }

/** How people sign in, by the name of the case. */
export const declarations = {
  /** Addresses are confirmed; all ways are open. */
  usual: {
    anonymous: true,
    phone: true,
    redirects: ['https://app.example.com/**', 'myapp://callback'],
    passwords: { scrypt: cheap },
    rateLimits: { failuresPerAddress: 100_000, signUpsPerAddress: 100_000 },
  },
  /** Nothing is confirmed. */
  plain: {
    confirmEmail: false,
    confirmPhone: false,
    anonymous: true,
    passwords: { scrypt: cheap },
    tokens: { reuseSeconds: 30 },
    rateLimits: { failuresPerAddress: 100_000, signUpsPerAddress: 100_000 },
  },
  /** Few tries, addresses of one domain, one session for a user, tokens by the project's secret. */
  strict: {
    signUp: { domains: ['example.com'] },
    redirects: ['https://app.example.com/**'],
    passwords: { scrypt: cheap, required: ['digits'], requireCurrent: true },
    sessions: { single: true, timeboxSeconds: 3600 },
    tokens: { algorithm: 'HS256', accessSeconds: 600 },
    otpTries: 3,
    rateLimits: {
      failuresPerAccount: 5,
      failuresPerAddress: 100_000,
      signUpsPerAddress: 100_000,
      sentPerHour: 4,
    },
    hooks: {
      beforeUserCreated: async ({ user, method }) => {
        if (user.email?.startsWith('blocked')) throw refuse(403, 'signup_disabled', 'you are not welcome')
        return { appMetadata: { by: method } }
      },
      claims: async ({ user, claims }) => ({
        tenant: String(user.email).split('@')[1],
        sub: 'somebody-else',
        session_id: 'another',
        exp: Number(claims.exp) + 1_000_000,
      }),
    },
  },
} satisfies Record<string, AuthDeclaration>

export function appOf(auth: AuthDeclaration, config: App['config'] = {}): App {
  return { tables, config, auth, migrations }
}
