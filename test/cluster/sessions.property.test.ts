import { env } from 'cloudflare:workers'
import { integer, sqliteTable } from 'drizzle-orm/sqlite-core'
import fc from 'fast-check'
import { SignJWT } from 'jose'
import { beforeAll, describe, expect, it } from 'vitest'
import { defineTables, local } from '../../db/define.ts'
import { SessionTokens } from '../../functions/databases/session-token.ts'
import { createGateway } from '../../functions/gateway.ts'
import { LaggingDatabase } from '../support/lagging-database.ts'
import { fetchFrom } from '../support/later-work.ts'
import { secretKey } from '../support/worker-client.ts'

const registers = sqliteTable('registers', {
  id: integer('id').primaryKey(),
  value: integer('value').notNull(),
})
const tables = defineTables({
  registers: local(registers, { access: { user: { select: true, update: true } } }),
})
const { ALONE, DB } = env as unknown as { ALONE: D1Database; DB: D1Database }
const jwtSecret = 'a-secret-of-the-tests-that-is-long-enough'
const create = 'CREATE TABLE IF NOT EXISTS registers (id INTEGER PRIMARY KEY, value INTEGER NOT NULL)'

beforeAll(async () => {
  for (const database of [DB, ALONE]) await database.prepare(create).run()
})

/** What happens: a session reads or writes a register, or the replica catches up. */
type Step =
  | { readonly kind: 'read' | 'write'; readonly session: number; readonly register: number }
  | { readonly kind: 'catch up' }

const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constant('read' as const), session: fc.nat(2), register: fc.nat(1) }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant('write' as const), session: fc.nat(2), register: fc.nat(1) }),
    },
    { weight: 1, arbitrary: fc.constant({ kind: 'catch up' as const }) },
  ),
  { minLength: 5, maxLength: 30 },
)

/** How a session says who it is. */
type Carries = 'token' | 'user' | 'nothing'

/**
 * Runs the steps, with a value that grows by each write, and looks at each session's history: a read that finds less than
 * the session has written or read before breaks the promise.
 *
 * @returns what was broken, and how many reads the replica has answered
 */
async function check(history: readonly Step[], carries: Carries) {
  await DB.batch([
    DB.prepare('DELETE FROM registers'),
    DB.prepare('INSERT INTO registers VALUES (0, 0), (1, 0)'),
  ])
  const lagging = new LaggingDatabase(DB, ALONE, [{ name: 'registers', columns: ['id', 'value'] }])
  await lagging.catchUp()
  const gateway = createGateway({ tables, config: { cache: false } })
  const bindings = {
    DB: lagging.binding(),
    ATOLL_SECRET_KEY: secretKey,
    ATOLL_JWT_SECRET: jwtSecret,
    ATOLL_RATE_LIMITS: 'off',
  }
  const sessions = await Promise.all(
    [0, 1, 2].map(async (number) => ({
      token: 'new',
      known: [0, 0],
      jwt: await new SignJWT({ role: 'user', sub: `${number}` })
        .setProtectedHeader({ alg: 'HS256' })
        .sign(new TextEncoder().encode(jwtSecret)),
    })),
  )
  const broken: string[] = []
  let value = 0
  for (const step of history) {
    if (step.kind === 'catch up') {
      await lagging.catchUp()
      continue
    }
    const session = sessions[step.session] as (typeof sessions)[number]
    const headers: Record<string, string> = {
      'Content-Type': 'application/json',
      ...(carries === 'user' ? { Authorization: `Bearer ${session.jwt}` } : { apikey: secretKey }),
      ...(carries === 'token' ? { 'Atoll-Session': session.token } : {}),
    }
    const url = `http://atoll.test/rest/v1/registers?id=eq.${step.register}&select=value`
    const init =
      step.kind === 'read'
        ? { headers }
        : { method: 'PATCH', headers, body: JSON.stringify({ value: ++value }) }
    const response = await fetchFrom(gateway, new Request(url, init), bindings)
    if (!response.ok) throw new Error(await response.text())
    session.token = response.headers.get('atoll-session') ?? session.token
    if (step.kind === 'write') session.known[step.register] = value
    else {
      const [row] = await response.json<{ value: number }[]>()
      const found = row?.value ?? -1
      if (found < (session.known[step.register] as number)) broken.push(`${step.session} read ${found}`)
      // Without a token nobody promises that reads do not go back; only what a user wrote must be there.
      if (carries !== 'user') session.known[step.register] = found
    }
  }
  return { broken, fromReplica: lagging.fromReplica }
}

describe('sessions over a replica that lags', () => {
  it.each(['token', 'user'] as const)('read their own writes, carried by a %s', async (carries) => {
    let fromReplica = 0
    await fc.assert(
      fc.asyncProperty(steps, async (history) => {
        const result = await check(history, carries)
        fromReplica += result.fromReplica
        expect(result.broken).toEqual([])
      }),
      { numRuns: 60, seed: 20261122 },
    )
    // Had everything come from the primary, nothing would have been shown.
    expect(fromReplica).toBeGreaterThan(50)
  })

  it('are missed when nothing carries them, which the checker sees', async () => {
    const histories = fc.sample(steps, { numRuns: 60, seed: 20261122 })
    let broken = 0
    for (const history of histories) broken += (await check(history, 'nothing')).broken.length
    expect(broken).toBeGreaterThan(0)
  })

  it('refuse tokens that this project has not sealed', async () => {
    const gateway = createGateway({ tables, config: {} })
    const bindings = { DB, ATOLL_SECRET_KEY: secretKey, ATOLL_RATE_LIMITS: 'off' }
    const ask = (token: string) =>
      fetchFrom(
        gateway,
        new Request('http://atoll.test/rest/v1/registers?limit=1', {
          headers: { apikey: secretKey, 'Atoll-Session': token },
        }),
        bindings,
      )
    const good = (await ask('new')).headers.get('atoll-session') ?? ''
    expect((await ask(good)).status).toBe(200)
    const changed = `${good.slice(0, 20)}${good[20] === 'A' ? 'B' : 'A'}${good.slice(21)}`
    const elsewhere = await new SessionTokens('another secret').write(new Map([['DB', '99999999']]))
    const invented = btoa(JSON.stringify([['DB', '99999999']])).replaceAll('=', '')
    for (const token of ['', 'x', good.slice(0, -4), changed, elsewhere, invented, '???', 'n'.repeat(9000)]) {
      const response = await ask(token)
      expect([
        token.slice(0, 40),
        response.status,
        ((await response.json()) as { code: string }).code,
      ]).toEqual([token.slice(0, 40), 400, 'SHARD011'])
    }
  })
})
