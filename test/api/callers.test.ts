import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import type { AtollConfig } from '../../functions/areas.ts'
import {
  clinicTables,
  gatewayOver,
  jwtSecret,
  makeWorld,
  prepareClinic,
  tokenFor,
} from '../support/clinic.ts'
import { publishableKey, secretKey } from '../support/worker-client.ts'

const path = '/rest/v1/patients?select=id&order=id&limit=3'
const seconds = (offset: number) => Math.floor(Date.now() / 1000) + offset

beforeAll(async () => {
  await prepareClinic()
  await makeWorld('with secrets')
})

async function answer(headers: Record<string, string>, config: Partial<AtollConfig> = {}) {
  const response = await gatewayOver(clinicTables, config)(path, { headers })
  const body = await response.json<unknown>()
  return {
    status: response.status,
    says: Array.isArray(body) ? body.map(({ id }) => id) : (body as { message: string }).message,
    authenticate: response.headers.get('www-authenticate'),
  }
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
const sign = (claims: Record<string, unknown>, secret = jwtSecret, alg = 'HS256') =>
  new SignJWT(claims).setProtectedHeader({ alg }).sign(new TextEncoder().encode(secret))
const customer = { role: 'authenticated', sub: 'mine' }

describe('who is calling', () => {
  it('is told by key and token', async () => {
    const user = await sign({ ...customer, exp: seconds(60) })
    const olderSecret = await sign({ role: 'service_role', iss: 'atoll' })
    const olderPublic = await sign({ role: 'anon', iss: 'atoll' })
    const denied = { status: 401, says: 'permission denied for table patients', authenticate: 'Bearer' }
    expect(await answer({})).toEqual(denied)
    expect(await answer({ apikey: publishableKey })).toEqual(denied)
    expect(await answer({ apikey: publishableKey, ...bearer(publishableKey) })).toEqual(denied)
    expect(await answer({ apikey: olderPublic })).toEqual(denied)
    expect((await answer({ apikey: secretKey })).says).toEqual([1, 2, 10])
    expect((await answer(bearer(secretKey))).says).toEqual([1, 2, 10])
    expect((await answer({ apikey: olderSecret })).says).toEqual([1, 2, 10])
    expect((await answer(bearer(user))).says).toEqual([1, 2])
    expect((await answer({ apikey: publishableKey, ...bearer(user) })).says).toEqual([1, 2])
    // A user's token narrows what the key that it comes with could do.
    expect((await answer({ apikey: secretKey, ...bearer(user) })).says).toEqual([1, 2])
    expect(await answer(bearer(await sign({ sub: 'mine' })))).toEqual(denied)
    const unknownRole = await answer(bearer(await sign({ role: '__proto__', sub: 'mine' })))
    expect(unknownRole).toMatchObject({ status: 401, says: 'role "__proto__" does not exist' })
  })

  it('is refused when what is sent is none of ours', async () => {
    const user = await sign({ ...customer, exp: seconds(60) })
    const [head, body, signature] = user.split('.') as [string, string, string]
    const encode = (value: unknown) => btoa(JSON.stringify(value)).replaceAll('=', '')
    const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true })
    const publicText = JSON.stringify(await exportJWK(publicKey))
    const rs256 = await new SignJWT(customer).setProtectedHeader({ alg: 'RS256', kid: 'a' }).sign(privateKey)
    const refused: Record<string, Record<string, string>> = {
      'an unknown key': { apikey: 'sb_publishable_other' },
      'an unknown secret': { apikey: 'sb_secret_other' },
      'a key of the wrong kind': { apikey: 'constructor' },
      'an empty token': bearer(''),
      'a token of two parts': bearer('a.b'),
      'no algorithm': bearer(`${encode({ alg: 'none' })}.${body}.`),
      'no algorithm, in capitals': bearer(`${encode({ alg: 'NONE' })}.${body}.`),
      'another algorithm': bearer(await sign(customer, jwtSecret, 'HS512')),
      'another secret': bearer(await sign(customer, 'another-secret-that-is-long-enough-too')),
      'a public key as secret': bearer(await sign(customer, publicText)),
      'a key that nobody set': bearer(rs256),
      'a changed body': bearer(`${head}.${encode({ ...customer, sub: 'theirs' })}.${signature}`),
      'a changed signature': bearer(
        `${head}.${body}.${signature[0] === 'A' ? 'B' : 'A'}${signature.slice(1)}`,
      ),
      'no JSON': bearer(`${head}.${btoa('nothing')}.${signature}`),
      'an expired one': bearer(await sign({ ...customer, exp: seconds(-31) })),
      'one that ends with text': bearer(await sign({ ...customer, exp: 'never' as unknown as number })),
      'one of the future': bearer(await sign({ ...customer, nbf: seconds(60) })),
      'one issued in the future': bearer(await sign({ ...customer, iat: seconds(60) })),
      'a good token with a bad key': { apikey: 'sb_publishable_other', ...bearer(user) },
    }
    for (const [name, headers] of Object.entries(refused)) {
      const { status, says, authenticate } = await answer(headers)
      expect([name, status, authenticate]).toEqual([
        name,
        401,
        expect.stringContaining('Bearer error="invalid_token"'),
      ])
      expect(says).not.toContain('mine')
    }
  })

  it('may have a clock that is half a minute off', async () => {
    expect((await answer(bearer(await sign({ ...customer, exp: seconds(-20) })))).status).toBe(200)
    expect(
      (await answer(bearer(await sign({ ...customer, nbf: seconds(20), iat: seconds(20) })))).status,
    ).toBe(200)
  })

  it('must name audience and issuer as configured', async () => {
    const mine = await sign({ ...customer, aud: ['other', 'mine'], iss: 'me' })
    const other = await sign({ ...customer, aud: 'other', iss: 'somebody' })
    const none = await sign(customer)
    expect((await answer(bearer(mine), { jwtAudience: 'mine', jwtIssuer: 'me' })).status).toBe(200)
    expect((await answer(bearer(other), { jwtAudience: 'mine' })).says).toBe('JWT not in audience')
    expect((await answer(bearer(none), { jwtAudience: 'mine' })).status).toBe(200)
    expect((await answer(bearer(other), { jwtIssuer: 'me' })).says).toBe("JWT claim 'iss' is not accepted")
    expect((await answer(bearer(none), { jwtIssuer: 'me' })).status).toBe(401)
  })

  it('is refused with the headers that a browser needs to read the refusal', async () => {
    const ask = gatewayOver(clinicTables)
    const preflight = await ask('/rest/v1/patients', {
      method: 'OPTIONS',
      headers: {
        Origin: 'https://app.example',
        'Access-Control-Request-Method': 'PATCH',
        'Access-Control-Request-Headers': 'authorization, apikey, x-client-info, prefer',
      },
    })
    expect(preflight.status).toBe(204)
    expect(preflight.headers.get('access-control-allow-headers')).toContain('authorization')
    const refused = await ask('/rest/v1/patients', {
      headers: { Origin: 'https://app.example', apikey: 'x' },
    })
    expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([401, '*'])
    expect(refused.headers.get('access-control-expose-headers')).toContain('WWW-Authenticate')
    expect(refused.headers.get('access-control-expose-headers')).toContain('Retry-After')
  })
})

