/**
 * `npm run load`: asks Atoll and handlers written by hand the same questions, in turn, in one Miniflare, and
 * prints how they compare; and Atoll once more with nothing kept of the statements that it compiles. On a shared machine only the ratios mean much.
 *
 * `npm run load -- page` runs the scenarios whose name holds the word; `npm run load -- scale` counts calls to databases.
 *
 * Talks to loopback only; ends by itself after scenarios x rounds x contenders x seconds.
 * @module
 */
import { isDeepStrictEqual, parseArgs } from 'node:util'
import autocannon from 'autocannon'
import { SignJWT } from 'jose'
import { childProcesses } from '../../functions/local/state-lock.ts'
import { startTestServer } from '../support/local-server.ts'
import { cpuOf } from './process-cpu.ts'
import { runScale } from './scale.ts'

interface Contender {
  readonly name: string
  path(i: number): string
  /** The secret key when left out. */
  headers?(i: number): Readonly<Record<string, string>>
}

interface Scenario {
  readonly name: string
  /** The last is what the others are held against. */
  readonly contenders: readonly Contender[]
}

interface Sample {
  requests: number
  seconds: number
  cpuMs: number
  /** Latencies in milliseconds, by round. */
  p50: number[]
  p99: number[]
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '3' },
    connections: { type: 'string', default: '16' },
  },
})
if (positionals[0] === 'scale') {
  await runScale()
  process.exit()
}
const seconds = Number(values.seconds)
const rounds = Number(values.rounds)
const connections = Number(values.connections)

const secret = { apikey: 'sb_secret_test' }
const jwtSecret = 'a-secret-of-the-load-runs-that-is-long-enough'

/** One of the seed's customers, who asks for their own row. */
const customer = 7
/** More tokens than an isolate remembers, so that each is verified anew. */
const tokens = await Promise.all(
  Array.from({ length: 3000 }, (_, i) =>
    new SignJWT({ role: 'authenticated', sub: String(customer), jti: String(i) })
      .setProtectedHeader({ alg: 'HS256' })
      .setExpirationTime('1h')
      .sign(new TextEncoder().encode(jwtSecret)),
  ),
)
const bearer = (i: number) => ({ apikey: 'sb_publishable_test', authorization: `Bearer ${tokens[i]}` })

const scenarios: readonly Scenario[] = [
  {
    name: 'one track by id',
    contenders: [
      { name: 'atoll', path: (i) => `/rest/v1/tracks?id=eq.${1 + (i % 2400)}` },
      { name: 'atoll, nothing compiled', path: (i) => `/forgetful/rest/v1/tracks?id=eq.${1 + (i % 2400)}` },
      { name: 'hand', path: (i) => `/hand/tracks/${1 + (i % 2400)}` },
    ],
  },
  {
    name: 'page of 50 tracks',
    contenders: [
      { name: 'atoll', path: (i) => `/rest/v1/tracks?order=name,id&limit=50&offset=${50 * (i % 48)}` },
      {
        name: 'atoll, nothing compiled',
        path: (i) => `/forgetful/rest/v1/tracks?order=name,id&limit=50&offset=${50 * (i % 48)}`,
      },
      { name: 'hand', path: (i) => `/hand/tracks?page=${i % 48}` },
    ],
  },
  {
    name: 'order with items and tracks',
    contenders: [
      {
        name: 'atoll',
        path: (i) =>
          `/rest/v1/invoices?id=eq.${1 + (i % 420)}&select=*,items:invoice_items(*,track:tracks(*))`,
      },
      {
        name: 'atoll, nothing compiled',
        path: (i) =>
          `/forgetful/rest/v1/invoices?id=eq.${1 + (i % 420)}&select=*,items:invoice_items(*,track:tracks(*))`,
      },
      { name: 'hand', path: (i) => `/hand/invoices/${1 + (i % 420)}` },
    ],
  },
  {
    name: 'own row by id, by policy',
    contenders: [
      {
        name: 'token, remembered',
        path: () => `/rest/v1/customers?id=eq.${customer}`,
        headers: () => bearer(0),
      },
      {
        name: 'token, verified',
        path: () => `/rest/v1/customers?id=eq.${customer}`,
        headers: (i) => bearer(i % tokens.length),
      },
      { name: 'secret key', path: () => `/rest/v1/customers?id=eq.${customer}` },
    ],
  },
]

