import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { freePort } from './free-port.ts'
import { findToolNamed } from './system-tools.ts'

/** A Redis server of the test's own, in memory, on this machine only. */
export interface RedisServer {
  readonly port: number
  readonly client: Redis
  stop(): Promise<void>
}

/** @param options what `redis-server` takes, beside the usual */
export async function startRedis(options: readonly string[] = []): Promise<RedisServer> {
  const program = findToolNamed('Redis')
  if (program === null) throw new Error('Redis is missing: on Debian, apt-get install redis-server')
  const folder = mkdtempSync(join(tmpdir(), 'atoll-redis-'))
  const port = await freePort()
  const usual = [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--dir',
    folder,
    '--save',
    '',
    '--appendonly',
    'no',
  ]
  const server: ChildProcess = spawn(program, [...usual, ...options], { stdio: 'ignore' })
  // Whatever ends this process, its Redis does not outlive it.
  const end = () => {
    server.kill()
    rmSync(folder, { recursive: true, force: true })
  }
  process.once('exit', end)
  const client = new Redis(port, '127.0.0.1', { retryStrategy: (tries) => (tries > 100 ? null : 50) })
  client.on('error', () => undefined)
  await client.ping()
  return {
    port,
    client,
    async stop() {
      client.disconnect()
      const ended = new Promise((done) => server.once('exit', done))
      process.off('exit', end)
      end()
      await ended
    },
  }
}
