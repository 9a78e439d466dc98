/**
 * A server that stands behind the balancer in tests, in a process of its own: it behaves as it is told by messages, and can be killed.
 * `startOrigin` starts one; run by itself, this file is one.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { WebSocketServer } from 'ws'

/** How it behaves; what is left out is as usual. */
export interface Script {
  /** Answers so much later, in milliseconds. */
  readonly delayMs?: number
  /** Answers so much later at first, and in time without further delay. */
  readonly cold?: { readonly delayMs: number; readonly forMs: number }
  readonly status?: number
  /** Never answers; ends its answers in the middle; breaks connections. */
  readonly fault?: 'hang' | 'cut' | 'hang-up'
  /** Ill every second time for so long, in milliseconds: health checks and requests answer 503. */
  readonly flapMs?: number
  /** What `/health` says. */
  readonly health?: number
}

export interface ScriptedOrigin {
  readonly name: string
  readonly url: string
  readonly pid: number
  script(script: Script): Promise<void>
  /** Requests that came in since the last time that this was asked, but for those to `/health`. */
  count(): Promise<number>
  /** Bytes of large bodies that it has written. */
  written(): Promise<number>
  /** As the machine would: `kill -9`. */
  kill(): Promise<void>
  /** Ends it, and starts it again at the same port. */
  restart(script?: Script): Promise<void>
}

export async function startOrigin(name: string): Promise<ScriptedOrigin> {
  let child = spawnOrigin(name, 0)
  const end = () => child.kill('SIGKILL')
  process.once('exit', end)
  const port = await ready(child)
  const ask = async (message: unknown) => {
    const answer = reply(child)
    child.send(message as object)
    return answer
  }
  return {
    name,
    url: `http://127.0.0.1:${port}`,
    get pid() {
      return child.pid as number
    },
    script: async (script) => void (await ask({ script })),
    count: async () => (await ask({ count: true })) as number,
    written: async () => (await ask({ written: true })) as number,
    kill: () => killed(child),
    async restart(script = {}) {
      await killed(child)
      child = spawnOrigin(name, port)
      await ready(child)
      await ask({ script })
    },
  }
}

async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((done) => child.once('exit', done))
  child.kill('SIGKILL')
  await ended
}

function spawnOrigin(name: string, port: number): ChildProcess {
  return fork(import.meta.filename, [name, String(port)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
}

const ready = async (child: ChildProcess) => ((await reply(child)) as { port: number }).port

function reply(child: ChildProcess): Promise<unknown> {
  return new Promise((done, fail) => {
    const onExit = () => fail(new Error('the origin has ended'))
    child.once('exit', onExit)
    child.once('message', (message) => {
      child.off('exit', onExit)
      done(message)
    })
  })
}

/** What this file does in a process of its own. */
function serve(name: string, port: number): void {
  let script: Script = {}
  let count = 0
  let asked = 0
  const startedAt = Date.now()
  const isFlapping = () => script.flapMs !== undefined && Math.floor(Date.now() / script.flapMs) % 2 === 1

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', 'http://origin')
    if (url.pathname === '/health') {
      response.statusCode = isFlapping() ? 503 : (script.health ?? 200)
      return void response.end(`${name} is well`)
    }
    count++
    const { cold } = script
    const left = cold ? Math.max(0, 1 - (Date.now() - startedAt) / cold.forMs) : 0
    const delayMs = (script.delayMs ?? 0) + (cold ? cold.delayMs * left : 0)
    if (delayMs > 0) await new Promise((done) => setTimeout(done, delayMs))
    if (script.fault === 'hang') return
    if (script.fault === 'hang-up') return void request.socket.destroy()
    response.setHeader('X-Origin', name)
    if (script.fault === 'cut') {
      response.writeHead(200, { 'Content-Length': '1000' })
      response.write('half of')
      return void setTimeout(() => request.socket.destroy(), 20)
    }
    response.statusCode = isFlapping() ? 503 : (script.status ?? 200)
    const [, kind = '', argument = ''] =
      /\/(bytes|redirect|cached|echo|drip)\b\/?(.*)$/.exec(url.pathname) ?? []
    if (kind === 'bytes') return stream(response, Number(argument))
    if (kind === 'drip') return drip(response, Number(argument))
    if (kind === 'redirect') {
      response.writeHead(302, { Location: url.searchParams.get('to') ?? '/' })
      return void response.end()
    }
    if (kind === 'cached') {
      asked++
      for (const [header, value] of url.searchParams) response.setHeader(header, value)
      const etag = url.searchParams.get('etag')
      if (etag !== null && request.headers['if-none-match'] === etag) {
        response.statusCode = 304
        return void response.end()
      }
      return void response.end(`${name} ${asked} ${request.headers['accept-language'] ?? ''}`)
    }
    let bytes = 0
    for await (const chunk of request) bytes += (chunk as Buffer).byteLength
    response.setHeader('Content-Type', 'application/json')
    const { method, url: address, headers, rawHeaders } = request
    response.end(JSON.stringify({ origin: name, method, url: address, headers, rawHeaders, bytes }))
  }

  const server = createServer((request, response) => {
    handle(request, response).catch(() => request.socket.destroy())
  })
  server.keepAliveTimeout = 60_000
  const sockets = new WebSocketServer({ server, handleProtocols: (protocols) => [...protocols][0] ?? false })
  sockets.on('connection', (socket, request) => {
    socket.send(`${name} ${request.url}`)
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
  })
  server.listen(port, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }))
  process.on('message', (message: { script?: Script; written?: boolean }) => {
    if (message.written) return void process.send?.(written)
    if (message.script) script = message.script
    process.send?.(count)
    if (!message.script) count = 0
  })
  process.on('disconnect', () => process.exit())
}

/** Bytes that were written by `stream` since the process began. */
let written = 0

/** So many bytes, no faster than they are taken. */
function stream(response: ServerResponse, bytes: number): void {
  const chunk = Buffer.alloc(65_536, 'x')
  let left = bytes
  const write = (): void => {
    while (left > 0) {
      const part = left < chunk.byteLength ? chunk.subarray(0, left) : chunk
      left -= part.byteLength
      written += part.byteLength
      if (!response.write(part)) return void response.once('drain', write)
    }
    response.end()
  }
  write()
}

/** A line every 50 ms. */
function drip(response: ServerResponse, lines: number): void {
  let line = 0
  const timer = setInterval(() => {
    response.write(`line ${line++}\n`)
    if (line === lines) {
      clearInterval(timer)
      response.end()
    }
  }, 50)
  response.once('close', () => clearInterval(timer))
}

const [, file, name = '', port = ''] = process.argv
if (file === import.meta.filename) serve(name, Number(port))
