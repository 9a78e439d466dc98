import { Secret, TOTP } from 'otpauth'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AuthServer, startAuthServer } from '../support/auth-server.ts'

let server: AuthServer
beforeAll(async () => {
  server = await startAuthServer('plain')
})
afterAll(() => server.stop())

const password = 'correct horse battery'
let number = 0

async function signedUp() {
  const client = server.client()
  const email = `factor-${++number}@example.com`
  const { data } = await client.auth.signUp({ email, password })
  if (!data.user) throw new Error('nobody was signed in')
  return { client, email, user: data.user }
}

/** The code of the step that is now, or so many after it. */
const codeOf = (secret: string, steps = 0) =>
  new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: Date.now() + steps * 30_000 })

/** Somebody with a verified factor, whose session was raised by it: a code of the step before was used. */
async function withFactor() {
  const made = await signedUp()
  const { mfa } = made.client.auth
  const { data: factor, error } = await mfa.enroll({ factorType: 'totp', friendlyName: 'phone' })
  if (error) throw error
  const verified = await mfa.challengeAndVerify({
    factorId: factor.id,
    code: codeOf(factor.totp.secret, -1),
  })
  if (verified.error) throw verified.error
  return { ...made, factor }
}
const claimsOf = (token = '') =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as {
    aal: string
    amr: { method: string }[]
  }

