/**
 * A Redis with its bridge in a process of its own, so that what they use is neither the server's nor the asker's. Run by itself, it
 * prints its address and stays until its standard input ends.
 * @module
 */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { startRedisBridge } from './redis-bridge.ts'

export interface RedisProcess {
  readonly variables: Readonly<Record<string, string>>
  stop(): Promise<void>
}

export async function startRedisProcess(): Promise<RedisProcess> {
  const child = spawn(process.execPath, [import.meta.filename], { stdio: ['pipe', 'pipe', 'inherit'] })
  const gone = new Promise((done) => child.once('exit', done))
  for await (const line of createInterface({ input: child.stdout })) {
    const { url, token } = JSON.parse(line) as { url: string; token: string }
    const stop = async () => {
      child.stdin.end()
      await gone
    }
    return { variables: { UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token }, stop }
  }
  throw new Error('the process with Redis ended before it said where it is')
}

if (import.meta.main) {
  const { url, token, stop } = await startRedisBridge()
  console.log(JSON.stringify({ url, token }))
  process.stdin.resume()
  process.stdin.once('end', () => void stop())
}
