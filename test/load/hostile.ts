/**
 * `npm run load -- hostile`: ten thousand requests that are made to cost an isolate memory, and the memory of that isolate and of
 * the server's process afterwards. Loopback only, bounded in requests and time, ends by itself: with 1 when the isolate keeps too much.
 * @module
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { Agent, createServer, type Server, request as send } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { LogLevel } from 'miniflare'
import type { AtollConfig } from '../../functions/areas.ts'
import { prepareFixture, startFixture } from '../support/local-server.ts'
import { seededRandom } from '../support/seeded-random.ts'
import type { Settings } from './compare.ts'
import { type Asked, jwtSecret, type Kind, kinds } from './hostile-kinds.ts'
import { isolateMemoryOf } from './isolate-memory.ts'
import { cpuOf } from './process-cpu.ts'
import { memoryOf, peakMemoryOf } from './process-memory.ts'
import { serversOf } from './tool/local-target.ts'
import { table } from './tool/report.ts'

/** What the isolate may have more than at the start, in megabytes. */
export const aimMegabytes = 100
/** As the platform bounds an isolate: its heap in megabytes. A process in which one needs more ends, and so does the run. */
const v8Flags = '--max-heap-size=128'
const timeoutMs = 60_000
/** No kind has more requests than this. */
const maxRequests = 100_000

export interface HostileTerms {
  /** About how many requests of a kind. */
  readonly count: (kind: Kind) => number
  readonly seed: number
  /** For how long each of those who send slowly does so, in milliseconds. */
  readonly slowMs: number
  /** Only kinds whose name holds this word. Default all. */
  readonly only?: string
  /** How long is waited until all is quiet, before memory is looked at, in seconds. Default 30. */
  readonly quietSeconds?: number
  /** How the Worker is configured. Default as it is for everybody. */
  readonly config?: Partial<AtollConfig>
  /** Is told as it goes. */
  readonly tell?: (text: string) => void
}

/** In megabytes. */
export interface Memory {
  /** Of the isolate: values and buffers, garbage included where it was not collected. */
  readonly isolate: number
  /** Resident, of the process, which has the simulated databases and buckets as well, and gives little back. */
  readonly process: number
}

export interface KindResult {
  readonly name: string
  readonly requests: number
  /** How many had which status, or `left` when the body was given up by its sender. */
  readonly statuses: Readonly<Record<string, number>>
  readonly cpuMs: number
  /** At the end of the kind. */
  readonly memory: Memory
}

export interface HostileResult {
  readonly kinds: readonly KindResult[]
  /** After the warm-up. */
  readonly before: Memory
  /** When all is over. */
  readonly after: Memory
  /** After the warm-up and at the end, of the isolate, without garbage. */
  readonly kept: readonly [before: number, after: number]
  /** The most that the process had, in megabytes. */
  readonly peak: number
  /** What honest requests were answered afterwards: all 200. */
  readonly honest: readonly number[]
}

export async function runHostile({ only = '' }: Settings): Promise<void> {
  const tell = (text: string) => process.stderr.write(`${text}\n`)
  const result = await driveHostile({ count: ({ share }) => share, seed: 1, slowMs: 12_000, only, tell })
  const rows = result.kinds.map(({ name, requests, statuses, cpuMs, memory }) => [
    name,
    String(requests),
    Object.entries(statuses)
      .map(([status, n]) => `${status}: ${n}`)
      .join(', '),
    cpuMs.toFixed(1),
    String(memory.isolate),
    String(memory.process),
  ])
  console.log(table(['kind', 'requests', 'statuses', 'CPU ms', 'isolate MB', 'process MB'], rows).join('\n'))
  const { before, after, kept, peak, honest } = result
  const sum = result.kinds.reduce((all, { requests }) => all + requests, 0)
  const above = after.isolate - before.isolate
  const holds = above < aimMegabytes && honest.every((status) => status === 200)
  console.log(`
${sum} requests. Honest requests afterwards: ${honest.join(', ')}
isolate: ${before.isolate} MB after the warm-up, ${after.isolate} MB when all was over; without garbage ${kept.join(' and ')} MB
process, with the simulated databases and buckets: ${before.process} MB, ${after.process} MB; ${peak} MB at most
The isolate has ${above} MB more than at the start; the aim is less than ${aimMegabytes}: ${holds ? 'holds' : 'MISSED'}`)
  if (!holds) process.exitCode = 1
}

