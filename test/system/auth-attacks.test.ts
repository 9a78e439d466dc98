import { decodeJwt, decodeProtectedHeader, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AuthServer, jwtSecret, readMail, startAuthServer } from '../support/auth-server.ts'

let usual: AuthServer
let strict: AuthServer
beforeAll(async () => {
  ;[usual, strict] = await Promise.all([startAuthServer('usual'), startAuthServer('strict')])
})
afterAll(() => Promise.all([usual.stop(), strict.stop()]))

const password = 'correct horse 1'
let number = 0
const address = (name = 'target') => `${name}-${++number}@example.com`

const post = async (
  server: AuthServer,
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
) => {
  const answer = await server.ask(`/auth/v1${path}`, { method: 'POST', body: JSON.stringify(body), headers })
  const text = await answer.text()
  return { status: answer.status, body: (text === '' ? {} : JSON.parse(text)) as Record<string, unknown> }
}

async function confirmed(server: AuthServer, email = address()) {
  const made = await server.admin.auth.admin.createUser({ email, password, email_confirm: true })
  if (made.error) throw made.error
  const client = server.client()
  const { data, error } = await client.auth.signInWithPassword({ email, password })
  if (error) throw error
  return { client, email, id: made.data.user.id, session: data.session }
}

describe('guessing', () => {
  it('a password ends after a few tries, also of many at the same time, and for the right one as well', async () => {
    const { email } = await confirmed(strict)
    const tries = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        post(strict, '/token?grant_type=password', { email, password: `no ${i}` }),
      ),
    )
    const refused = tries.filter(({ status }) => status === 400)
    expect([refused.length, tries.length - refused.length]).toEqual([5, 15])
    expect(tries.find(({ status }) => status === 429)?.body.error_code).toBe('over_request_rate_limit')
    const right = await post(strict, '/token?grant_type=password', { email, password })
    expect(right.status).toBe(429)
    // Nobody else is kept out.
    await confirmed(strict)
  })

  it('is counted for addresses that have no account just as for those that have', async () => {
    const email = address('nobody')
    const tries = await Promise.all(
      Array.from({ length: 8 }, () => post(strict, '/token?grant_type=password', { email, password: 'no' })),
    )
    expect(tries.map(({ status }) => status).sort()).toEqual([400, 400, 400, 400, 400, 429, 429, 429])
  })

  it('a code ends after a few tries, also of many at the same time', async () => {
    const email = address()
    await strict.client().auth.signInWithOtp({ email })
    const { code } = readMail(await strict.mailTo(email))
    const wrong = String((Number(code) + 1) % 1_000_000).padStart(6, '0')
    const tries = await Promise.all(
      Array.from({ length: 4 }, () => post(strict, '/verify', { type: 'email', email, token: wrong })),
    )
    expect(tries.map(({ status }) => status)).toEqual([403, 403, 403, 403])
    const right = await post(strict, '/verify', { type: 'email', email, token: code })
    expect([right.status, right.body.error_code]).toEqual([403, 'otp_expired'])
  })

  it('leaves the codes of one person alone when those of another are tried', async () => {
    const [one, two] = [address(), address()]
    for (const email of [one, two]) await usual.client().auth.signInWithOtp({ email })
    const [ofOne, ofTwo] = [readMail(await usual.mailTo(one)), readMail(await usual.mailTo(two))]
    const swapped = await post(usual, '/verify', { type: 'email', email: two, token: ofOne.code })
    expect(swapped.status).toBe(403)
    expect((await post(usual, '/verify', { type: 'email', email: two, token: ofTwo.code })).status).toBe(200)
  })

  it('sends no more than some mails to one address, whether or not it has an account', async () => {
    const { email } = await confirmed(strict)
    for (const to of [email, address('nobody')]) {
      const sent = []
      for (let i = 0; i < 6; i++) sent.push((await post(strict, '/recover', { email: to })).status)
      expect(sent).toEqual([200, 200, 200, 200, 429, 429])
    }
  })
})

