/**
 * A stand-in for Cloudflare's REST API on this machine: what wrangler and our commands ask of it, with databases behind it. README.md
 * says what it does not imitate.
 * @module
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Account, accountRoutes } from './account-routes.ts'
import { createAssetStore } from './asset-routes.ts'
import { bucketRoutes, type StoredBucket } from './bucket-routes.ts'
import { d1Routes } from './d1-routes.ts'
import { openStore, type StoredDatabase } from './d1-store.ts'
import { createTimeTravel } from './d1-time-travel-routes.ts'
import { d1TransferRoutes } from './d1-transfer-routes.ts'
import { createEdge } from './edge.ts'
import { createFaults, type Fault, type SeenRequest } from './faults.ts'
import { createQueueStore, type StoredQueue } from './queue-routes.ts'
import { type ApiAnswer, type ApiRequest, findRoute, Refusal, type Route } from './routes.ts'
import { scriptRoutes } from './script-routes.ts'
import { createScriptStore, type ScriptStore } from './script-store.ts'

export interface CloudflareOptions {
  /** Names of the databases that are there. */
  readonly databases?: readonly string[]
  /** One when left out; databases are the same in each. */
  readonly accounts?: readonly Account[]
  /** Items that a page of databases has at most. */
  readonly longestPage?: number
  /** Takes what Workers log. */
  readonly onLog?: (message: string) => void
}

export interface Cloudflare {
  /** What `CLOUDFLARE_API_BASE_URL` is set to. */
  readonly url: string
  /** What makes wrangler and our commands ask here. */
  readonly env: Readonly<
    Record<'CLOUDFLARE_API_BASE_URL' | 'CLOUDFLARE_API_TOKEN' | 'CLOUDFLARE_ACCOUNT_ID', string>
  >
  readonly accounts: readonly Account[]
  /** A database as its binding, past the API. */
  database(name: string): D1Database
  /** Its id. */
  idOf(name: string): string
  /** Workers with their versions and deployments. */
  readonly scripts: ScriptStore
  readonly queues: readonly StoredQueue[]
  readonly buckets: readonly StoredBucket[]
  /** Whether R2 is switched on in the account; it is. */
  isR2On: boolean
  /** How replicas of a database are made. */
  replicationOf(name: string): string
  /** Remembers all databases as they are now, so that Time Travel leads there. @returns when, in milliseconds since 1970 */
  remember(): Promise<number>
  /** Where a deployed Worker answers. */
  addressOf(script: string): Promise<string>
  /** Every request, oldest first; a test may empty it. */
  readonly requests: SeenRequest[]
  /** Requests of those that no route answers. */
  readonly unknown: SeenRequest[]
  fail(fault: Fault): void
  /** Forgets the faults that nobody has met yet. */
  mend(): void
  stop(): Promise<void>
}

const base = '/client/v4'
const token = 'a-made-up-token-of-forty-characters-xxxx'
const apiKey = { key: 'a-made-up-key', email: 'somebody@example.com' }
const oneAccount: Account = { id: '0123456789abcdef0123456789abcdef', name: 'Somebody' }