const server = await startTestServer({
  entry: new URL('worker.ts', import.meta.url).pathname,
  // Handlers written by hand know one database; `scale.ts` is about several.
  databases: ['DB'],
  variables: { ATOLL_JWT_SECRET: jwtSecret },
})
const pids = childProcesses()

try {
  console.log(`${rounds} rounds of ${seconds} s each, in turn, ${connections} connections\n`)
  const lines = [row('scenario', 'server', 'req/s', 'p50 ms', 'p99 ms', 'CPU ms', 'CPU ratio', 'req/s ratio')]
  for (const scenario of scenarios.filter(({ name }) => positionals.every((word) => name.includes(word)))) {
    await checkSameAnswers(scenario)
    lines.push(...report(scenario, await measure(scenario)))
  }
  console.log(lines.join('\n'))
} finally {
  await server.stop()
}

/** Columns are named otherwise by hand (camel case), so values are compared, in order. */
async function checkSameAnswers({ name, contenders }: Scenario): Promise<void> {
  for (const i of [0, 7, 41]) {
    const answers = await Promise.all(
      contenders.map(async (contender) => {
        const headers = contender.headers?.(i) ?? secret
        const response = await fetch(server.address + contender.path(i), { headers })
        if (!response.ok) throw new Error(`${name}: ${contender.name} answered ${response.status}`)
        return valuesOf(await response.json())
      }),
    )
    if (!answers.every((answer) => isDeepStrictEqual(answer, answers[0])))
      throw new Error(`${name}: the answers differ, so there is nothing to compare`)
  }
}

function valuesOf(json: unknown): unknown {
  if (Array.isArray(json)) return json.map(valuesOf)
  return json !== null && typeof json === 'object' ? Object.values(json).map(valuesOf) : json
}

async function measure(scenario: Scenario): Promise<readonly Sample[]> {
  const samples = scenario.contenders.map(
    (): Sample => ({ requests: 0, seconds: 0, cpuMs: 0, p50: [], p99: [] }),
  )
  for (const contender of scenario.contenders) await shoot(contender, 1)
  for (let round = 0; round < rounds; round++) {
    for (const [i, contender] of scenario.contenders.entries()) {
      const sample = samples[i] as Sample
      const before = cpu()
      const result = await shoot(contender, seconds)
      if (result.non2xx > 0 || result.errors > 0)
        throw new Error(`${scenario.name}: ${contender.name} failed requests`)
      sample.cpuMs += cpu() - before
      sample.requests += result.requests.total
      sample.seconds += result.duration
      sample.p50.push(result.latency.p50)
      sample.p99.push(result.latency.p99)
    }
  }
  return samples
}

function shoot(contender: Contender, duration: number): Promise<autocannon.Result> {
  let i = 0
  return autocannon({
    url: server.address,
    connections,
    duration,
    requests: [
      {
        method: 'GET',
        path: '/',
        setupRequest: (request) => {
          const headers = contender.headers?.(i) ?? secret
          return { ...request, path: contender.path(i++), headers: { ...headers } }
        },
      },
    ],
  })
}

/** Processor time of the server's processes, in milliseconds. */
function cpu(): number {
  return pids.reduce((sum, pid) => sum + (cpuOf(pid) ?? 0), 0)
}

function report(scenario: Scenario, samples: readonly Sample[]): string[] {
  const perSecond = samples.map((sample) => sample.requests / sample.seconds)
  const perRequest = samples.map((sample) => sample.cpuMs / sample.requests)
  const base = scenario.contenders.length - 1
  return scenario.contenders.map((contender, i) =>
    row(
      i === 0 ? scenario.name : '',
      contender.name,
      (perSecond[i] as number).toFixed(0),
      median(samples[i]?.p50 ?? []).toFixed(1),
      median(samples[i]?.p99 ?? []).toFixed(1),
      (perRequest[i] as number).toFixed(3),
      ((perRequest[i] as number) / (perRequest[base] as number)).toFixed(2),
      ((perSecond[i] as number) / (perSecond[base] as number)).toFixed(2),
    ),
  )
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN
}

function row(scenario: string, server: string, ...cells: string[]): string {
  return scenario.padEnd(30) + server.padEnd(26) + cells.map((cell) => cell.padStart(12)).join('')
}
