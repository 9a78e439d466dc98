/**
 * A Redis with its bridge in a process of its own, so that what they use is neither the server's nor the asker's. Run by itself, it
 * prints its address and stays until its standard input ends.
 * @module
 */
import { startOwnProcess } from './own-process.ts'
import { startRedisBridge } from './redis-bridge.ts'

export interface RedisProcess {
  readonly variables: Readonly<Record<string, string>>
  stop(): Promise<void>
}

export async function startRedisProcess(): Promise<RedisProcess> {
  const { said, stop } = await startOwnProcess(import.meta.filename)
  const { url, token } = JSON.parse(said) as { url: string; token: string }
  return { variables: { UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token }, stop }
}

if (import.meta.main) {
  const { url, token, stop } = await startRedisBridge()
  console.log(JSON.stringify({ url, token }))
  process.stdin.resume()
  process.stdin.once('end', () => void stop())
}
