import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AuthServer, readMail, startAuthServer } from '../support/auth-server.ts'

let server: AuthServer
beforeAll(async () => {
  server = await startAuthServer('usual')
})
afterAll(() => server.stop())

const password = 'correct horse battery'
let number = 0
const address = () => `person-${++number}@example.com`
const app = 'https://app.example.com/welcome'

/** What a browser is sent to by a link. */
async function open(link: URL): Promise<URL> {
  const answer = await server.ask(`${link.pathname}${link.search}`)
  expect(answer.status).toBe(303)
  return new URL(answer.headers.get('location') ?? '')
}

const fragment = (url: URL) => Object.fromEntries(new URLSearchParams(url.hash.slice(1)))

async function confirmed(email = address()) {
  const client = server.client()
  await client.auth.signUp({ email, password })
  const { code } = readMail(await server.mailTo(email))
  const { data, error } = await client.auth.verifyOtp({ email, token: code, type: 'email' })
  expect(error).toBeNull()
  return { client, email, id: data.user?.id as string }
}

describe('an address is confirmed', () => {
  it('by its link, which leads back with a session', async () => {
    const email = address()
    const client = server.client()
    const made = await client.auth.signUp({ email, password, options: { emailRedirectTo: app } })
    expect([made.error, made.data.session, made.data.user?.email]).toEqual([null, null, email])
    const early = await client.auth.signInWithPassword({ email, password })
    expect(early.error?.code).toBe('email_not_confirmed')
    const { link } = readMail(await server.mailTo(email))
    const back = await open(link)
    expect(`${back.origin}${back.pathname}`).toBe(app)
    const { access_token: access = '', refresh_token: token = '', type } = fragment(back)
    expect(type).toBe('signup')
    const { data } = await client.auth.setSession({ access_token: access, refresh_token: token })
    expect(data.user).toMatchObject({ email, email_confirmed_at: expect.any(String) })
    expect((await client.auth.signInWithPassword({ email, password })).error).toBeNull()
    expect(fragment(await open(link))).toMatchObject({ error: 'access_denied', error_code: 'otp_expired' })
  })

  it('by its code, and by the hash of a link of the app', async () => {
    await confirmed()
    const email = address()
    const client = server.client()
    await client.auth.signUp({ email, password })
    const { token } = readMail(await server.mailTo(email))
    const { data, error } = await client.auth.verifyOtp({ token_hash: token, type: 'signup' })
    expect([error, data.user?.email]).toEqual([null, email])
  })

  it('with a code for whoever began, and nobody else', async () => {
    const email = address()
    const client = server.client({ flowType: 'pkce' })
    await client.auth.signUp({ email, password, options: { emailRedirectTo: app } })
    const { link, token } = readMail(await server.mailTo(email))
    expect(token).toMatch(/^pkce_/)
    const back = await open(link)
    const code = back.searchParams.get('code') ?? ''
    expect([code.length > 20, back.hash]).toEqual([true, ''])
    const thief = await server.ask('/auth/v1/token?grant_type=pkce', {
      method: 'POST',
      body: JSON.stringify({ auth_code: code, code_verifier: 'a'.repeat(56) }),
    })
    expect([thief.status, await thief.json()]).toMatchObject([400, { error_code: 'bad_code_verifier' }])
    // A code that somebody else has tried is worth nothing any more.
    expect((await client.auth.exchangeCodeForSession(code)).error?.code).toBe('flow_state_not_found')
    const again = server.client({ flowType: 'pkce' })
    await again.auth.signInWithOtp({ email, options: { emailRedirectTo: app } })
    const second = await open(readMail(await server.mailTo(email)).link)
    const { data, error } = await again.auth.exchangeCodeForSession(second.searchParams.get('code') ?? '')
    expect([error, data.user?.email]).toEqual([null, email])
  })

  it('once more, by another link', async () => {
    const email = address()
    const client = server.client()
    await client.auth.signUp({ email, password })
    const first = readMail(await server.mailTo(email))
    expect((await client.auth.resend({ type: 'signup', email })).error).toBeNull()
    const second = readMail(await server.mailTo(email))
    expect((await client.auth.verifyOtp({ email, token: first.code, type: 'email' })).error?.code).toBe(
      'otp_expired',
    )
    expect((await client.auth.verifyOtp({ email, token: second.code, type: 'email' })).error).toBeNull()
  })
})

