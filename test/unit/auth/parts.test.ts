import nodeCrypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { emailOf, phoneOf } from '../../../functions/auth/addresses.ts'
import { bannedUntil } from '../../../functions/auth/ban.ts'
import { checkCaptcha } from '../../../functions/auth/captcha.ts'
import { termsOf } from '../../../functions/auth/declarations.ts'
import { builtInMail } from '../../../functions/auth/mail/templates.ts'
import { ownerOf, randomDigits } from '../../../functions/auth/one-time-tokens.ts'
import { comparePassword, hashPassword } from '../../../functions/auth/passwords/hash-password.ts'
import { checkPassword, isBreached } from '../../../functions/auth/passwords/password-rules.ts'
import { Secrets } from '../../../functions/auth/secrets.ts'
import { isOf, readRefreshToken, refreshTokenOf } from '../../../functions/auth/sessions/refresh-token.ts'

afterEach(() => void vi.restoreAllMocks())

const fails = (work: () => unknown) => {
  try {
    work()
    return null
  } catch (error) {
    return (error as { body: { code: string } }).body.code
  }
}

describe('an e-mail address', () => {
  it('is one however it is written', () => {
    expect(emailOf('  Ada.Lovelace+X@Example.COM ')).toBe('ada.lovelace+x@example.com')
  })

  it('that looks like another, or is read otherwise by others, is refused', () => {
    for (const bad of [
      'ada',
      'ada@localhost',
      'a@b@example.com',
      'ada@example..com',
      'ada@-example.com',
      'ada @example.com',
      '"a b"@example.com',
      'ada@example.com\n',
      'ada@exa\u{212A}mple.com', // the Kelvin sign becomes a k in lower case
      '\u{FF41}da@example.com', // a full-width letter
      'ad\u{0131}@example.com', // a dotless i
      'ada@example.com\u0000.evil.example',
      `${'a'.repeat(65)}@example.com`,
      `a@${'b'.repeat(64)}.com`,
      'ada@example.com>,<eve@example.com',
    ].map((one) => (one.endsWith('\n') ? `${one}x` : one)))
      expect([bad, fails(() => emailOf(bad))]).toEqual([bad, 'email_address_invalid'])
  })
})

describe('a phone number', () => {
  it('is its digits with the country, however it is written', () => {
    expect(phoneOf('+49 (151) 234-567')).toBe('49151234567')
    for (const bad of ['0151234567', '+', 'abc', '+49 151 x', '1'.repeat(16)])
      expect([bad, fails(() => phoneOf(bad))]).toEqual([bad, 'validation_failed'])
  })
})

describe('a ban', () => {
  it('lasts as long as Go would have it', () => {
    expect(bannedUntil('1h30m', 0)).toBe(5_400_000)
    expect(bannedUntil('1.5s', 0)).toBe(1500)
    expect(bannedUntil('none', 0)).toBeNull()
    for (const bad of ['', '1', '1d', '1h x', '-1h'])
      expect([bad, fails(() => bannedUntil(bad, 0))]).toEqual([bad, 'validation_failed'])
  })
})

describe('a password', () => {
  const cost = { n: 1024, r: 8, p: 1 }

  it('is found right, and is hashed anew when its cost has changed', async () => {
    const hash = await hashPassword('pässword', cost)
    expect(await comparePassword('pässword'.normalize('NFD'), hash, cost)).toEqual({
      isValid: true,
      isOld: false,
    })
    expect(await comparePassword('password', hash, cost)).toEqual({ isValid: false, isOld: false })
    expect((await comparePassword('pässword', hash, { ...cost, p: 2 })).isOld).toBe(true)
    expect(await hashPassword('pässword', cost)).not.toBe(hash)
  })

  it('costs as much to compare where there is no account, or no password, as where there is', async () => {
    const derived = vi.spyOn(nodeCrypto, 'scrypt')
    syncBuiltinESMExports()
    try {
      const hash = await hashPassword('a password', cost)
      derived.mockClear()
      for (const kept of [hash, null, '']) await comparePassword('a guess', kept, cost)
      const costs = derived.mock.calls.map(([, , length, options]) => [length, options])
      expect(costs.length).toBe(3)
      expect(new Set(costs.map((one) => JSON.stringify(one))).size).toBe(1)
    } finally {
      derived.mockRestore()
      syncBuiltinESMExports()
    }
  })

  it('is not found right where none is kept, or nothing that is known', async () => {
    for (const kept of [null, '', 'nothing that is known', '$2a$10$short'])
      expect(await comparePassword('x', kept, cost)).toEqual({ isValid: false, isOld: false })
  })

  it('that is known from breaches is found by five digits of its hash, and taken when nobody answers', async () => {
    const asked: string[] = []
    const rest = '1E4C9B93F3F0682250B6CF8331B7EE68FD8'
    const answer = vi.spyOn(globalThis, 'fetch').mockImplementation(async (url) => {
      asked.push(String(url))
      return new Response(`0000\r\n${rest}:3861493\r\nAAAA:0`)
    })
    expect(await isBreached('password')).toBe(true)
    expect(asked).toEqual(['https://api.pwnedpasswords.com/range/5BAA6'])
    expect(await isBreached('another')).toBe(false)
    const terms = termsOf({ passwords: { refuseBreached: true } })
    await expect(checkPassword('password', terms)).rejects.toMatchObject({
      body: { code: 'weak_password', details: { reasons: ['pwned'] } },
    })
    answer.mockRejectedValue(new Error('unreachable'))
    expect(await isBreached('password')).toBe(false)
  })
})

