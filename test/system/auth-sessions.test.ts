import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AuthServer, startAuthServer } from '../support/auth-server.ts'

let server: AuthServer
beforeAll(async () => {
  server = await startAuthServer('plain')
})
afterAll(() => server.stop())

const password = 'correct horse battery'
let number = 0
const address = () => `somebody-${++number}@example.com`

async function signedUp(email = address()) {
  const client = server.client()
  const { data, error } = await client.auth.signUp({ email, password, options: { data: { name: 'Ada' } } })
  expect(error).toBeNull()
  if (!data.session || !data.user) throw new Error('nobody was signed in')
  return { client, email, session: data.session, user: data.user }
}

const refresh = (token: string) =>
  server.ask('/auth/v1/token?grant_type=refresh_token', {
    method: 'POST',
    body: JSON.stringify({ refresh_token: token }),
  })

describe('an account by password', () => {
  it('signs up, signs in, and is who the data API takes it for', async () => {
    const { client, email, user, session } = await signedUp()
    expect(user).toMatchObject({
      email,
      role: 'authenticated',
      aud: 'authenticated',
      is_anonymous: false,
      app_metadata: { provider: 'email', providers: ['email'] },
      user_metadata: { name: 'Ada' },
      identities: [{ provider: 'email', user_id: user.id, identity_data: { email } }],
    })
    expect(session).toMatchObject({ token_type: 'bearer', expires_in: 3600 })
    const made = await client.from('profiles').insert({ user_id: user.id, nickname: 'ada' }).select()
    expect([made.error, made.data]).toEqual([null, [{ user_id: user.id, nickname: 'ada' }]])

    const other = server.client()
    const again = await other.auth.signInWithPassword({ email: ` ${email.toUpperCase()} `, password })
    expect([again.error, again.data.user?.id]).toEqual([null, user.id])
    expect((await other.from('profiles').select('nickname')).data).toEqual([{ nickname: 'ada' }])
    const stranger = await signedUp()
    expect((await stranger.client.from('profiles').select()).data).toEqual([])
    expect((await other.auth.getUser()).data.user?.id).toBe(user.id)
  })

  it('lies on the shard of its id, with all that is its own', async () => {
    const { user } = await signedUp()
    const rows = await server.sql<{ n: number }>(
      `SELECT count(*) AS n FROM auth_users u JOIN auth_sessions s ON s.user_id = u.id JOIN auth_identities i ON i.user_id = u.id WHERE u.id = '${user.id}'`,
    )
    expect(rows.reduce((sum, { n }) => sum + n, 0)).toBe(1)
  })

  it('is one for an address, over all shards', async () => {
    const { email } = await signedUp()
    const again = await server.client().auth.signUp({ email, password })
    expect(again.error).toMatchObject({ code: 'user_already_exists', status: 422 })
    const fresh = address()
    const both = await Promise.all(
      [1, 2, 3, 4].map(() => server.client().auth.signUp({ email: fresh, password })),
    )
    expect(both.filter(({ error }) => error === null).length).toBe(1)
    const [{ n } = { n: 0 }] = await server
      .sql<{ n: number }>(`SELECT count(*) AS n FROM auth_users WHERE email = '${fresh}'`)
      .then((rows) => [{ n: rows.reduce((sum, row) => sum + row.n, 0) }])
    expect(n).toBe(1)
  })

  it('is told the same of a wrong password and of no account', async () => {
    const { email } = await signedUp()
    const wrong = await server.client().auth.signInWithPassword({ email, password: 'wrong' })
    const nobody = await server.client().auth.signInWithPassword({ email: address(), password: 'wrong' })
    const noAddress = await server.client().auth.signInWithPassword({ email: 'nobody', password: 'wrong' })
    for (const { error } of [wrong, nobody, noAddress])
      expect(error).toMatchObject({
        status: 400,
        code: 'invalid_credentials',
        message: 'Invalid login credentials',
      })
  })

  it('has a password of some length', async () => {
    const { error } = await server.client().auth.signUp({ email: address(), password: 'short' })
    expect(error).toMatchObject({ name: 'AuthWeakPasswordError', reasons: ['length'] })
  })

  it('changes its password, which ends its other sessions', async () => {
    const { client, email } = await signedUp()
    const other = server.client()
    await other.auth.signInWithPassword({ email, password })
    expect((await client.auth.updateUser({ password })).error?.code).toBe('same_password')
    expect((await client.auth.updateUser({ password: 'another password' })).error).toBeNull()
    expect((await client.auth.getUser()).error).toBeNull()
    expect((await other.auth.getUser()).error?.name).toBe('AuthSessionMissingError')
    const stale = await server.client().auth.signInWithPassword({ email, password })
    expect(stale.error?.code).toBe('invalid_credentials')
    const now = await server.client().auth.signInWithPassword({ email, password: 'another password' })
    expect(now.error).toBeNull()
  })

  it('keeps metadata of its own, and cannot touch those of the app', async () => {
    const { client } = await signedUp()
    const { data, error } = await client.auth.updateUser({
      data: { name: null, colour: 'red' },
      app_metadata: { admin: true },
    } as never)
    expect(error).toBeNull()
    expect(data.user?.user_metadata).toEqual({ colour: 'red' })
    expect(data.user?.app_metadata).toEqual({ provider: 'email', providers: ['email'] })
  })
})