describe('verified tokens', () => {
  it('are remembered until they expire, and not beyond', async () => {
    const ask = gatewayOver(clinicTables)
    const verify = vi.spyOn(crypto.subtle, 'verify')
    const token = await sign({ ...customer, exp: seconds(60) })
    for (let i = 0; i < 5; i++) expect((await ask(path, {}, token)).status).toBe(200)
    expect(verify).toHaveBeenCalledTimes(1)
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 91_000 })
    expect((await ask(path, {}, token)).status).toBe(401)
    vi.useRealTimers()
    verify.mockRestore()
  })

  it('are forgotten, the least used first, when there are very many', async () => {
    const ask = gatewayOver(clinicTables)
    const tokens = await Promise.all(
      Array.from({ length: 1001 }, (_, i) => sign({ ...customer, jti: String(i) })),
    )
    const openApi = (token: string) => ask('/rest/v1/', { method: 'HEAD' }, token)
    for (const token of tokens.slice(0, 1000)) await openApi(token)
    await openApi(tokens[0] as string)
    await openApi(tokens[1000] as string)
    const verify = vi.spyOn(crypto.subtle, 'verify')
    await openApi(tokens[0] as string)
    expect(verify).toHaveBeenCalledTimes(0)
    await openApi(tokens[1] as string)
    expect(verify).toHaveBeenCalledTimes(1)
    verify.mockRestore()
  })
})

describe('secrets', () => {
  it('are in no answer, log or description, whatever goes wrong', async () => {
    const said: string[] = []
    const spies = (['log', 'info', 'warn', 'error', 'debug'] as const).map((level) =>
      vi.spyOn(console, level).mockImplementation((...words) => void said.push(words.map(String).join(' '))),
    )
    const user = await tokenFor({ ...customer, private: 'CLAIM-SENTINEL' })
    const ask = gatewayOver({
      ...clinicTables,
      ledger: { ...clinicTables.ledger, options: { access: { authenticated: { select: fail } } } },
    })
    const callers: Record<string, string>[] = [
      { apikey: secretKey },
      bearer(user),
      bearer(`${user}x`),
      { apikey: `${secretKey}x` },
    ]
    const paths = [
      '',
      'patients',
      'patients?id=eq.x',
      'nothing',
      'ledger',
      `patients?apikey=${secretKey}`,
      'patients?select=nope',
      'rpc/nope',
    ]
    for (const headers of callers) {
      for (const asked of paths) {
        const response = await ask(`/rest/v1/${asked}`, { headers: { ...headers, Prefer: 'count=exact' } })
        const answered = [...response.headers].filter(([name]) => name !== 'content-location')
        said.push(JSON.stringify(answered), await response.text())
      }
      const sent = await ask('/rest/v1/patients', {
        method: 'POST',
        headers: { ...headers, 'Content-Type': 'application/json' },
        body: '{"owner":"mine","name":null}',
      })
      said.push(await sent.text())
    }
    for (const spy of spies) spy.mockRestore()
    expect(said.join('\n')).toContain('"kind":"internal-error"')
    for (const secret of [secretKey, jwtSecret, user.split('.')[2] as string, 'CLAIM-SENTINEL']) {
      expect(said.filter((text) => text.includes(secret))).toEqual([])
    }
  })
})

function fail(): never {
  throw new Error('this policy is broken')
}
