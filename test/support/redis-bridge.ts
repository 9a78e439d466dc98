/**
 * A bridge to a real Redis that speaks Upstash's REST protocol (https://upstash.com/docs/redis/features/restapi), with
 * faults that a test switches on: slow, refusing, silent, talking nonsense.
 * @module
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Redis } from 'ioredis'
import { type RedisServer, startRedis } from './redis-server.ts'

/** What is wrong with it; nothing when left out. */
export interface BridgeFault {
  /** Answers so much later, in milliseconds. */
  readonly delayMs?: number
  /** Answers 500, or breaks the connection. */
  readonly down?: 'error' | 'hang-up'
  /** Refuses what would need memory, as a Redis that is full. */
  readonly full?: boolean
  /** Answers with what nobody asked for. */
  readonly nonsense?: boolean
  /** Answers 500 to one caller, who has this name behind the token and a dot: `local.isolate1`. */
  readonly closedTo?: string
}

export interface RedisBridge {
  readonly url: string
  readonly token: string
  readonly client: Redis
  /** Calls that came in since the start. */
  readonly calls: () => number
  fault: BridgeFault
  stop(): Promise<void>
}

type Command = readonly (string | number)[]
type Answer = { readonly result: unknown } | { readonly error: string }

const maxBodyBytes = 10_000_000
/** Commands that answer with a status, which is never encoded. */
const statuses = new Set(['SET', 'MSET', 'SETEX', 'FLUSHALL', 'FLUSHDB', 'PING'])
/** Commands that take memory. */
const writing = new Set(['SET', 'MSET', 'EVAL', 'SETEX'])

/** @param token what calls must bear */
export async function startRedisBridge(token = 'local'): Promise<RedisBridge> {
  const redis: RedisServer = await startRedis()
  let calls = 0
  const bridge = { fault: {} as BridgeFault }
  const server = createServer(async (request, response) => {
    calls++
    const { fault } = bridge
    if (fault.delayMs) await new Promise((done) => setTimeout(done, fault.delayMs))
    if (fault.down === 'hang-up') return void request.socket.destroy()
    if (fault.down === 'error') return send(response, 500, { error: 'ERR out of service' })
    if (fault.nonsense) return send(response, 200, { result: 'nonsense' })
    const [scheme, given = '', name] = (request.headers.authorization ?? '').split(/[ .]/)
    if (scheme !== 'Bearer' || given !== token) {
      return send(response, 401, { error: 'WRONGPASS invalid or missing auth token' })
    }
    if (fault.closedTo !== undefined && fault.closedTo === name) {
      return send(response, 500, { error: 'ERR out of service' })
    }
    const isBase64 = request.headers['upstash-encoding'] === 'base64'
    try {
      const body = JSON.parse(await readBody(request)) as Command | readonly Command[]
      const run = (command: Command) => runCommand(redis.client, command, fault, isBase64)
      switch (request.url?.split('?')[0]) {
        case '/': {
          const answer = await run(body as Command)
          return send(response, 'error' in answer ? 400 : 200, answer)
        }
        case '/pipeline': {
          const answers: Answer[] = []
          for (const command of body as readonly Command[]) answers.push(await run(command))
          return send(response, 200, answers)
        }
        case '/multi-exec':
          return send(response, 200, await transaction(redis.client, body as readonly Command[], isBase64))
        default:
          return send(response, 404, { error: 'ERR no such path' })
      }
    } catch (error) {
      send(response, 400, { error: `ERR ${error instanceof Error ? error.message : error}` })
    }
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as { port: number }
  return Object.assign(bridge, {
    url: `http://127.0.0.1:${port}`,
    token,
    client: redis.client,
    calls: () => calls,
    async stop() {
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
      await redis.stop()
    },
  })
}

async function runCommand(
  redis: Redis,
  command: Command,
  fault: BridgeFault,
  isBase64: boolean,
): Promise<Answer> {
  const [name, ...parts] = command.map(String) as [string, ...string[]]
  if (fault.full && writing.has(name.toUpperCase())) {
    return { error: "OOM command not allowed when used memory > 'maxmemory'." }
  }
  try {
    return {
      result: encoded(await redis.call(name, ...parts), isBase64 && !statuses.has(name.toUpperCase())),
    }
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) }
  }
}

async function transaction(
  redis: Redis,
  commands: readonly Command[],
  isBase64: boolean,
): Promise<Answer[] | Answer> {
  const multi = redis.multi()
  for (const command of commands) multi.call(...(command.map(String) as [string, ...string[]]))
  const results = await multi.exec()
  if (results === null) return { error: 'EXECABORT Transaction discarded' }
  return results.map(([error, result], i) => {
    const isStatus = statuses.has(String(commands[i]?.[0]).toUpperCase())
    return error ? { error: error.message } : { result: encoded(result, isBase64 && !isStatus) }
  })
}

/** Strings in base64, when the client wants them so; status replies stay as they are. */
function encoded(result: unknown, isBase64: boolean): unknown {
  if (Array.isArray(result)) return result.map((item) => encoded(item, isBase64))
  if (!isBase64 || typeof result !== 'string') return result
  return Buffer.from(result).toString('base64')
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength
    if (bytes > maxBodyBytes) throw new Error('the request is too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'Content-Type': 'application/json' })
  response.end(JSON.stringify(body))
}
