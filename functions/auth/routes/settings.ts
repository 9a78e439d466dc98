/**
 * What anybody may know: that the area answers, how people may sign in, and the keys that tokens are verified with.
 * @module
 */
import { Hono } from 'hono'
import { answer } from '../told.ts'
import type { AuthEnv } from '../visit.ts'

/** How long verifiers keep the keys, in seconds: less than a key is public before it signs. */
const keysSeconds = 600

/** @param external providers by name, beside those of addresses */
export function createSettingsRoutes(external: Readonly<Record<string, boolean>> = {}) {
  return new Hono<AuthEnv>()
    .get('/health', () =>
      answer({ version: 'atoll', name: 'GoTrue', description: 'Accounts as GoTrue has them, by Atoll' }),
    )
    .get('/settings', (c) => {
      const { terms } = c.env.visit
      return answer({
        external: {
          ...external,
          email: terms.email,
          phone: terms.phone,
          anonymous_users: terms.anonymous,
        },
        disable_signup: terms.signUp === 'invited',
        mailer_autoconfirm: !terms.confirmEmail,
        phone_autoconfirm: !terms.confirmPhone,
        sms_provider: terms.sendSms === null ? '' : 'function',
        saml_enabled: false,
      })
    })
    .get('/.well-known/jwks.json', async (c) => {
      const { services, terms } = c.env.visit
      const keys = terms.tokens.algorithm === 'ES256' ? await services.signingKeys.publicKeys() : []
      return c.json({ keys }, 200, { 'Cache-Control': `public, max-age=${keysSeconds}` })
    })
}