describe('who has an account', () => {
  it('no answer tells: status and members are the same', async () => {
    const { email } = await confirmed(usual)
    const shape = (body: Record<string, unknown>) =>
      JSON.stringify(
        Object.entries(body).map(([name, value]) => [
          name,
          Array.isArray(value) ? value.length : typeof value,
        ]),
      )
    const asked = async (to: string) => {
      const answers = [
        await post(usual, '/signup', { email: to, password, data: { a: 1 } }),
        await post(usual, '/otp', { email: to, create_user: false }),
        await post(usual, '/recover', { email: to }),
        await post(usual, '/resend', { type: 'signup', email: to }),
        await post(usual, '/token?grant_type=password', { email: to, password: 'not it at all' }),
        await post(usual, '/verify', { type: 'email', email: to, token: '000000' }),
      ]
      return answers.map(({ status, body }) => [status, shape(body)])
    }
    const known = await asked(email)
    const fresh = address('nobody')
    const unknown = await asked(fresh)
    expect(known).toEqual(unknown)
    expect(known.map(([status]) => status)).toEqual([200, 200, 200, 200, 400, 403])
  })
})

describe('somebody who is first', () => {
  it('with a password for the address of another has no way in when its owner comes', async () => {
    const email = address('victim')
    await usual.client().auth.signUp({ email, password: 'of the attacker' })
    await usual.mailTo(email)
    const owner = usual.client()
    await owner.auth.signInWithOtp({ email })
    const { code } = readMail(await usual.mailTo(email))
    expect((await owner.auth.verifyOtp({ email, token: code, type: 'email' })).error).toBeNull()
    const attacker = await usual.client().auth.signInWithPassword({ email, password: 'of the attacker' })
    expect(attacker.error?.code).toBe('invalid_credentials')
  })

  it('says what only the app may say, and is not heard', async () => {
    const email = address()
    const { body } = await post(usual, '/signup', {
      email,
      password,
      role: 'service_role',
      app_metadata: { admin: true },
      email_confirm: true,
      is_super_admin: true,
      id: '00000000-0000-4000-8000-000000000000',
    })
    expect(body).toMatchObject({
      role: 'authenticated',
      app_metadata: { provider: 'email', providers: ['email'] },
    })
    expect([body.email_confirmed_at, body.id === '00000000-0000-4000-8000-000000000000']).toEqual([
      undefined,
      false,
    ])
  })
})

describe('a link', () => {
  it('leads nowhere but where the app allows', async () => {
    const bad = [
      'https://evil.example',
      'https://app.example.com.evil.example/',
      'https://app.example.com@evil.example/',
      'https://evil.example/https://app.example.com/',
      'https://app.example.com\\@evil.example',
      '//evil.example',
      'javascript:alert(1)//https://app.example.com/',
      'data:text/html,x',
      'http://app.example.com/',
      'https://app.example.com:8443/x',
      'https://APP.example.com\t.evil.example/',
      'myapp://callback.evil',
    ]
    for (const redirectTo of bad) {
      const query = new URLSearchParams({ token: 'x', type: 'signup', redirect_to: redirectTo })
      const answer = await usual.ask(`/auth/v1/verify?${query}`)
      expect([redirectTo, answer.headers.get('location')?.split('#')[0]]).toEqual([
        redirectTo,
        'https://app.example.com/',
      ])
    }
    const good = await usual.ask(
      `/auth/v1/verify?token=x&type=signup&redirect_to=https://app.example.com/a/b?c=d`,
    )
    expect(good.headers.get('location')).toContain('https://app.example.com/a/b?c=d#error=access_denied')
  })

  it('is of use once, whoever comes first, and not to who only looks', async () => {
    const { email } = await confirmed(usual)
    await usual.client().auth.signInWithOtp({ email })
    const { link } = readMail(await usual.mailTo(email))
    const path = `${link.pathname}${link.search}`
    await usual.ask(path, { method: 'HEAD' })
    const opened = await Promise.all(Array.from({ length: 5 }, () => usual.ask(path)))
    const signedIn = opened.filter((answer) => answer.headers.get('location')?.includes('access_token='))
    expect(signedIn.length).toBe(1)
    expect(opened[0]?.headers.get('cache-control')).toBe('no-store')
    expect(opened[0]?.headers.get('referrer-policy')).toBe('no-referrer')
  })

  it('of one purpose is of no use for another', async () => {
    const email = address()
    await usual.client().auth.signUp({ email, password })
    const { token } = readMail(await usual.mailTo(email))
    for (const type of [
      'recovery',
      'email_change',
      'sms',
      'phone_change',
      'nothing',
      '__proto__',
      'constructor',
    ]) {
      const { status } = await post(usual, '/verify', { type, token_hash: token })
      expect([400, 403]).toContain(status)
    }
    expect((await post(usual, '/verify', { type: 'signup', token_hash: token })).status).toBe(200)
  })

  it('that was sent to an address before is worth nothing when the account has another', async () => {
    const { client, email, id } = await confirmed(usual)
    await usual.client().auth.resetPasswordForEmail(email)
    const { token } = readMail(await usual.mailTo(email))
    await usual.admin.auth.admin.updateUserById(id, { email: address() })
    expect((await post(usual, '/verify', { type: 'recovery', token_hash: token })).status).toBe(403)
    expect((await client.auth.getUser()).error).toBeNull()
  })

  it('is not in the database, and neither is its code', async () => {
    const email = address()
    await usual.client().auth.signUp({ email, password })
    const { token, code } = readMail(await usual.mailTo(email))
    const kept = [
      ...(await usual.sql('SELECT * FROM auth_one_time_tokens')),
      ...(await usual.sql('SELECT payload FROM _atoll_jobs')),
    ]
    const text = JSON.stringify(kept)
    expect([
      text.includes(token),
      text.includes(`"${code}"`),
      text.includes(email.split('@')[0] as string),
    ]).toEqual([false, false, true])
  })
})

