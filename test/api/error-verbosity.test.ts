/** `errorVerbosity: 'minimal'`: details and hints are for the secret key. */
import { env } from 'cloudflare:workers'
import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import { type RouteEnv, refuse } from '../../functions/define.ts'
import { createGateway } from '../../functions/gateway.ts'
import tables from '../fixture-app/db/app/tables.ts'
import { fetchFrom } from '../support/later-work.ts'
import { publishableKey, secretKey } from '../support/worker-client.ts'

const gateway = createGateway({
  tables,
  config: { errorVerbosity: 'minimal' },
  routes: {
    no: new Hono<RouteEnv>().get('/', () => {
      throw refuse(409, 'P0001', 'no', { details: 'why', hint: 'what then' })
    }),
  },
})
const keys = { ATOLL_SECRET_KEY: secretKey, ATOLL_PUBLISHABLE_KEY: publishableKey, ATOLL_RATE_LIMITS: 'off' }

async function refusedBy(path: string, apikey: string) {
  const request = new Request(`http://atoll.test${path}`, { headers: { apikey } })
  const answer = await fetchFrom(gateway, request, {
    ...(env as unknown as Record<string, unknown>),
    ...keys,
  })
  const { message, details, hint } = (await answer.json()) as Record<string, unknown>
  return { message, details, hint }
}

describe('errors that are told briefly', () => {
  it.each(['/rest/v1/genre', '/rest/v1/tracks?select=name,nope(id)', '/functions/v1/no'])(
    '%s',
    async (path) => {
      const told = await refusedBy(path, publishableKey)
      expect(told).toEqual({ message: expect.any(String), details: null, hint: null })
      const all = await refusedBy(path, secretKey)
      expect(all.message).toBe(told.message)
      expect([all.details, all.hint]).not.toEqual([null, null])
    },
  )

  it('are those of keys that are unknown, and of files, too', async () => {
    expect(await refusedBy('/rest/v1/genres', 'sb_secret_none')).toMatchObject({ details: null, hint: null })
    expect(await refusedBy('/storage/v1/object/%00', publishableKey)).toMatchObject({
      details: null,
      hint: null,
    })
  })
})