/** Starts the product, drives the kinds in turn, and looks at the process. Ends what it has started. */
export async function driveHostile(terms: HostileTerms): Promise<HostileResult> {
  const persistTo = mkdtempSync(join(tmpdir(), 'atoll-hostile-'))
  const origin = await startOrigin()
  const flags = process.env.MINIFLARE_WORKERD_V8_FLAGS
  process.env.MINIFLARE_WORKERD_V8_FLAGS = v8Flags
  try {
    const server = await startFixture({
      port: 0,
      // Databases and files on a disk, so that they are not what grows.
      persistTo,
      isWhole: true,
      isBare: true,
      isQuiet: true,
      isInspected: true,
      logLevel: LogLevel.NONE,
      entry: new URL('hostile-worker.ts', import.meta.url).pathname,
      variables: {
        ATOLL_PUBLISHABLE_KEY: 'sb_publishable_test',
        ATOLL_SECRET_KEY: 'sb_secret_test',
        ATOLL_JWT_SECRET: jwtSecret,
        ATOLL_RATE_LIMITS: 'off',
        HOSTILE_CONFIG: JSON.stringify(terms.config ?? {}),
        HOSTILE_ORIGIN: `http://127.0.0.1:${(origin.address() as AddressInfo).port}`,
      },
    })
    try {
      await prepareFixture(await server.databases())
      const database = await server.database('DB')
      await database.prepare('CREATE TABLE notes (id INTEGER PRIMARY KEY, data TEXT)').run()
      const url = await server.addressOf()
      const [pid = 0] = serversOf(url)
      const look = async (collect: boolean): Promise<Memory> => {
        const inspector = await server.miniflare.getInspectorURL()
        // Garbage of an isolate that has nothing to do is collected only when it is asked something.
        const poking = setInterval(() => void fetch(new URL('/docs', url)).catch(() => undefined), 200)
        const { used, buffers } = await isolateMemoryOf(inspector, 'atoll', { collect }).finally(() =>
          clearInterval(poking),
        )
        return { isolate: Math.round((used + buffers) / 2 ** 20), process: memoryOf(pid) }
      }
      return await drive(url, pid, look, terms)
    } finally {
      await server.stop()
    }
  } finally {
    if (flags === undefined) delete process.env.MINIFLARE_WORKERD_V8_FLAGS
    else process.env.MINIFLARE_WORKERD_V8_FLAGS = flags
    origin.closeAllConnections()
    origin.close()
    rmSync(persistTo, { recursive: true, force: true })
  }
}

async function drive(
  url: URL,
  pid: number,
  look: (collect: boolean) => Promise<Memory>,
  { count, seed, slowMs, only = '', quietSeconds = 30, tell }: HostileTerms,
): Promise<HostileResult> {
  const agent = new Agent({ keepAlive: true })
  const random = seededRandom(seed)
  const ask = (asked: Asked, address: string) => askOnce(url, agent, asked, address)
  let all = 0
  const round = async (kind: Kind, wanted: number, ms: number) => {
    const count = Math.min(maxRequests, wanted)
    const statuses: Record<string, number> = {}
    let next = 0
    const work = async () => {
      while (next < count) {
        const i = next++
        // Sixteen callers.
        const address = `203.0.113.${i % 16}`
        const status = await ask(kind.ask(all + i, { random, address, slowMs: ms }), address)
        statuses[status] = (statuses[status] ?? 0) + 1
      }
    }
    const cpu = cpuOf(pid) ?? 0
    await Promise.all(Array.from({ length: Math.min(count, kind.width) }, work))
    // Those who ask twice have asked twice.
    all += count + (count % 2)
    const cpuMs = ((cpuOf(pid) ?? 0) - cpu) / count
    return { name: kind.name, requests: count, statuses, cpuMs, memory: await look(false) }
  }
  try {
    const bucket = { method: 'POST', path: '/storage/v1/bucket', body: '{"name":"hostile"}' }
    await ask(
      { ...bucket, headers: { apikey: 'sb_secret_test', 'content-type': 'application/json' } },
      '203.0.113.99',
    )
    await honest(ask)
    // Each kind once, so that what all of them need is there.
    for (const kind of kinds) await round(kind, 1, 500)
    await quiet(pid, quietSeconds)
    const before = await look(false)
    const keptBefore = (await look(true)).isolate
    tell?.(`${JSON.stringify(before)} after the warm-up`)
    const results: KindResult[] = []
    for (const kind of kinds) {
      if (!kind.name.includes(only)) continue
      const wanted = Math.round(count(kind))
      if (wanted === 0) continue
      const result = await round(kind, wanted, slowMs)
      results.push(result)
      tell?.(`${JSON.stringify(result.memory)} after ${kind.name}: ${JSON.stringify(result.statuses)}`)
    }
    await quiet(pid, quietSeconds)
    const after = await look(false)
    const answers = await honest(ask)
    const kept = [keptBefore, (await look(true)).isolate] as const
    return { kinds: results, before, after, kept, peak: peakMemoryOf(pid), honest: answers }
  } finally {
    agent.destroy()
  }
}

