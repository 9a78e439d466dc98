/** `npm run load -- policy`: a customer's own row by its id, with tokens, beside the same with the secret key. */
import { SignJWT } from 'jose'
import { startTestServer } from '../support/local-server.ts'
import { compare, type Settings } from './compare.ts'

const jwtSecret = 'a-secret-of-the-load-runs-that-is-long-enough'
/** One of the seed's customers, who asks for their own row. */
const customer = 7
/** More tokens than an isolate remembers, so that each is verified anew. */
const count = 3000

export async function runPolicy(settings: Settings): Promise<void> {
  const tokens = await Promise.all(
    Array.from({ length: count }, (_, i) =>
      new SignJWT({ role: 'authenticated', sub: String(customer), jti: String(i) })
        .setProtectedHeader({ alg: 'HS256' })
        .setExpirationTime('1h')
        .sign(new TextEncoder().encode(jwtSecret)),
    ),
  )
  const bearer = (i: number) => ({ apikey: 'sb_publishable_test', authorization: `Bearer ${tokens[i]}` })
  const path = () => `/rest/v1/customers?id=eq.${customer}`
  const server = await startTestServer({
    entry: new URL('worker.ts', import.meta.url).pathname,
    databases: ['DB'],
    variables: { ATOLL_JWT_SECRET: jwtSecret },
    isBare: true,
  })
  const contenders = [
    { name: 'token, remembered', path, headers: () => bearer(0) },
    { name: 'token, verified', path, headers: (i: number) => bearer(i % count) },
    { name: 'secret key', path },
  ]
  try {
    await compare(
      (await server.addressOf()).origin,
      [{ name: 'own row by id, by policy', contenders }],
      settings,
    )
  } finally {
    await server.stop()
  }
}
