import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { createGateway } from '../../functions/gateway.ts'
import { app } from '../fixture-app/app.ts'
import { fetchFrom } from '../support/later-work.ts'
import { database, rows } from '../support/worker-client.ts'

const token = 'a-token-of-at-least-32-characters'

/** Lets whoever shows the token ask, until then. */
async function allow(shown: string, until: number): Promise<void> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(shown))
  const hash = [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('')
  await database
    .prepare("INSERT OR REPLACE INTO _atoll_state (key, value) VALUES ('proof', ?)")
    .bind(JSON.stringify({ hash, until }))
    .run()
}

async function prove(shown: string | null, own: typeof env = env) {
  const headers: Record<string, string> = shown === null ? {} : { 'Atoll-Proof': shown }
  const request = new Request('http://atoll.test/proof/v1', { method: 'POST', headers })
  const answer = await fetchFrom(createGateway(app), request, own)
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
}

describe('/proof/v1', () => {
  it('is for whoever has written into the database what they show, and not for long', async () => {
    await database.prepare("DELETE FROM _atoll_state WHERE key = 'proof'").run()
    for (const shown of [null, '', 'short', token])
      expect(await prove(shown)).toMatchObject({ status: 401, body: { code: 'PROOF001' } })
    await allow(token, Date.now() - 1)
    expect((await prove(token)).status).toBe(401)
    await allow(token, Date.now() + 60_000)
    expect((await prove(`${token}x`)).status).toBe(401)
    expect((await prove(token)).status).toBe(200)
  })

  it('reads from the API and each database, tries the bucket, and sends a job', async () => {
    await allow(token, Date.now() + 60_000)
    const { body } = await prove(token)
    expect(body).toMatchObject({
      read: null,
      databases: { DB: null, SHARD_1: null, SHARD_2: null, SHARD_3: null },
      bucket: null,
    })
    const [job] = await rows(`SELECT name FROM _atoll_jobs WHERE id = '${body.job}'`)
    expect(job).toEqual({ name: 'atoll:proof' })
  })

  it('says what does not work, each by itself', async () => {
    await allow(token, Date.now() + 60_000)
    const failing = {
      put: async () => {
        throw new Error('no bucket today')
      },
      delete: async () => undefined,
    }
    const { body } = await prove(token, { ...env, BUCKET: failing } as unknown as typeof env)
    expect(body).toMatchObject({ read: null, bucket: 'no bucket today' })
  })
})
