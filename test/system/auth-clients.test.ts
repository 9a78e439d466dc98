import { createClient } from 'supabase-js-2.39'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AuthServer, readMail, startAuthServer } from '../support/auth-server.ts'
import { publishableKey } from '../support/local-server.ts'

let server: AuthServer
beforeAll(async () => {
  server = await startAuthServer('usual')
})
afterAll(() => server.stop())

const password = 'correct horse battery'

describe('supabase-js 2.39, which knows nothing of codes of errors', () => {
  it('signs up, confirms, signs in, refreshes, changes and signs out', async () => {
    const client = createClient(server.address, publishableKey, {
      auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
    })
    const email = 'older@example.com'
    expect((await client.auth.signUp({ email, password })).error).toBeNull()
    expect((await client.auth.signInWithPassword({ email, password })).error?.message).toBe(
      'Email not confirmed',
    )
    const { code } = readMail(await server.mailTo(email))
    expect((await client.auth.verifyOtp({ email, token: code, type: 'email' })).error).toBeNull()
    const signedIn = await client.auth.signInWithPassword({ email, password })
    expect([signedIn.error, signedIn.data.user?.email]).toEqual([null, email])
    expect((await client.auth.refreshSession()).error).toBeNull()
    const { data } = await client.auth.updateUser({ data: { colour: 'blue' } })
    expect(data.user?.user_metadata).toEqual({ colour: 'blue' })
    expect((await client.auth.getUser()).data.user?.email).toBe(email)
    expect((await client.auth.signOut()).error).toBeNull()
    const wrong = await client.auth.signInWithPassword({ email, password: 'wrong' })
    expect(wrong.error).toMatchObject({ message: 'Invalid login credentials', status: 400 })
    const weak = await client.auth.signUp({ email: 'x@example.com', password: 'x' })
    expect(weak.error).toMatchObject({ status: 422 })
  })
})

describe('what anybody may know', () => {
  it('is that the area answers, how to sign in, and the claims of a token by its public key', async () => {
    expect(await (await server.ask('/auth/v1/health')).json()).toMatchObject({ name: 'GoTrue' })
    expect(await (await server.ask('/auth/v1/settings')).json()).toMatchObject({
      external: { email: true, phone: true, anonymous_users: true },
      disable_signup: false,
      mailer_autoconfirm: false,
    })
    const client = server.client()
    await client.auth.signInAnonymously()
    const { data, error } = await client.auth.getClaims()
    expect([error, data?.claims.is_anonymous, data?.header.alg]).toEqual([null, true, 'ES256'])
    const nothing = await server.ask('/auth/v1/nothing')
    expect([nothing.status, await nothing.json()]).toEqual([
      404,
      { code: 404, error_code: 'not_found', msg: 'There is nothing at this path' },
    ])
    const bad = await server.ask('/auth/v1/signup', { method: 'POST', body: '{' })
    expect([bad.status, ((await bad.json()) as { error_code: string }).error_code]).toEqual([400, 'bad_json'])
  })

  it('and on this machine, what would have been sent', async () => {
    await server.client().auth.signInWithOtp({ email: 'shown@example.com' })
    await server.mailTo('shown@example.com')
    const page = await (await fetch(`${server.address}/_atoll/mail`)).text()
    expect(page).toContain('shown@example.com')
    expect(page).toMatch(/<a href="http:\/\/[^"]+\/auth\/v1\/verify\?token=[^"]+">/)
    const unseen = await startAuthServer('plain', { ATOLL_MAIL: '' })
    try {
      expect((await fetch(`${unseen.address}/_atoll/mail`)).status).toBe(404)
      const { error } = await unseen.client().auth.signInWithOtp({ email: 'nobody@example.com' })
      expect(error?.status).toBe(501)
    } finally {
      await unseen.stop()
    }
  })
})
