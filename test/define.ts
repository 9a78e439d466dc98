/**
 * The front door of `test/`: what `test/app/` imports. Scenarios of load run in Node; tests run in workerd beside the Worker, and have a
 * caller of any kind, the databases, the time, and jobs at their hand.
 * @module
 */
export type {
  Answer,
  Arrivals,
  Draw,
  Journey,
  Objective,
  Question,
  RampPoint,
  Scenario,
  Step,
  Think,
} from './load/tool/scenario.ts'
export { defineScenario, journey } from './load/tool/scenario.ts'
export type { Sent, TestClient } from './support/app-bench.ts'

type Bench = typeof import('./support/app-bench.ts')

const isWorkerd =
  (globalThis as { readonly navigator?: { readonly userAgent: string } }).navigator?.userAgent ===
  'Cloudflare-Workers'
// Scenarios import this file as well, in Node, and leave the rest alone.
const bench = isWorkerd ? await import('./support/app-bench.ts') : ({} as Bench)

/**
 * supabase-js for somebody who has signed in.
 *
 * @example const { data } = await as({ sub: '7' }).from('invoices').select()
 */
export const as: Bench['as'] = bench.as

/** supabase-js with the publishable key alone. */
export const anonymous: Bench['anonymous'] = bench.anonymous

/** supabase-js with the secret key, which may do everything. */
export const secret: Bench['secret'] = bench.secret

/** A plain request to the Worker: path and what `fetch` takes. */
export const ask: Bench['ask'] = bench.ask

/** D1 by binding: `databases.get('DB')`. */
export const databases: Bench['databases'] = bench.databases

/** Sets the time, and lets it pass. */
export const time: Bench['time'] = bench.time

/** Runs jobs until none is due. */
export const runJobs: Bench['runJobs'] = bench.runJobs

/** Catches what the app sends to other servers: mails, payments. */
export const catchOutgoing: Bench['catchOutgoing'] = bench.catchOutgoing
