/** Roles as tokens name them: where they stand, and that they must be declared; and what browsers may send to named origins. */
import { env } from 'cloudflare:workers'
import { SignJWT } from 'jose'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { defineStorage, defineTables, reference } from '../../db/define.ts'
import { defineFunction, scalar } from '../../functions/define.ts'
import { createGateway } from '../../functions/gateway.ts'
import { genres } from '../fixture-app/db/app/schema.ts'
import { fetchFrom } from '../support/later-work.ts'

const secret = 'a-secret-of-roles-that-is-long-enough-for-hs256'
const app = {
  tables: defineTables({ genres: reference(genres, { access: { reader: { select: true } } }) }),
  functions: {
    hello: defineFunction({
      input: z.object({}),
      returns: scalar,
      roles: ['caller'],
      run: async ({ caller }) => caller.role,
    }),
  },
  storage: defineStorage({ files: { access: { filer: { select: true } } } }),
}
const plain = createGateway({ ...app, config: {} })
const other = createGateway({
  ...app,
  config: {
    jwtRoleClaim: '.app_metadata.roles[?(@ ^== "app_")]',
    roles: ['app_x'],
    corsOrigins: ['https://one.example'],
  },
})

async function ask(gateway: typeof plain, path: string, claims: object, init: RequestInit = {}) {
  const token = await new SignJWT({ ...claims })
    .setProtectedHeader({ alg: 'HS256' })
    .sign(new TextEncoder().encode(secret))
  const request = new Request(`http://atoll.test/rest/v1/${path}`, {
    ...init,
    headers: { Authorization: `Bearer ${token}`, ...init.headers },
  })
  const bindings = {
    ...(env as unknown as Record<string, unknown>),
    ATOLL_JWT_SECRET: secret,
    ATOLL_RATE_LIMITS: 'off',
  }
  const response = await fetchFrom(gateway, request, bindings)
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as { code?: string; message?: string },
  }
}

describe('a role of a token', () => {
  it('that nothing names is refused by its name', async () => {
    expect(await ask(plain, 'genres?limit=1', { role: 'nobody' })).toMatchObject({
      status: 401,
      body: { code: '22023', message: 'role "nobody" does not exist' },
    })
  })

  it.each(['reader', 'caller', 'filer', 'authenticated', 'service_role'])('%s is known', async (role) => {
    const { status, body } = await ask(plain, 'rpc/hello', { role }, { method: 'POST' })
    expect(status === 200 ? body : body.code).toBe(['caller', 'service_role'].includes(role) ? role : '42501')
  })

  it('stands where the configuration says', async () => {
    const roles = (...names: string[]) => ({ role: 'reader', app_metadata: { roles: names } })
    expect((await ask(other, 'genres?limit=1', roles('x', 'app_x'))).body.code).toBe('42501')
    expect((await ask(other, 'genres?limit=1', roles('app_y'))).body.code).toBe('22023')
    // Whoever has none is nobody that the app knows.
    expect((await ask(other, 'genres?limit=1', roles('y'))).status).toBe(401)
  })

  it('whose path is none keeps the Worker from starting', () => {
    expect(() => createGateway({ ...app, config: { jwtRoleClaim: 'role' } })).toThrow(/jwtRoleClaim/)
  })
})

describe('named origins', () => {
  it('may send what browsers keep, and others may not', async () => {
    const from = async (origin: string) =>
      (await ask(other, 'genres', {}, { headers: { Origin: origin } })).headers
    const allowed = await from('https://one.example')
    expect(allowed.get('access-control-allow-origin')).toBe('https://one.example')
    expect(allowed.get('access-control-allow-credentials')).toBe('true')
    const refused = await from('https://two.example')
    expect(refused.has('access-control-allow-origin')).toBe(false)
    expect(refused.has('access-control-allow-credentials')).toBe(false)
    const anybody = (await ask(plain, 'genres', {}, { headers: { Origin: 'https://two.example' } })).headers
    expect(anybody.get('access-control-allow-origin')).toBe('*')
    expect(anybody.has('access-control-allow-credentials')).toBe(false)
  })

  it('are told so before they send', async () => {
    const headers = { Origin: 'https://one.example', 'Access-Control-Request-Method': 'POST' }
    const request = new Request('http://atoll.test/rest/v1/genres', { method: 'OPTIONS', headers })
    const answer = await fetchFrom(other, request, { ...(env as unknown as Record<string, unknown>) })
    expect(answer.headers.get('access-control-allow-credentials')).toBe('true')
  })
})
