/**
 * `npm run load`: asks Atoll and handlers written by hand the same questions, in turn, in one Miniflare, and
 * prints how they compare; and Atoll once more with nothing kept of the statements that it compiles. On a shared machine only the ratios mean much.
 *
 * `npm run load -- page` runs the scenarios whose name holds the word; `npm run load -- scale` counts calls to databases;
 * `npm run load -- cache` compares answers from the cache, `npm run load -- jobs` measures the change log and jobs,
 * `npm run load -- storage` files, `npm run load -- balancer` and `npm run load -- simulation` the balancer,
 * `npm run load -- measuring` what measuring costs.
 *
 * Talks to loopback only; ends by itself after scenarios x rounds x contenders x seconds.
 * @module
 */
import { parseArgs } from 'node:util'
import { SignJWT } from 'jose'
import { startTestServer } from '../support/local-server.ts'
import { runBalancer } from './balancer.ts'
import { runSimulation } from './balancer-simulation.ts'
import { runCache } from './cache.ts'
import { compare, type Scenario, type Settings } from './compare.ts'
import { runJobs } from './jobs.ts'
import { runMeasuring } from './measuring.ts'
import { runScale } from './scale.ts'
import { runStorage } from './storage.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '3' },
    connections: { type: 'string', default: '16' },
  },
})
const settings: Settings = {
  seconds: Number(values.seconds),
  rounds: Number(values.rounds),
  connections: Number(values.connections),
}
const runs = {
  scale: runScale,
  cache: runCache,
  jobs: runJobs,
  storage: runStorage,
  balancer: runBalancer,
  simulation: async () => runSimulation(),
  measuring: runMeasuring,
}
const [chosenRun = ''] = positionals
if (Object.hasOwn(runs, chosenRun)) {
  await runs[chosenRun as keyof typeof runs](settings)
  process.exit()
}
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

try {
  const chosen = scenarios.filter(({ name }) => positionals.every((word) => name.includes(word)))
  await compare(server.address, chosen, settings)
} finally {
  await server.stop()
}
