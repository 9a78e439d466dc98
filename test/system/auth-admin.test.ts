import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AuthServer, readMail, startAuthServer } from '../support/auth-server.ts'

let server: AuthServer
beforeAll(async () => {
  server = await startAuthServer('usual')
})
afterAll(() => server.stop())

const password = 'correct horse battery'
let number = 0
const address = () => `staff-${++number}@example.com`

async function made(attributes: object = {}) {
  const email = address()
  const { data, error } = await server.admin.auth.admin.createUser({
    email,
    password,
    email_confirm: true,
    ...attributes,
  })
  if (error) throw error
  return data.user
}

const signIn = async (email: string, word = password) => {
  const client = server.client()
  const { error } = await client.auth.signInWithPassword({ email, password: word })
  return { client, error }
}

describe('the secret key', () => {
  it('makes an account that can sign in at once, finds it, and changes it', async () => {
    const user = await made({ user_metadata: { a: 1 }, app_metadata: { plan: 'free', old: true } })
    const email = user.email as string
    expect((await signIn(email)).error).toBeNull()
    const { admin } = server.admin.auth
    expect((await admin.getUserById(user.id)).data.user).toMatchObject({ email, user_metadata: { a: 1 } })
    const next = address()
    const { data, error } = await admin.updateUserById(user.id, {
      email: next,
      password: 'another password',
      user_metadata: { b: 2 },
      app_metadata: { plan: 'paid', old: null, list: [1, { x: 'y' }] },
    })
    expect(error).toBeNull()
    expect(data.user).toMatchObject({ email: next, user_metadata: { a: 1, b: 2 } })
    expect(data.user?.app_metadata).toEqual({
      plan: 'paid',
      list: [1, { x: 'y' }],
      provider: 'email',
      providers: ['email'],
    })
    expect((await signIn(email)).error?.code).toBe('invalid_credentials')
    expect((await signIn(next, 'another password')).error).toBeNull()
    const taken = await admin.updateUserById((await made()).id, { email: next })
    expect(taken.error).toMatchObject({ status: 422, code: 'email_exists' })
  })

  it('alone may do so', async () => {
    const user = await made()
    const { client } = await signIn(user.email as string)
    const { data } = await client.auth.getSession()
    const headers = { Authorization: `Bearer ${data.session?.access_token}` }
    for (const [method, path] of [
      ['GET', '/auth/v1/admin/users'],
      ['GET', `/auth/v1/admin/users/${user.id}`],
      ['DELETE', `/auth/v1/admin/users/${user.id}`],
      ['POST', '/auth/v1/admin/generate_link'],
      ['POST', '/auth/v1/invite'],
    ] as const) {
      expect((await server.ask(path, { method, headers })).status).toBe(403)
      expect((await server.ask(path, { method })).status).toBe(401)
    }
  })

  it('lists accounts by page, and finds them by the beginning of their address', async () => {
    const users = [await made(), await made(), await made()]
    const { admin } = server.admin.auth
    const first = await admin.listUsers({ page: 1, perPage: 2 })
    const second = await admin.listUsers({ page: 2, perPage: 2 })
    expect(first.error).toBeNull()
    const ids = [...first.data.users, ...second.data.users].map(({ id }) => id)
    expect(ids.slice(0, 3)).toEqual(users.map(({ id }) => id).reverse())
    expect(first.data).toMatchObject({ nextPage: 2, total: expect.any(Number) })
    const headers = { apikey: 'sb_secret_test' }
    const got: string[] = []
    for (let after: string | null = ''; after !== null; ) {
      const query: string = after === '' ? '' : `&after=${after}`
      const answer = await server.ask(`/auth/v1/admin/users?per_page=2${query}`, { headers })
      const body = (await answer.json()) as { users: { id: string }[]; next: string | null }
      got.push(...body.users.map(({ id }) => id))
      after = body.next
    }
    const { total } = first.data as { total: number }
    expect([new Set(got).size, got.length]).toEqual([total, total])
    const email = users[1]?.email as string
    const found = await server.ask(`/auth/v1/admin/users?filter=${email.slice(0, -4)}`, { headers })
    expect(((await found.json()) as { users: { email: string }[] }).users.map((user) => user.email)).toEqual([
      email,
    ])
  })

  it('bans somebody, whose sessions end', async () => {
    const user = await made()
    const { client } = await signIn(user.email as string)
    const { admin } = server.admin.auth
    const { data } = await admin.updateUserById(user.id, { ban_duration: '1h30m' })
    const until = Date.parse((data.user as { banned_until?: string }).banned_until ?? '')
    expect(Math.round((until - Date.now()) / 60_000)).toBe(90)
    expect((await client.auth.refreshSession()).error).not.toBeNull()
    expect((await signIn(user.email as string)).error?.code).toBe('user_banned')
    // Who does not know the password is not told of the ban.
    expect((await signIn(user.email as string, 'wrong')).error?.code).toBe('invalid_credentials')
    await admin.updateUserById(user.id, { ban_duration: 'none' })
    expect((await signIn(user.email as string)).error).toBeNull()
  })

  it('deletes an account with its rows, or softly, so that they may go on naming it', async () => {
    const { admin } = server.admin.auth
    for (const isSoft of [false, true]) {
      const user = await made()
      const { client } = await signIn(user.email as string)
      await client.from('profiles').insert({ user_id: user.id, nickname: 'x' })
      expect((await admin.deleteUser(user.id, isSoft)).error).toBeNull()
      expect((await admin.getUserById(user.id)).error?.code).toBe('user_not_found')
      expect((await client.auth.getUser()).error?.code).toBe('user_not_found')
      expect((await client.auth.refreshSession()).error).not.toBeNull()
      expect((await signIn(user.email as string)).error?.code).toBe('invalid_credentials')
      const left = await server.sql(`SELECT * FROM auth_users WHERE id = '${user.id}'`)
      expect(left.length).toBe(isSoft ? 1 : 0)
      expect(JSON.stringify(left)).not.toContain('example.com')
      const { data } = await server.admin.from('profiles').select().eq('user_id', user.id)
      expect(data?.length).toBe(isSoft ? 1 : 0)
      // The address is free.
      const again = await admin.createUser({ email: user.email as string, password, email_confirm: true })
      expect(again.error).toBeNull()
    }
  })

  it('invites somebody, who sets a password', async () => {
    const email = address()
    const { data, error } = await server.admin.auth.admin.inviteUserByEmail(email, { data: { team: 'red' } })
    expect([error, data.user?.invited_at !== undefined]).toEqual([null, true])
    const client = server.client()
    const { token } = readMail(await server.mailTo(email))
    const accepted = await client.auth.verifyOtp({ token_hash: token, type: 'invite' })
    expect([accepted.error, accepted.data.user?.user_metadata]).toEqual([null, { team: 'red' }])
    expect((await client.auth.updateUser({ password })).error).toBeNull()
    expect((await signIn(email)).error).toBeNull()
    expect((await server.admin.auth.admin.inviteUserByEmail(email)).error?.code).toBe('email_exists')
  })

  it('makes links that it sends by itself', async () => {
    const { admin } = server.admin.auth
    const email = address()
    const { data, error } = await admin.generateLink({ type: 'signup', email, password })
    expect(error).toBeNull()
    expect(data.properties).toMatchObject({
      verification_type: 'signup',
      email_otp: expect.stringMatching(/^\d{6}$/),
    })
    const done = await server
      .client()
      .auth.verifyOtp({ token_hash: data.properties?.hashed_token ?? '', type: 'signup' })
    expect([done.error, done.data.user?.email]).toEqual([null, email])
    for (const type of ['magiclink', 'recovery'] as const) {
      const made = await admin.generateLink({ type, email })
      const link = new URL(made.data.properties?.action_link ?? '')
      const answer = await server.ask(`${link.pathname}${link.search}`)
      expect(answer.headers.get('location')).toContain('#access_token=')
    }
    const next = address()
    const current = await admin.generateLink({ type: 'email_change_current', email, newEmail: next })
    const fresh = await admin.generateLink({ type: 'email_change_new', email, newEmail: next })
    for (const one of [current, fresh]) {
      const link = new URL(one.data.properties?.action_link ?? '')
      await server.ask(`${link.pathname}${link.search}`)
    }
    expect((await signIn(next)).error).toBeNull()
    expect(await server.mailsTo(email)).toBe(0)
  })

  it('signs somebody out by their token', async () => {
    const user = await made()
    const { client } = await signIn(user.email as string)
    const { data } = await client.auth.getSession()
    const { error } = await server.admin.auth.admin.signOut(data.session?.access_token ?? '', 'global')
    expect(error).toBeNull()
    expect((await client.auth.getUser()).error?.name).toBe('AuthSessionMissingError')
  })

  it('takes passwords as other systems have hashed them, and has them hashed anew when they are used', async () => {
    const { pbkdf2Sync } = await import('node:crypto')
    const { default: bcrypt } = await import('bcryptjs')
    const salt = Buffer.from('some salt bytes!')
    const derived = pbkdf2Sync(password, salt, 1000, 32, 'sha256')
    const plain = (bytes: Buffer) => bytes.toString('base64').replaceAll('=', '')
    const hashes = [
      await bcrypt.hash(password, 4),
      `$pbkdf2-sha256$1000$${plain(salt)}$${plain(derived)}`,
      // The example of https://github.com/firebase/scrypt, whose password is another.
      '$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,sk=jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==$42xEC+ixf3L2lw==$lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==',
    ]
    for (const [i, hash] of hashes.entries()) {
      const email = address()
      const { error } = await server.admin.auth.admin.createUser({
        email,
        password_hash: hash,
        email_confirm: true,
      })
      expect(error).toBeNull()
      expect((await signIn(email, 'not it')).error?.code).toBe('invalid_credentials')
      const word = i === 2 ? 'user1password' : password
      expect((await signIn(email, word)).error).toBeNull()
      const [row] = await server.sql<{ password_hash: string }>(
        `SELECT password_hash FROM auth_users WHERE email = '${email}'`,
      )
      expect(row?.password_hash).toMatch(/^\$scrypt\$/)
      expect((await signIn(email, word)).error).toBeNull()
    }
  })
})