describe('a second factor', () => {
  it('is enrolled, asked and verified, and raises the session for as long as that goes on', async () => {
    const { client, email } = await signedUp()
    const { mfa } = client.auth
    const other = server.client()
    await other.auth.signInWithPassword({ email, password })
    expect((await mfa.getAuthenticatorAssuranceLevel()).data).toMatchObject({
      currentLevel: 'aal1',
      nextLevel: 'aal1',
    })
    const enrolled = await mfa.enroll({ factorType: 'totp', friendlyName: 'phone', issuer: 'Shop' })
    expect(enrolled.data?.totp.qr_code).toMatch(/^data:image\/svg\+xml;utf-8,<svg/)
    const { secret = '', uri } = enrolled.data?.totp ?? {}
    expect(uri).toContain(`secret=${secret}`)
    expect(uri).toContain('issuer=Shop')
    const factorId = enrolled.data?.id as string
    // Nothing of it is to be read where it lies.
    const [row] = await server.sql<{ secret: string }>(
      `SELECT secret FROM auth_factors WHERE id = '${factorId}'`,
    )
    expect(row?.secret).not.toContain(secret)
    const asked = await mfa.challenge({ factorId })
    const verified = await mfa.verify({
      factorId,
      challengeId: asked.data?.id as string,
      code: codeOf(secret),
    })
    expect([verified.error, claimsOf(verified.data?.access_token).aal]).toEqual([null, 'aal2'])
    expect(claimsOf(verified.data?.access_token).amr.map(({ method }) => method)).toEqual([
      'password',
      'totp',
    ])
    expect((await mfa.getAuthenticatorAssuranceLevel()).data).toMatchObject({
      currentLevel: 'aal2',
      nextLevel: 'aal2',
    })
    expect((await mfa.listFactors()).data?.totp).toMatchObject([{ id: factorId, status: 'verified' }])
    const refreshed = await client.auth.refreshSession()
    expect(claimsOf(refreshed.data.session?.access_token).aal).toBe('aal2')
    // Who is signed in by the password alone is so no longer.
    expect((await other.auth.refreshSession()).error?.code).toBe('refresh_token_not_found')
    await other.auth.signInWithPassword({ email, password })
    expect((await other.auth.mfa.getAuthenticatorAssuranceLevel()).data).toMatchObject({
      currentLevel: 'aal1',
      nextLevel: 'aal2',
    })
    expect((await mfa.unenroll({ factorId })).data).toEqual({ id: factorId })
    const lowered = await client.auth.refreshSession()
    expect(claimsOf(lowered.data.session?.access_token)).toMatchObject({
      aal: 'aal1',
      amr: [{ method: 'password' }],
    })
  })

  it('takes a code once, and none that comes before one that was used', async () => {
    const { client, factor } = await withFactor()
    const { mfa } = client.auth
    const verify = (steps: number) =>
      mfa.challengeAndVerify({ factorId: factor.id, code: codeOf(factor.totp.secret, steps) })
    expect((await verify(-1)).error?.code).toBe('mfa_verification_failed')
    expect((await verify(1)).error).toBeNull()
    expect((await verify(0)).error?.code).toBe('mfa_verification_failed')
  })

  it('takes one of many answers that come at the same time', async () => {
    const { client, factor } = await withFactor()
    const { data } = await client.auth.getSession()
    const asked = await client.auth.mfa.challenge({ factorId: factor.id })
    const code = codeOf(factor.totp.secret, 1)
    const answers = await Promise.all(
      Array.from({ length: 4 }, () =>
        server.ask(`/auth/v1/factors/${factor.id}/verify`, {
          method: 'POST',
          headers: { Authorization: `Bearer ${data.session?.access_token}` },
          body: JSON.stringify({ challenge_id: asked.data?.id, code }),
        }),
      ),
    )
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
  })

  it('gives a challenge five tries, and one session', async () => {
    const { client, email, factor } = await withFactor()
    const { mfa } = client.auth
    const { data } = await mfa.challenge({ factorId: factor.id })
    const challengeId = data?.id as string
    const right = codeOf(factor.totp.secret, 1)
    const wrong = right === '123456' ? '123457' : '123456'
    const other = server.client()
    await other.auth.signInWithPassword({ email, password })
    const strange = await other.auth.mfa.verify({ factorId: factor.id, challengeId, code: right })
    expect(strange.error?.code).toBe('mfa_challenge_expired')
    for (let i = 0; i < 5; i++) {
      const { error } = await mfa.verify({ factorId: factor.id, challengeId, code: wrong })
      expect(error?.code).toBe('mfa_verification_failed')
    }
    const late = await mfa.verify({ factorId: factor.id, challengeId, code: right })
    expect(late.error?.code).toBe('mfa_challenge_expired')
  })

  it('is nobody else’s, and not to be had by a password alone', async () => {
    const { client, email, factor } = await withFactor()
    const stranger = await signedUp()
    expect((await stranger.client.auth.mfa.challenge({ factorId: factor.id })).error?.code).toBe(
      'mfa_factor_not_found',
    )
    const other = server.client()
    await other.auth.signInWithPassword({ email, password })
    const { mfa } = other.auth
    expect((await mfa.unenroll({ factorId: factor.id })).error?.code).toBe('insufficient_aal')
    expect((await mfa.enroll({ factorType: 'totp', friendlyName: 'mine' })).error?.code).toBe(
      'insufficient_aal',
    )
    expect((await other.auth.updateUser({ password: 'another horse battery' })).error?.code).toBe(
      'insufficient_aal',
    )
    expect((await other.auth.updateUser({ data: { name: 'Ada' } })).error).toBeNull()
    const again = await client.auth.mfa.enroll({ factorType: 'totp', friendlyName: 'phone' })
    expect(again.error?.code).toBe('mfa_factor_name_conflict')
    expect((await client.auth.updateUser({ password: 'another horse battery' })).error).toBeNull()
  })

  it('may be taken away with the secret key, and then the session is worth less', async () => {
    const { client, user, factor } = await withFactor()
    const admin = server.admin.auth.admin
    expect((await admin.mfa.listFactors({ userId: user.id })).data?.factors).toMatchObject([
      { id: factor.id, status: 'verified' },
    ])
    expect((await admin.mfa.deleteFactor({ userId: user.id, id: factor.id })).error).toBeNull()
    const lowered = await client.auth.refreshSession()
    expect(claimsOf(lowered.data.session?.access_token).aal).toBe('aal1')
    const { data } = await client.auth.getSession()
    const refused = await server.ask(`/auth/v1/admin/users/${user.id}/factors`, {
      headers: { Authorization: `Bearer ${data.session?.access_token}` },
    })
    expect(refused.status).toBe(403)
  })
})