describe('a token', () => {
  const whoIs = (server: AuthServer, token: string) =>
    server.ask('/auth/v1/user', { headers: { Authorization: `Bearer ${token}` } })

  it('without a signature, or signed by the public key as if it were a secret, is refused', async () => {
    const { session } = await confirmed(usual)
    const claims = decodeJwt(session.access_token)
    const { kid } = decodeProtectedHeader(session.access_token)
    const { keys } = (await (await usual.ask('/auth/v1/.well-known/jwks.json')).json()) as {
      keys: JsonWebKey[]
    }
    const confused = await new SignJWT(claims)
      .setProtectedHeader({ alg: 'HS256', kid: kid as string })
      .sign(new TextEncoder().encode(JSON.stringify(keys[0])))
    const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const unsigned = `${part({ alg: 'none', kid })}.${part(claims)}.`
    for (const token of [confused, unsigned]) expect((await whoIs(usual, token)).status).toBe(401)
    expect((await whoIs(usual, session.access_token)).status).toBe(200)
  })

  it('that somebody else makes for a user says nothing of a session', async () => {
    const { id, session } = await confirmed(usual)
    const secret = new TextEncoder().encode(jwtSecret)
    const make = (claims: Record<string, unknown>) =>
      new SignJWT({ role: 'authenticated', sub: id, ...claims })
        .setProtectedHeader({ alg: 'HS256' })
        .setExpirationTime('1h')
        .sign(secret)
    const other = await confirmed(usual)
    const { session_id: foreign } = decodeJwt(other.session.access_token)
    for (const claims of [{}, { session_id: foreign }, { session_id: "x' OR 1=1" }])
      expect((await whoIs(usual, await make(claims))).status).toBe(403)
    const { session_id: own } = decodeJwt(session.access_token)
    expect((await whoIs(usual, await make({ session_id: own }))).status).toBe(200)
  })

  it('says what the app adds, and nothing else of who it is and for how long', async () => {
    const { id, session } = await confirmed(strict)
    const claims = decodeJwt(session.access_token)
    expect(claims).toMatchObject({ sub: id, tenant: 'example.com' })
    expect([Number(claims.exp) - Number(claims.iat), claims.session_id !== 'another']).toEqual([600, true])
    expect(decodeProtectedHeader(session.access_token).alg).toBe('HS256')
    expect(await (await strict.ask('/auth/v1/.well-known/jwks.json')).json()).toEqual({ keys: [] })
  })

  it('is taken while its key is, another key being announced before it signs, and not when the key is taken back', async () => {
    const server = await startAuthServer('plain')
    try {
      const signUp = async () =>
        (await server.client().auth.signUp({ email: address(), password })).data.session
      const before = await signUp()
      const rotate = (urgent: boolean) =>
        server.ask('/auth/v1/admin/signing-keys', {
          method: 'POST',
          headers: { apikey: 'sb_secret_test' },
          body: JSON.stringify({ urgent }),
        })
      const shown = async () => {
        const answer = await server.ask('/auth/v1/.well-known/jwks.json')
        return ((await answer.json()) as { keys: { kid: string }[] }).keys.map(({ kid }) => kid)
      }
      const { kid: next } = (await (await rotate(false)).json()) as { kid: string }
      const old = decodeProtectedHeader(before?.access_token ?? '').kid
      expect((await shown()).sort()).toEqual([old, next].sort())
      const announced = await signUp()
      expect(decodeProtectedHeader(announced?.access_token ?? '').kid).toBe(old)
      const { kid: last } = (await (await rotate(true)).json()) as { kid: string }
      expect(await shown()).toEqual([last])
      expect((await whoIs(server, before?.access_token ?? '')).status).toBe(401)
      const after = await signUp()
      expect(decodeProtectedHeader(after?.access_token ?? '').kid).toBe(last)
      expect((await whoIs(server, after?.access_token ?? '')).status).toBe(200)
    } finally {
      await server.stop()
    }
  })
})

