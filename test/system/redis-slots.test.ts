import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { keySlot } from '../../db/slots/slots.ts'
import { freePort } from '../support/free-port.ts'
import { findToolNamed } from '../support/system-tools.ts'

const redis = findToolNamed('Redis')

// Without Redis this is left out, which `npm test` says; in CI the step before has failed already.
describe.runIf(redis !== null || process.env.CI)('slots', () => {
  const folder = mkdtempSync(join(tmpdir(), 'atoll-redis-'))
  let server: ChildProcess
  let socket: Socket
  beforeAll(async () => {
    const port = await freePort()
    const options = [
      '--port',
      String(port),
      '--cluster-enabled',
      'yes',
      '--dir',
      folder,
      '--save',
      '',
      '--bind',
      '127.0.0.1',
    ]
    server = spawn(redis as string, options, { stdio: 'ignore' })
    for (let tries = 0; ; tries++) {
      try {
        socket = await new Promise<Socket>((done, fail) => {
          const opened = connect(port, '127.0.0.1', () => done(opened))
          opened.once('error', fail)
        })
        break
      } catch (error) {
        if (tries > 100) throw error
        await new Promise((done) => setTimeout(done, 50))
      }
    }
  })
  afterAll(() => {
    socket?.destroy()
    server?.kill()
    rmSync(folder, { recursive: true, force: true })
  })

  /** Redis's own answers, in its protocol. */
  async function slotsOf(keys: readonly string[]): Promise<number[]> {
    const commands = keys.map((key) => {
      const parts = ['CLUSTER', 'KEYSLOT', key]
      return `*3\r\n${parts.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`).join('')}`
    })
    let text = ''
    const done = new Promise<void>((finish) => {
      const read = (chunk: Buffer) => {
        text += chunk
        if (text.split('\r\n').length > keys.length) {
          socket.off('data', read)
          finish()
        }
      }
      socket.on('data', read)
    })
    socket.write(commands.join(''))
    await done
    return text
      .trim()
      .split('\r\n')
      .map((line) => Number(line.replace(/^:/, '')))
  }

  it('are those of Redis Cluster, for keys with tags and without', async () => {
    const chosen = [
      '',
      '1',
      '7',
      '412',
      'user1000',
      '{user1000}.following',
      'foo{}{bar}',
      'foo{{bar}}zap',
      'foo{bar}{zap}',
      '{}',
      '{a',
      'a}b{c}',
      'é',
      '日本',
      '😀',
      '{😀}x',
      '123456789',
    ]
    const generated = fc.sample(
      fc.oneof(
        fc.string({ unit: 'binary', maxLength: 40 }),
        fc.integer().map(String),
        fc.uuid(),
        fc.tuple(fc.string(), fc.string(), fc.string()).map(([a, b, c]) => `${a}{${b}}${c}`),
      ),
      { numRuns: 2000, seed: 1 },
    )
    const keys = [...chosen, ...generated.filter((key) => key.isWellFormed())]
    expect(keys.map(keySlot)).toEqual(await slotsOf(keys))
  })
})