describe('without a password', () => {
  it('somebody signs in by link or code, and has an account from then on', async () => {
    const email = address()
    const client = server.client()
    const asked = await client.auth.signInWithOtp({ email, options: { data: { name: 'Grace' } } })
    expect(asked.error).toBeNull()
    const { code } = readMail(await server.mailTo(email))
    const { data, error } = await client.auth.verifyOtp({ email, token: code, type: 'email' })
    expect([error, data.user?.user_metadata]).toEqual([null, { name: 'Grace' }])
    await client.auth.signInWithOtp({ email })
    const { link } = readMail(await server.mailTo(email))
    expect(fragment(await open(link))).toMatchObject({ type: 'magiclink', token_type: 'bearer' })
  })

  it('somebody sets another password', async () => {
    const { email } = await confirmed()
    const client = server.client()
    expect((await client.auth.resetPasswordForEmail(email, { redirectTo: app })).error).toBeNull()
    const back = await open(readMail(await server.mailTo(email)).link)
    const { access_token: access = '', refresh_token: token = '', type } = fragment(back)
    expect(type).toBe('recovery')
    await client.auth.setSession({ access_token: access, refresh_token: token })
    expect((await client.auth.updateUser({ password: 'a new password' })).error).toBeNull()
    const { error } = await server.client().auth.signInWithPassword({ email, password: 'a new password' })
    expect(error).toBeNull()
  })

  it('somebody signs in by a code on a phone', async () => {
    const phone = '+49 151 23456789'
    const client = server.client()
    expect((await client.auth.signInWithOtp({ phone })).error).toBeNull()
    const { code } = readMail(await server.mailTo('4915123456789'))
    const { data, error } = await client.auth.verifyOtp({ phone, token: code, type: 'sms' })
    expect([error, data.user?.phone]).toEqual([null, '4915123456789'])
  })

  it('somebody proves again that it is them', async () => {
    const { client, email } = await confirmed()
    expect((await client.auth.reauthenticate()).error).toBeNull()
    expect(readMail(await server.mailTo(email)).code).toMatch(/^\d{6}$/)
  })
})

describe('an address changes', () => {
  it('when both have confirmed it, and not before', async () => {
    const { client, email, id } = await confirmed()
    const next = address()
    const asked = await client.auth.updateUser({ email: next }, { emailRedirectTo: app })
    expect([asked.error, asked.data.user?.email, asked.data.user?.new_email]).toEqual([null, email, next])
    const [toOld, toNew] = [readMail(await server.mailTo(email)), readMail(await server.mailTo(next))]
    const half = await open(toNew.link)
    expect(fragment(half).message).toContain('Please proceed to confirm link sent to the other email')
    expect((await client.auth.getUser()).data.user?.email).toBe(email)
    const whole = await open(toOld.link)
    expect(fragment(whole)).toMatchObject({ type: 'email_change', token_type: 'bearer' })
    const { data } = await client.auth.getUser()
    expect(data.user).toMatchObject({ id, email: next, identities: [{ identity_data: { email: next } }] })
    // The address before is free again.
    expect((await confirmed(email)).id).not.toBe(id)
  })

  it('not by one who has only a session, however often they confirm the new one', async () => {
    const { client, email } = await confirmed()
    const next = address()
    await client.auth.updateUser({ email: next })
    await open(readMail(await server.mailTo(next)).link)
    await client.auth.resend({ type: 'email_change', email })
    await server.mailTo(email)
    expect(await server.mailsTo(next)).toBe(1)
    expect((await client.auth.getUser()).data.user?.email).toBe(email)
  })

  it('to none that another has, and that is not told', async () => {
    const [one, two] = [await confirmed(), await confirmed()]
    const { data, error } = await one.client.auth.updateUser({ email: two.email })
    expect([error, data.user?.new_email]).toEqual([null, two.email])
    await server.mailTo(one.email)
    expect(await server.mailsTo(two.email)).toBe(1)
  })
})

describe('somebody anonymous', () => {
  it('has an account, which comes to have an address and a password', async () => {
    const client = server.client()
    const { data, error } = await client.auth.signInAnonymously({ options: { data: { cart: 1 } } })
    expect([error, data.user?.is_anonymous, data.user?.identities]).toEqual([null, true, []])
    const id = data.user?.id as string
    expect((await client.from('profiles').insert({ user_id: id, nickname: 'nobody' })).error).toBeNull()
    expect((await client.auth.updateUser({ password })).error?.status).toBe(422)
    const email = address()
    expect((await client.auth.updateUser({ email })).error).toBeNull()
    const { code } = readMail(await server.mailTo(email))
    const changed = await client.auth.verifyOtp({ email, token: code, type: 'email_change' })
    expect([changed.error, changed.data.user]).toMatchObject([
      null,
      { id, email, is_anonymous: false, identities: [{ provider: 'email' }] },
    ])
    expect((await client.auth.updateUser({ password })).error).toBeNull()
    const again = server.client()
    await again.auth.signInWithPassword({ email, password })
    expect((await again.from('profiles').select('nickname')).data).toEqual([{ nickname: 'nobody' }])
  })
})
