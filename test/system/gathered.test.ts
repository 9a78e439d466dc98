import { afterAll, beforeAll, expect, it } from 'vitest'
import { secretKey, startTestServer, type TestServer } from '../support/local-server.ts'
import { seededRandom } from '../support/seeded-random.ts'

let server: TestServer
beforeAll(async () => {
  server = await startTestServer({
    entry: new URL('../load/peers/uncached-worker.ts', import.meta.url).pathname,
    databases: ['DB', 'SHARD_1'],
    isWhole: true,
    isBare: true,
  })
})
afterAll(() => server.stop())

async function ask(address: string, path: string, signal: AbortSignal | null = null) {
  const response = await fetch(`${address}/rest/v1/${path}`, { headers: { apikey: secretKey }, signal })
  return { status: response.status, rows: (await response.json()) as Record<string, unknown>[] }
}

it('answers everybody what they asked, whoever goes away while their reads travel together', async () => {
  const seed = Date.now() % 1_000_000
  console.log(`seed ${seed}`)
  const random = seededRandom(seed)
  const address = (await server.addressOf()).origin
  let [answered, left] = [0, 0]
  const visit = async () => {
    for (let i = 0; i < 25; i++) {
      const [table, most] = random() < 0.5 ? ['tracks', 2000] : ['customers', 50]
      const id = 1 + Math.floor(random() * (most as number))
      if (random() < 0.3) {
        const { signal, abort } = goneIn(random() * 25)
        await ask(address, `${table}?id=eq.${id}`, signal).then(
          () => answered++,
          () => left++,
        )
        abort()
        continue
      }
      const { status, rows } = await ask(address, `${table}?id=eq.${id}&select=id`)
      expect({ status, rows }).toEqual({ status: 200, rows: rows.length > 0 ? [{ id }] : [] })
      if (table === 'tracks') expect(rows).toHaveLength(1)
      answered++
    }
  }
  await Promise.all(Array.from({ length: 24 }, visit))
  expect(answered + left).toBe(24 * 25)
  expect(left).toBeGreaterThan(0)
}, 120_000)

function goneIn(ms: number) {
  const controller = new AbortController()
  const timer = setTimeout(() => controller.abort(), ms)
  return { signal: controller.signal, abort: () => clearTimeout(timer) }
}
