import { describe, expect, it } from 'vitest'
import { limitRate } from '../../functions/access/rate-limit.ts'
import type { Caller } from '../../functions/core/caller.ts'

/** Stands in for Cloudflare's counters, to see what they are asked and to refuse. */
function limiter(refused: string | null = null) {
  const keys: string[] = []
  const limit = async ({ key }: { key: string }) => {
    keys.push(key)
    return { success: key !== refused }
  }
  return { keys, binding: { limit } as unknown as RateLimit }
}

const anon: Caller = { role: 'anon', sub: null, signedIn: false, claims: {}, key: 'publishable' }
const user: Caller = {
  role: 'authenticated',
  sub: '7',
  signedIn: true,
  claims: { sub: '7', iss: 'me' },
  key: 'publishable',
}
const server: Caller = { role: 'service_role', sub: null, signedIn: true, claims: {}, key: 'secret' }

describe('rate limits', () => {
  it.each([
    ['a signed-in caller by subject', user, '1.2.3.4', ['sub:me\n7', 'key:publishable']],
    ['an anonymous caller by address', anon, '1.2.3.4', ['ip:1.2.3.4', 'key:publishable']],
    ['an IPv6 caller by network', anon, '2001:DB8:1:2:3:4:5:6', ['ip:2001:db8:1:2', 'key:publishable']],
    ['the same, written short', anon, '2001:db8:1:2::6', ['ip:2001:db8:1:2', 'key:publishable']],
    ['the same, written shorter', anon, '2001:db8::6', ['ip:2001:db8:0:0', 'key:publishable']],
    ['a server by its key alone', server, '1.2.3.4', ['key:secret']],
    ['a refused caller by address alone', null, '1.2.3.4', ['ip:1.2.3.4']],
    ['a caller whose address nobody knows by key alone', anon, null, ['key:publishable']],
  ] as const)('count %s', async (_, caller, address, expected) => {
    const { keys, binding } = limiter()
    await limitRate({ perKey: binding, perCaller: binding, seconds: 60 }, caller, address)
    expect(keys).toEqual(expected)
  })

  it.each(['sub:me\n7', 'key:publishable'])(
    'refuse when %s asks too often, and say for how long',
    async (key) => {
      const { binding } = limiter(key)
      const limits = { perKey: binding, perCaller: binding, seconds: 10 }
      await expect(limitRate(limits, user, null)).rejects.toMatchObject({
        status: 429,
        headers: { 'Retry-After': '10' },
      })
      await limitRate(limits, server, null)
    },
  )

  it('of one caller use up nothing of what all share', async () => {
    const { keys, binding } = limiter('ip:1.2.3.4')
    const limits = { perKey: binding, perCaller: binding, seconds: 10 }
    for (let i = 0; i < 3; i++)
      await expect(limitRate(limits, anon, '1.2.3.4')).rejects.toMatchObject({ status: 429 })
    expect(keys).not.toContain('key:publishable')
  })
})