describe('a refresh token', () => {
  const secrets = new Secrets({ publishable: '', secret: 's', jwtSecret: 'j', jwksUrl: '' })
  const session = {
    user_id: crypto.randomUUID(),
    id: crypto.randomUUID(),
    salt: 'salt',
  }

  it('says whose it is, and is of one session, number and secret', async () => {
    const token = await refreshTokenOf(secrets, session, 7)
    const said = readRefreshToken(token)
    expect(said).toMatchObject({ userId: session.user_id, sessionId: session.id, counter: 7 })
    if (said === null) return
    const is = (other: object, by = secrets, of = said) => isOf(by, { ...session, ...other } as never, of)
    expect(await is({})).toBe(true)
    expect(await is({ salt: 'other' })).toBe(false)
    expect(await is({}, secrets, { ...said, counter: 8 })).toBe(false)
    expect(await is({ id: crypto.randomUUID() })).toBe(false)
    const others = new Secrets({ publishable: '', secret: 's', jwtSecret: 'k', jwksUrl: '' })
    expect(await is({}, others)).toBe(false)
  })

  it('is nothing else', () => {
    for (const bad of ['', '.', 'a.b', 'a.b.c', `${'A'.repeat(50)}.x`, 'A'.repeat(10_000)])
      expect(readRefreshToken(bad)).toBeNull()
  })
})

describe('a code', () => {
  it('has digits that are all as likely', () => {
    const digits = randomDigits(20_000)
    const counts = [...'0123456789'].map((digit) => digits.split(digit).length - 1)
    for (const count of counts) expect(Math.abs(count - 2000)).toBeLessThan(250)
  })

  it('and a link says whose it is only in its own form', () => {
    for (const bad of ['', 'x', 'A'.repeat(53), '!'.repeat(54), 'pkce_', '__proto__'])
      expect(ownerOf(bad)).toBeNull()
    expect(ownerOf('A'.repeat(54))).toBe('00000000-0000-0000-0000-000000000000')
    expect(ownerOf(`pkce_${'A'.repeat(54)}`)).toBe('00000000-0000-0000-0000-000000000000')
  })
})

describe('a mail', () => {
  it('shows what people have typed in as text', () => {
    const mail = builtInMail({
      kind: 'email-change',
      to: 'a@example.com',
      link: 'https://api.example.com/verify?a=1&b="><script>',
      code: '123456',
      tokenHash: 'x',
      redirectTo: '',
      newEmail: "<img src=x onerror='alert(1)'>@example.com",
      user: {} as never,
      language: null,
    })
    expect(mail.html).not.toMatch(/<script|<img/)
    expect(mail.html).toContain('&lt;img')
  })
})

describe('Turnstile', () => {
  const visit = (captcha: object, role = 'anon') =>
    ({
      terms: { captcha },
      services: { setting: () => 'the secret' },
      caller: { role },
      ip: '192.0.2.1',
    }) as never
  const body = { gotrue_meta_security: { captcha_token: 'token' } }

  it('is asked once for each token, with the address, and its refusal counts', async () => {
    const sent: string[] = []
    const answer = (said: object) =>
      vi.spyOn(globalThis, 'fetch').mockImplementation(async (_, init) => {
        sent.push(String(init?.body))
        return Response.json(said)
      })
    answer({ success: true, hostname: 'app.example.com' })
    await checkCaptcha(visit({ secret: 'TURNSTILE' }), body)
    expect(sent).toEqual(['secret=the+secret&response=token&remoteip=192.0.2.1'])
    const elsewhere = checkCaptcha(visit({ secret: 'TURNSTILE', hostnames: ['other.example.com'] }), body)
    await expect(elsewhere).rejects.toMatchObject({ body: { code: 'captcha_failed' } })
    answer({ success: false, 'error-codes': ['timeout-or-duplicate'] })
    await expect(checkCaptcha(visit({ secret: 'T' }), body)).rejects.toMatchObject({
      body: { code: 'captcha_failed', message: expect.stringContaining('timeout-or-duplicate') },
    })
  })

  it('is not to be gone round by leaving the token out; the secret key needs none', async () => {
    const fetched = vi.spyOn(globalThis, 'fetch').mockRejectedValue(new Error('nobody is asked'))
    await expect(checkCaptcha(visit({ secret: 'T' }), {})).rejects.toMatchObject({
      body: { code: 'captcha_failed' },
    })
    await checkCaptcha(visit({ secret: 'T' }, 'service_role'), {})
    expect(fetched).not.toHaveBeenCalled()
  })
})

describe('what an app says', () => {
  it('is refused when it cannot be meant', () => {
    for (const bad of [
      { passwords: { scrypt: { n: 1000, r: 8, p: 1 } } },
      { passwords: { scrypt: { n: 2 ** 17, r: 8, p: 1 } } },
      { passwords: { minLength: 3 } },
      { otpDigits: 4 },
    ])
      expect(() => termsOf(bad)).toThrow('functions/app/auth.ts')
  })
})
