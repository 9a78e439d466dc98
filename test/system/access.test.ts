import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { publishableKey, secretKey, startTestServer, type TestServer } from '../support/local-server.ts'

let server: TestServer
let provider: Server
let sign: (claims: Record<string, unknown>) => Promise<string>

beforeAll(async () => {
  const { privateKey, publicKey } = await generateKeyPair('ES256')
  const keys = [{ ...(await exportJWK(publicKey)), kid: 'one', alg: 'ES256' }]
  provider = createServer((_, response) => response.end(JSON.stringify({ keys })))
  await new Promise<void>((listening) => provider.listen(0, '127.0.0.1', listening))
  const { port } = provider.address() as AddressInfo
  server = await startTestServer({
    variables: { ATOLL_JWKS_URL: `http://127.0.0.1:${port}/`, ATOLL_RATE_LIMITS: 'on' },
  })
  sign = (claims) => new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid: 'one' }).sign(privateKey)
})
afterAll(async () => {
  await server.stop()
  provider.close()
})

const ask = (path: string, headers: Record<string, string>) => fetch(`${server.address}${path}`, { headers })

describe('in workerd', () => {
  it('keys of a JWKS address verify tokens, from many requests at once', async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, async (_, i) => {
        const token = await sign({ role: 'authenticated', sub: String(1 + (i % 3)) })
        const response = await ask('/rest/v1/customers?select=id', {
          apikey: publishableKey,
          authorization: `Bearer ${token}`,
        })
        return response.json()
      }),
    )
    expect(answers).toEqual(Array.from({ length: 20 }, (_, i) => [{ id: 1 + (i % 3) }]))
  })

  it('the limit of wrangler.toml ends a flood with 429, and nobody else’s requests', async () => {
    const flood = await sign({ role: 'authenticated', sub: 'flood' })
    const statuses = new Map<number, number>()
    let retryAfter: string | null = null
    // The counters begin anew each minute, so a flood across that moment gets further, but not twice.
    for (let round = 0; round < 50 && !statuses.has(429); round++) {
      await Promise.all(
        Array.from({ length: 50 }, async () => {
          const response = await ask('/rest/v1/genres?limit=0', { authorization: `Bearer ${flood}` })
          await response.arrayBuffer()
          statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1)
          if (response.status === 429) retryAfter = response.headers.get('retry-after')
        }),
      )
    }
    expect(statuses.get(200)).toBeGreaterThanOrEqual(1200)
    expect([...statuses.keys()].sort()).toEqual([200, 429])
    expect(retryAfter).toBe('60')
    const other = await sign({ role: 'authenticated', sub: '2' })
    expect((await ask('/rest/v1/genres?limit=0', { authorization: `Bearer ${other}` })).status).toBe(200)
    expect((await ask('/rest/v1/genres?limit=0', { apikey: secretKey })).status).toBe(200)
  })
})