export async function startCloudflare(options: CloudflareOptions = {}): Promise<Cloudflare> {
  const accounts = options.accounts ?? [oneAccount]
  const store = await openStore(options.databases ?? [], options.onLog)
  const timeTravel = createTimeTravel(store)
  const scripts = createScriptStore()
  const assets = createAssetStore()
  const queues = createQueueStore(() => edge.rollOut())
  const buckets: StoredBucket[] = []
  const edge = createEdge({ scripts, databases: store, queues: queues.queues, files: assets.files })
  const settings = { isR2On: true }
  const routes: Route[] = [
    ...accountRoutes(accounts),
    ...d1Routes(store, options.longestPage ?? 1000),
    ...d1TransferRoutes(store),
    ...timeTravel.routes,
    ...scriptRoutes(scripts, assets, () => edge.rollOut()),
    ...assets.routes,
    ...queues.routes,
    ...bucketRoutes(buckets, () => settings.isR2On),
  ]
  const requests: SeenRequest[] = []
  const unknown: SeenRequest[] = []
  const faults = createFaults()
  const timers = new Set<NodeJS.Timeout>()
  const delay = (ms: number) =>
    new Promise<void>((done) => {
      const timer = setTimeout(() => {
        timers.delete(timer)
        done()
      }, ms)
      timers.add(timer)
    })

  const serve = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const request = await readRequest(incoming, `${origin}${base}`)
    const { method, body } = request
    const path = `${request.path}${request.query.size > 0 ? `?${request.query}` : ''}`
    const seen: SeenRequest = { method, path, bytes: body.byteLength, body: body.toString('utf8') }
    requests.push(seen)
    const fault = faults.next(seen)
    if (fault?.how === 'drop-before') return void incoming.socket.destroy()
    if (fault?.how === 'html') return write(response, htmlOf(fault))
    if (fault?.how === 'status') return write(response, statusOf(fault))
    const found = findRoute(routes, method, request.path)
    if (!found) unknown.push(seen)
    const answer = await answerOf(request, found, accounts)
    if (fault?.how === 'drop-after') return void incoming.socket.destroy()
    if (fault?.how === 'slow') await delay(fault.delayMs ?? 60_000)
    write(response, answer)
  }

  const server = createServer((incoming, response) => {
    serve(incoming, response).catch((error: Error) => {
      write(response, envelopeOf(new Refusal(500, 10001, `the stand-in failed: ${error.stack}`)))
    })
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const stored = (name: string): StoredDatabase => {
    const database = store.find(name)
    if (!database) throw new Error(`there is no database ${name}`)
    return database
  }
  return {
    url: `${origin}${base}`,
    env: {
      CLOUDFLARE_API_BASE_URL: `${origin}${base}`,
      CLOUDFLARE_API_TOKEN: token,
      CLOUDFLARE_ACCOUNT_ID: (accounts[0] as Account).id,
    },
    accounts,
    scripts,
    queues: queues.queues,
    buckets,
    get isR2On() {
      return settings.isR2On
    },
    set isR2On(isOn) {
      settings.isR2On = isOn
    },
    replicationOf: (name) => stored(name).replication,
    remember: timeTravel.remember,
    addressOf: edge.addressOf,
    database: (name) => stored(name).door,
    idOf: (name) => stored(name).uuid,
    requests,
    unknown,
    fail: faults.fail,
    mend: faults.mend,
    async stop() {
      for (const timer of timers) clearTimeout(timer)
      server.closeAllConnections()
      await Promise.all([new Promise((done) => server.close(done)), edge.stop(), store.stop()])
    },
  }
}

async function readRequest(incoming: IncomingMessage, url: string): Promise<ApiRequest> {
  const chunks: Buffer[] = []
  for await (const chunk of incoming as AsyncIterable<Buffer>) chunks.push(chunk)
  const { pathname, searchParams } = new URL(incoming.url ?? '/', url)
  const path = pathname.startsWith(`${base}/`) ? pathname.slice(base.length) : pathname
  const { method = 'GET', headers } = incoming
  return { method, path, query: searchParams, headers, body: Buffer.concat(chunks), url }
}

async function answerOf(
  request: ApiRequest,
  found: ReturnType<typeof findRoute>,
  accounts: readonly Account[],
): Promise<ApiAnswer> {
  try {
    if (!found?.route.isOpen) checkCredentials(request)
    if (!found) {
      throw new Refusal(
        404,
        7003,
        `Could not route to ${request.path}, perhaps your object identifier is invalid?`,
      )
    }
    const { account } = found.parameters
    if (account !== undefined && !accounts.some(({ id }) => id === account)) {
      throw new Refusal(
        403,
        7403,
        'The given account is not valid or is not authorized to access this service',
      )
    }
    return envelopeOf(await found.route.handle(request, found.parameters))
  } catch (error) {
    if (error instanceof Refusal) return envelopeOf(error)
    throw error
  }
}

function checkCredentials({ headers }: ApiRequest): void {
  const isToken = headers.authorization === `Bearer ${token}`
  const isKey = headers['x-auth-key'] === apiKey.key && headers['x-auth-email'] === apiKey.email
  if (!isToken && !isKey) throw new Refusal(401, 10000, 'Authentication error')
}

function envelopeOf(answer: ApiAnswer | Refusal): ApiAnswer {
  if (answer instanceof Refusal) {
    const errors = [{ code: answer.code, message: answer.message }]
    return jsonAnswer(answer.status, { success: false, errors, messages: [], result: null })
  }
  if (answer.raw !== undefined) return answer
  const { status = 200, result, resultInfo } = answer
  const info = resultInfo === undefined ? {} : { result_info: resultInfo }
  return jsonAnswer(status, { success: true, errors: [], messages: [], result, ...info })
}

function jsonAnswer(status: number, body: object): ApiAnswer {
  return { status, raw: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } }
}

function statusOf({ status = 500, retryAfterSeconds }: Fault): ApiAnswer {
  const message =
    status === 429 ? 'Please wait and consider throttling your request speed' : `made to fail with ${status}`
  const answer = envelopeOf(new Refusal(status, status === 429 ? 971 : 10001, message))
  if (retryAfterSeconds === undefined) return answer
  return { ...answer, headers: { ...answer.headers, 'Retry-After': String(retryAfterSeconds) } }
}

function htmlOf({ status = 502 }: Fault): ApiAnswer {
  const page = `<!DOCTYPE html><html><head><title>${status}: Bad gateway</title></head><body>cloudflare</body></html>`
  return { status, raw: page, headers: { 'Content-Type': 'text/html; charset=UTF-8' } }
}

function write(response: ServerResponse, { status = 200, headers = {}, raw = '' }: ApiAnswer): void {
  if (response.destroyed) return
  response.writeHead(status, headers)
  response.end(raw)
}