/** What ordinary callers ask. */
async function honest(ask: (asked: Asked, address: string) => Promise<string>): Promise<number[]> {
  const questions: Asked[] = [
    { path: '/rest/v1/albums?select=*,artists(name)&limit=10' },
    { path: '/rest/v1/tracks?id=eq.1' },
    {
      method: 'POST',
      path: '/rest/v1/rpc/best_sellers',
      headers: { 'content-type': 'application/json' },
      body: '{"count":2}',
    },
    {
      method: 'POST',
      path: '/functions/v1/label',
      headers: { 'content-type': 'application/json' },
      body: '{"album_id":1}',
    },
    { path: '/docs' },
  ]
  const statuses: number[] = []
  for (const question of questions) statuses.push(Number.parseInt(await ask(question, '198.51.100.1'), 10))
  return statuses
}

/** @returns the status; `left` when the sender gave it up; `failed` when the connection broke */
function askOnce(
  url: URL,
  agent: Agent,
  { method = 'GET', path, headers = {}, body, pace }: Asked,
  address: string,
) {
  return new Promise<string>((done) => {
    let timer: NodeJS.Timeout | undefined
    const length = pace ? pace.length : Buffer.byteLength(body ?? '')
    const end = (status: string) => {
      clearInterval(timer)
      clearTimeout(limit)
      done(status)
    }
    const sent = send(url.origin, {
      method,
      path,
      agent,
      // Answers name the address that was asked.
      maxHeaderSize: 65_536,
      headers: {
        apikey: 'sb_publishable_test',
        'x-address': address,
        ...headers,
        ...(method === 'GET' ? {} : { 'content-length': String(length) }),
      },
    })
    const limit = setTimeout(
      () => {
        end(pace ? 'left' : 'late')
        sent.destroy()
      },
      pace ? pace.forMs : timeoutMs,
    )
    sent.on('response', (answer) => {
      let start = ''
      answer.setEncoding('utf8')
      answer.on('data', (text: string) => {
        if (start.length < 1000) start += text
      })
      answer.on('close', () => {
        const [, code = ''] = /"code":"(\w+)"/.exec(start) ?? []
        end(`${answer.statusCode} ${code}`.trim())
        // Who is refused does not go on sending.
        if (pace) sent.destroy()
      })
    })
    sent.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? 'failed'))
    if (!pace) return void sent.end(body)
    sent.write(Buffer.alloc(pace.firstBytes, 32))
    if (pace.more === 0) return
    let left = pace.length - pace.firstBytes
    timer = setInterval(() => {
      const bytes = Math.min(left, pace.more)
      left -= bytes
      if (bytes > 0) sent.write(Buffer.alloc(bytes, 32))
      else sent.end()
    }, 100)
  })
}

/** Waits until the process has done what it was left with: less than a twentieth of a processor for two seconds. */
async function quiet(pid: number, seconds: number): Promise<void> {
  for (let rest = 0, tries = 0; rest < 2 && tries < seconds; tries++) {
    const cpu = cpuOf(pid) ?? 0
    await sleep(1000)
    rest = (cpuOf(pid) ?? 0) - cpu < 50 ? rest + 1 : 0
  }
}

/** Reads what it is sent, and answers with nothing. */
async function startOrigin(): Promise<Server> {
  const server = createServer((request, response) => {
    request.resume()
    request.on('end', () => response.writeHead(204).end())
    request.on('error', () => undefined)
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return server
}