describe('an access token', () => {
  it('is signed by a public key, and says what GoTrue says', async () => {
    const { session, user, email } = await signedUp()
    const keys = createRemoteJWKSet(new URL(`${server.address}/auth/v1/.well-known/jwks.json`))
    const { payload, protectedHeader } = await jwtVerify(session.access_token, keys)
    expect(protectedHeader).toMatchObject({ alg: 'ES256', typ: 'JWT' })
    expect(payload).toMatchObject({
      sub: user.id,
      iss: `${server.address}/auth/v1`,
      aud: 'authenticated',
      role: 'authenticated',
      email,
      aal: 'aal1',
      amr: [{ method: 'password' }],
      is_anonymous: false,
      session_id: expect.any(String),
    })
    const { keys: shown } = (await (await server.ask('/auth/v1/.well-known/jwks.json')).json()) as {
      keys: Record<string, unknown>[]
    }
    expect(Object.keys(shown[0] ?? {}).sort()).toEqual([
      'alg',
      'crv',
      'key_ops',
      'kid',
      'kty',
      'use',
      'x',
      'y',
    ])
    expect(shown.map(({ kid }) => kid)).toContain(decodeProtectedHeader(session.access_token).kid)
  })

  it('of another signature, or with another claim, is refused as GoTrue refuses it', async () => {
    const { session } = await signedUp()
    const [head, body, signature = ''] = session.access_token.split('.')
    const claims = JSON.parse(atob((body as string).replaceAll('-', '+').replaceAll('_', '/')))
    const forged = btoa(JSON.stringify({ ...claims, role: 'service_role' }))
      .replaceAll('+', '-')
      .replaceAll('/', '_')
      .replaceAll('=', '')
    const client = server.client()
    const { error } = await client.auth.getUser(`${head}.${forged}.${signature}`)
    expect(error).toMatchObject({ status: 401, code: 'bad_jwt' })
  })
})

describe('a session', () => {
  it('goes on by its refresh token, which another takes the place of', async () => {
    const { client, session } = await signedUp()
    const { data, error } = await client.auth.refreshSession()
    expect(error).toBeNull()
    expect(data.session?.refresh_token).not.toBe(session.refresh_token)
    expect((await client.auth.refreshSession()).error).toBeNull()
    expect((await client.auth.getUser()).error).toBeNull()
  })

  it('answers a client that lost the answer with the same once more', async () => {
    const { session } = await signedUp()
    const [one, two, three] = await Promise.all([1, 2, 3].map(() => refresh(session.refresh_token)))
    const bodies = (await Promise.all([one, two, three].map((each) => each?.json()))) as Record<
      string,
      string
    >[]
    expect([one?.status, two?.status, three?.status]).toEqual([200, 200, 200])
    expect(new Set(bodies.map(({ refresh_token: token }) => token)).size).toBe(1)
  })

  it('ends when somebody has a copy of it: for both, and an entry tells of it', async () => {
    const { session, user } = await signedUp()
    const next = (await (await refresh(session.refresh_token)).json()) as { refresh_token: string }
    const last = (await (await refresh(next.refresh_token)).json()) as { refresh_token: string }
    const stolen = await refresh(session.refresh_token)
    expect([stolen.status, await stolen.json()]).toEqual([
      400,
      {
        code: 400,
        error_code: 'refresh_token_already_used',
        msg: 'Invalid Refresh Token: Already Used',
      },
    ])
    const owner = await refresh(last.refresh_token)
    expect([owner.status, ((await owner.json()) as { error_code: string }).error_code]).toEqual([
      400,
      'refresh_token_not_found',
    ])
    const entries = await server.sql<{ action: string }>(
      `SELECT action FROM auth_audit_log WHERE subject = '${user.id}' AND action = 'refresh_token_reused'`,
    )
    expect(entries.length).toBe(1)
  })

  it('takes no token that was made up of what others say', async () => {
    const [one, two] = [await signedUp(), await signedUp()]
    const [head] = one.session.refresh_token.split('.')
    const [, signature] = two.session.refresh_token.split('.')
    for (const token of [`${head}.${signature}`, `${head}.`, 'x', '', `${'A'.repeat(50)}.${signature}`]) {
      const answer = await refresh(token)
      expect([answer.status, ((await answer.json()) as { error_code: string }).error_code]).toEqual([
        400,
        'refresh_token_not_found',
      ])
    }
    expect((await refresh(one.session.refresh_token)).status).toBe(200)
  })

  it('lies in the database without what would let anybody go on with it', async () => {
    const { session } = await signedUp()
    const [, signature = ''] = session.refresh_token.split('.')
    const rows = await server.sql('SELECT * FROM auth_sessions')
    expect(JSON.stringify(rows)).not.toContain(signature)
    const users = await server.sql<{ password_hash: string }>('SELECT password_hash FROM auth_users')
    for (const { password_hash: hash } of users)
      expect(hash).toMatch(/^\$scrypt\$ln=10,r=8,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/)
  })

  it('is signed out alone, with all others, or with all', async () => {
    const { client: one, email } = await signedUp()
    const devices = [server.client(), server.client(), server.client()] as const
    for (const device of devices) await device.auth.signInWithPassword({ email, password })
    const [two, three, four] = devices
    const isIn = async (client: typeof two) => (await client.auth.getUser()).error === null
    const token = async (client: typeof two) =>
      (await client.auth.getSession()).data.session?.refresh_token ?? ''
    const ofTwo = await token(two)
    await two.auth.signOut({ scope: 'local' })
    expect((await refresh(ofTwo)).status).toBe(400)
    expect([await isIn(one), await isIn(three), await isIn(four)]).toEqual([true, true, true])
    await three.auth.signOut({ scope: 'others' })
    expect([await isIn(one), await isIn(three), await isIn(four)]).toEqual([false, true, false])
    await two.auth.signInWithPassword({ email, password })
    const ofTwoAgain = await token(two)
    await three.auth.signOut()
    expect((await refresh(ofTwoAgain)).status).toBe(400)
  })
})
