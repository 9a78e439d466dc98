import { connect } from 'node:net'
import { secretKey, startTestServer, type TestServer } from './local-server.ts'
import { type ScriptedOrigin, startOrigin } from './scripted-origin.ts'

export interface Balanced {
  readonly server: TestServer
  readonly origins: Readonly<Record<'a' | 'b' | 'c' | 'd', ScriptedOrigin>>
  ask(path: string, init?: RequestInit): Promise<Response>
  /** Which origin answered; the status when none did. */
  whoAnswers(path: string, init?: RequestInit): Promise<string>
  /** `/balancer/v1`, with the secret key. */
  api(path: string, init?: RequestInit): Promise<Response>
  /** Sends bytes as they are, and gives back what came within so many milliseconds. */
  raw(text: string, ms?: number): Promise<string>
  stop(): Promise<void>
}

/** Four scripted origins, and the Worker of `balanced-worker.ts` before them. */
export async function startBalanced(variables: Readonly<Record<string, string>> = {}): Promise<Balanced> {
  const names = ['a', 'b', 'c', 'd'] as const
  const list = await Promise.all(names.map(startOrigin))
  const origins = Object.fromEntries(list.map((origin) => [origin.name, origin])) as Balanced['origins']
  const server = await startTestServer({
    isWhole: true,
    isQuiet: true,
    databases: ['DB'],
    entry: new URL('balanced-worker.ts', import.meta.url).pathname,
    variables: {
      ...Object.fromEntries(list.map(({ name, url }) => [`ORIGIN_${name.toUpperCase()}`, url])),
      ORIGIN_A_BASED: `${origins.a.url}/base`,
      ORIGIN_TOKEN: 'told to a only',
      ...variables,
    },
  })
  const ask = (path: string, init: RequestInit = {}) =>
    fetch(server.address + path, { redirect: 'manual', ...init })
  return {
    server,
    origins,
    ask,
    async whoAnswers(path, init) {
      const answer = await ask(path, init)
      await answer.arrayBuffer()
      return answer.headers.get('x-origin') ?? String(answer.status)
    },
    api: (path, init = {}) =>
      ask(`/balancer/v1${path}`, {
        ...init,
        headers: { apikey: secretKey, 'Content-Type': 'application/json', ...init.headers },
      }),
    raw: (text, ms = 400) =>
      new Promise((done) => {
        let came = ''
        const socket = connect(Number(server.url.port), '127.0.0.1', () => socket.write(text))
        socket.on('data', (data) => {
          came += data
        })
        socket.on('error', () => undefined)
        setTimeout(() => {
          socket.destroy()
          done(came)
        }, ms)
      }),
    async stop() {
      await server.stop()
      await Promise.all(list.map((origin) => origin.kill()))
    },
  }
}
