/** A Worker in front of four origins, with a pool for each strategy and for each thing that tests look at. */

import { defineOrigins, type PoolDeclaration, type RouteDeclaration } from '../../functions/define.ts'
import { createWorker } from '../../functions/gateway.ts'
import { createPoolWatch, createRealtime, createRelay } from '../../functions/objects.ts'
import tables from '../fixture-app/db/app/tables.ts'

const four = {
  a: { url: { variable: 'ORIGIN_A' } },
  b: { url: { variable: 'ORIGIN_B' } },
  c: { url: { variable: 'ORIGIN_C' } },
  d: { url: { variable: 'ORIGIN_D' } },
}
const one = { a: four.a }
const two = { a: four.a, b: four.b }
const quick = { path: '/health', intervalSeconds: 0.3, timeoutMs: 500, rise: 2, fall: 2 } as const

/** Origins that are ejected come back soon. */
const brief = { ejection: { baseSeconds: 4 }, slowStartSeconds: 1 }

const pools: Record<string, PoolDeclaration> = {
  'round-robin': { origins: four, strategy: 'round-robin', ...brief },
  'least-request': { origins: four, strategy: 'least-request', ...brief },
  'peak-ewma': { origins: four, strategy: 'peak-ewma', ...brief },
  random: { origins: four, strategy: 'random' },
  hashed: { origins: four, strategy: { hash: { header: 'x-user' } } },
  checked: { origins: four, strategy: 'round-robin', health: quick, ejection: null, slowStartSeconds: 0 },
  expecting: { origins: one, health: { ...quick, body: 'is well' } },
  single: { origins: one, receives: [] },
  telling: {
    origins: { a: { ...four.a, headers: { 'X-Token': { variable: 'ORIGIN_TOKEN' } } }, b: four.b },
    strategy: { hash: { header: 'x-user' }, loadBound: null },
    receives: ['authorization', 'cookie'],
  },
  based: { origins: { a: { url: { variable: 'ORIGIN_A_BASED' } } } },
  backup: { origins: { a: four.a, b: { ...four.b, priority: 1 } }, strategy: 'round-robin' },
  sticky: { origins: four, strategy: 'round-robin', sticky: {} },
  hasty: {
    origins: two,
    strategy: 'round-robin',
    ejection: null,
    timeouts: { connectMs: 200, firstByteMs: 300, totalMs: 1500 },
    breakerShare: null,
  },
  writes: { origins: two, strategy: 'round-robin', timeouts: { connectMs: 200 } },
  alone: {
    origins: one,
    timeouts: { firstByteMs: 300, totalMs: 700 },
    retries: 0,
    ejection: null,
    breakerShare: null,
  },
  hedged: { origins: two, strategy: 'round-robin', hedgeQuantile: 0.9 },
  narrow: { origins: one, maxOutstanding: 3 },
  breaking: { origins: two, strategy: 'round-robin', retries: 0 },
  blamed: { origins: one, maxOutstanding: 20 },
  unset: { origins: { a: { url: { variable: 'NOT_SET' } } } },
}

const routes: RouteDeclaration[] = [
  ...Object.keys(pools).map((pool) => ({ path: `/${pool}/*`, pool, rewrite: '' })),
  { path: '/kept/*', pool: 'single' },
  { path: '/moved/*', pool: 'based', rewrite: '/inner' },
  { path: '/exact', pool: 'single' },
  { path: '/reads/*', pool: 'single', methods: ['GET', 'HEAD'] },
  { path: '/hosted/*', pool: 'single', hosts: ['shop.example.com'] },
  { path: '/members/*', pool: 'telling', roles: ['authenticated'] },
  {
    path: '/dressed/*',
    pool: 'single',
    request: { set: { 'X-From': 'atoll' }, remove: ['x-secret'] },
    response: { set: { 'X-Frame-Options': 'DENY' }, remove: ['x-origin'] },
  },
  { path: '/bounded/*', pool: 'blamed', rewrite: '', maxRequestBytes: 200_000, maxResponseBytes: 100_000 },
  { path: '/small/*', pool: 'single', maxRequestBytes: 1000, maxResponseBytes: 2000 },
  { path: '/member-cache/*', pool: 'single', cache: true, rewrite: '', roles: ['authenticated'] },
  { path: '/cache/*', pool: 'single', cache: true, rewrite: '' },
  { path: '/slashes/*', pool: 'single', encodedSlashes: true },
  {
    path: '/limited/*',
    pool: 'single',
    rateLimit: { binding: 'CALLER_RATE_LIMIT', by: { header: 'x-user' } },
  },
]

const app = {
  tables,
  config: { serverTiming: true, cache: false },
  origins: defineOrigins({ pools, routes }),
}

export { JobLimits } from '../../functions/jobs/job-limit.ts'
export { Metrics } from '../../functions/meter/metrics-store.ts'
export { Advisor } from '../../functions/monitor/advise/advisor.ts'
export const PoolWatch = createPoolWatch(app)
export const Realtime = createRealtime(app)
export const Relay = createRelay(app)
export default createWorker(app)
