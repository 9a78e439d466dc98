import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { TokenVerifier } from '../../functions/access/verify-token.ts'
import { defaultConfig } from '../../functions/areas.ts'

/** An identity provider: a real HTTP server whose keys, failures and size the test sets. */
let provider: Server
let address = ''
let keys: JWK[] = []
let fetched = 0
let mood: 'well' | 'failing' | 'huge' | 'nonsense' = 'well'

beforeEach(async () => {
  keys = []
  fetched = 0
  mood = 'well'
  provider = createServer((_, response) => {
    fetched++
    if (mood === 'failing') response.writeHead(503).end()
    else if (mood === 'nonsense') response.end('{"no":"keys"}')
    else response.end(JSON.stringify({ keys, ...(mood === 'huge' ? { pad: 'x'.repeat(300_000) } : {}) }))
  })
  await new Promise<void>((listening) => provider.listen(0, '127.0.0.1', listening))
  address = `http://127.0.0.1:${(provider.address() as AddressInfo).port}/jwks`
})
afterEach(() => {
  vi.useRealTimers()
  provider.close()
})

async function newKey(alg: 'RS256' | 'ES256', kid: string) {
  const { privateKey, publicKey } = await generateKeyPair(alg)
  keys.push({ ...(await exportJWK(publicKey)), kid, alg, use: 'sig' })
  return (claims: Record<string, unknown> = {}) =>
    new SignJWT({ sub: '1', ...claims })
      .setProtectedHeader({ alg, kid })
      .setExpirationTime('2h')
      .sign(privateKey)
}

const verifierOf = (jwtSecret = '') =>
  new TokenVerifier({ publishable: '', secret: '', jwtSecret, jwksUrl: address }, defaultConfig)

const later = (ms: number) => vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + ms })
const refusal = { status: 401, body: { message: 'No suitable key or wrong key type' } }

describe('tokens signed with keys of a JWKS address', () => {
  it('are verified with RS256 and ES256, by keys that are fetched once', async () => {
    const [rsa, ec] = [await newKey('RS256', 'a'), await newKey('ES256', 'b')]
    const verifier = verifierOf()
    expect(await verifier.verify(await rsa({ role: 'x' }))).toMatchObject({ sub: '1', role: 'x' })
    for (let i = 0; i < 5; i++) await verifier.verify(await ec({ jti: String(i) }))
    expect(fetched).toBe(1)
  })

  it('are refused when the signature is another key’s, or the public key was taken for a secret', async () => {
    const rsa = await newKey('RS256', 'a')
    const stranger = await newKey('RS256', 'a')
    keys.pop()
    const verifier = verifierOf('a-secret-of-the-project-that-is-long')
    await verifier.verify(await rsa())
    await expect(verifier.verify(await stranger())).rejects.toMatchObject(refusal)
    for (const secret of [JSON.stringify(keys[0]), keys[0]?.n ?? '']) {
      const confused = await new SignJWT({ sub: '1' })
        .setProtectedHeader({ alg: 'HS256', kid: 'a' })
        .sign(new TextEncoder().encode(secret))
      await expect(verifier.verify(confused)).rejects.toMatchObject(refusal)
    }
  })

  it('are refused without a secret when they are signed with one', async () => {
    await newKey('RS256', 'a')
    const token = await new SignJWT({}).setProtectedHeader({ alg: 'HS256' }).sign(new Uint8Array(32))
    await expect(verifierOf().verify(token)).rejects.toMatchObject(refusal)
    expect(fetched).toBe(0)
  })

  it('follow a rotation of keys by one more fetch, and no more than one in thirty seconds', async () => {
    const old = await newKey('RS256', 'old')
    const verifier = verifierOf()
    await verifier.verify(await old())
    const next = await newKey('ES256', 'next')
    keys.shift()
    later(31_000)
    expect(await verifier.verify(await next())).toMatchObject({ sub: '1' })
    expect(fetched).toBe(2)
    await expect(verifier.verify(await old({ jti: 'again' }))).rejects.toMatchObject(refusal)
    const stranger = await newKey('RS256', 'never published')
    keys.pop()
    for (let i = 0; i < 20; i++) {
      await expect(verifier.verify(await stranger({ jti: String(i) }))).rejects.toMatchObject(refusal)
    }
    expect(fetched).toBe(2)
  })

  it('are still verified for an hour while the address fails, which is not asked all the time', async () => {
    const rsa = await newKey('RS256', 'a')
    const verifier = verifierOf()
    await verifier.verify(await rsa())
    mood = 'failing'
    later(700_000)
    for (let i = 0; i < 10; i++)
      expect(await verifier.verify(await rsa({ jti: String(i) }))).toMatchObject({ sub: '1' })
    expect(fetched).toBe(2)
    later(3_700_000)
    await expect(verifier.verify(await rsa({ jti: 'late' }))).rejects.toMatchObject({
      status: 503,
      body: { code: 'ACCESS002' },
    })
    mood = 'well'
    later(6_000)
    expect(await verifier.verify(await rsa({ jti: 'well' }))).toMatchObject({ sub: '1' })
  })

  it.each(['failing', 'huge', 'nonsense'] as const)(
    'are answered with 503 when the address is %s',
    async (how) => {
      const rsa = await newKey('RS256', 'a')
      mood = how
      const verifier = verifierOf()
      for (let i = 0; i < 5; i++) {
        await expect(verifier.verify(await rsa({ jti: String(i) }))).rejects.toMatchObject({ status: 503 })
      }
      expect(fetched).toBe(1)
    },
  )

  it('need an address that nobody can listen in on', () => {
    address = 'http://keys.example/jwks'
    expect(() => verifierOf()).toThrow('https')
  })
})