describe('what the app says', () => {
  it('of who may sign up, holds', async () => {
    const other = await strict.client().auth.signUp({ email: 'x@elsewhere.example', password })
    expect(other.error).toMatchObject({ status: 422, code: 'email_address_not_authorized' })
    const tricked = await strict.client().auth.signUp({ email: 'x@elsewhere.example@example.com', password })
    expect(tricked.error?.status).toBe(400)
    const blocked = await strict.client().auth.signUp({ email: address('blocked'), password })
    expect(blocked.error).toMatchObject({ status: 403, message: 'you are not welcome' })
    const welcome = await strict.client().auth.signUp({ email: address(), password })
    expect([welcome.error, welcome.data.user?.app_metadata]).toEqual([
      null,
      { provider: 'email', providers: ['email'], by: 'email' },
    ])
    const anonymous = await strict.client().auth.signInAnonymously()
    expect(anonymous.error?.code).toBe('anonymous_provider_disabled')
  })

  it('of callers without a key, holds for data; links and public keys are there for browsers', async () => {
    const plain = (path: string) => fetch(`${strict.address}${path}`, { redirect: 'manual' })
    expect((await plain('/rest/v1/profiles')).status).toBe(401)
    expect((await plain('/auth/v1/.well-known/jwks.json')).status).toBe(200)
    expect((await plain('/auth/v1/verify?type=signup&token=x')).status).toBe(303)
    expect((await plain('/auth/v1/admin/users')).status).toBe(401)
  })

  it('of passwords, holds', async () => {
    const weak = await strict.client().auth.signUp({ email: address(), password: 'no digits here' })
    expect(weak.error).toMatchObject({ code: 'weak_password', reasons: ['characters'] })
    const long = await strict.client().auth.signUp({ email: address(), password: '1'.repeat(5000) })
    expect(long.error?.status).toBe(400)
    const { client } = await confirmed(strict)
    const change = (current?: string) =>
      client.auth.updateUser({ password: 'another 2 words', current_password: current } as never)
    expect((await change()).error?.code).toBe('current_password_required')
    expect((await change('not it')).error?.code).toBe('current_password_invalid')
    expect((await change(password)).error).toBeNull()
  })

  it('of sessions, holds: one for a user, and no longer than it may be', async () => {
    const { client, email } = await confirmed(strict)
    const other = strict.client()
    await other.auth.signInWithPassword({ email, password })
    expect((await client.auth.getUser()).error?.name).toBe('AuthSessionMissingError')
    const rows = await strict.sql<{ ms: number }>('SELECT not_after - created_at AS ms FROM auth_sessions')
    expect(new Set(rows.map(({ ms }) => ms))).toEqual(new Set([3_600_000]))
    for (const name of ['DB', 'SHARD_1', 'SHARD_2', 'SHARD_3'])
      await (await strict.database(name)).prepare('UPDATE auth_sessions SET not_after = 1').run()
    expect((await other.auth.refreshSession()).error?.code).toBe('session_expired')
    expect((await other.auth.getUser()).error).not.toBeNull()
  })
})
