import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startTestServer, type TestServer } from '../support/local-server.ts'

const entry = new URL('../support/failing-worker.ts', import.meta.url).pathname
const source = readFileSync(entry, 'utf8').split('\n')
const logged: string[] = []
let server: TestServer

beforeAll(async () => {
  server = await startTestServer({ entry, databases: ['DB'], onLog: (text) => void logged.push(text) })
})
afterAll(() => server.stop())

it.each([
  ['thrown', 'throw new Error('],
  ['drizzle', 'database.select({ n'],
  ['inside', 'await anyTables(api.asService)'],
])('an unforeseen error is logged with the line of the app’s own file: %s', async (name, code) => {
  const response = await fetch(`${server.address}/rest/v1/rpc/${name}`, { method: 'POST' })
  expect(await response.json()).toMatchObject({ code: 'XX000' })
  const event = () => logged.find((text) => text.includes(`"path":"/rest/v1/rpc/${name}"`))
  await expect.poll(event).toBeDefined()
  const { error } = JSON.parse(event() ?? '') as { error: { stack: string } }
  const [, line] = /test\/support\/failing-worker\.ts:(\d+):\d+/.exec(error.stack) ?? []
  expect(source[Number(line) - 1]).toContain(code)
  expect(error.stack).toMatch(/\(functions\/rest\/rest\.ts:\d+:\d+\)/)
  expect(error.stack).not.toContain('index.mjs')
})
