/**
 * An app under test, in workerd: its Worker, its databases, its jobs, the time, and what it sends to others.
 * @module
 */
import { env, exports } from 'cloudflare:workers'
import { createClient, type SupabaseClient } from '@supabase/supabase-js'
import { SignJWT } from 'jose'
import { vi } from 'vitest'
import { engineOf, type Services, servicesFor } from '../../functions/areas.ts'
import { runBatch } from '../../functions/jobs/run-batch.ts'
import { runSchedules } from '../../functions/jobs/schedules.ts'
import { app } from '../../functions/join-app.ts'
import { relayJobs, toldQueue } from './job-round.ts'
import { boundDatabases } from './set-up-databases.ts'

const worker = (exports as unknown as { default: Fetcher }).default
const keys = env as unknown as {
  readonly ATOLL_PUBLISHABLE_KEY: string
  readonly ATOLL_SECRET_KEY: string
  readonly ATOLL_JWT_SECRET: string
}
const address = 'http://atoll.test'

// biome-ignore lint/suspicious/noExplicitAny: supabase-js' own default, for tables that are not declared
export type TestClient = SupabaseClient<any>

/** Asks the Worker, as the network would. */
export function ask(path: string, init: RequestInit = {}): Promise<Response> {
  return worker.fetch(new URL(path, address).href, init as never) as unknown as Promise<Response>
}

function clientWith(key: string, accessToken?: () => Promise<string>): TestClient {
  return createClient(address, key, {
    auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
    global: {
      fetch: ((url: RequestInfo, init?: RequestInit) => worker.fetch(url as never, init as never)) as never,
    },
    ...(accessToken ? { accessToken } : {}),
  })
}

/** @param claims of a token: whom it is about, and in which role; `authenticated` when left out */
export function as(claims: {
  readonly sub: string
  readonly role?: string
  readonly [claim: string]: unknown
}) {
  const secret = new TextEncoder().encode(keys.ATOLL_JWT_SECRET)
  const token = () =>
    new SignJWT({ role: 'authenticated', ...claims })
      .setProtectedHeader({ alg: 'HS256' })
      .setExpirationTime(Math.floor(Date.now() / 1000) + 3600)
      .sign(secret)
  return clientWith(keys.ATOLL_PUBLISHABLE_KEY, token)
}

export const anonymous = clientWith(keys.ATOLL_PUBLISHABLE_KEY)
export const secret = clientWith(keys.ATOLL_SECRET_KEY)
export const databases = boundDatabases()

/** The time that the Worker and the tests see; SQLite's own (`unixepoch()`) goes on as ever. */
export const time = {
  set(at: Date | string): void {
    vi.useFakeTimers({ toFake: ['Date'], now: new Date(at) })
  },
  advance(seconds: number): void {
    this.set(new Date(Date.now() + seconds * 1000))
  },
  reset(): void {
    vi.useRealTimers()
  },
}

/** Something that the app sent to another server, a mail to its provider, say. */
export interface Sent {
  readonly method: string
  readonly url: string
  readonly headers: Headers
  readonly body: string
}

/**
 * Catches what is sent to others, until `release` is called.
 *
 * @param answer what they answer; 200 with `{}` when left out
 */
export function catchOutgoing(
  answer: (sent: Sent) => Response | Promise<Response> = () => Response.json({}),
): { readonly sent: readonly Sent[]; release(): void } {
  const sent: Sent[] = []
  const spy = vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    const request = new Request(input as RequestInfo, init as RequestInit)
    const one = {
      method: request.method,
      url: request.url,
      headers: new Headers(request.headers),
      body: await request.text(),
    }
    sent.push(one)
    return answer(one)
  })
  return { sent, release: () => spy.mockRestore() }
}

/** Times that jobs may start further jobs. */
const maxRounds = 50

/**
 * Runs jobs until none is due: those that changes and schedules start, and those that they start.
 *
 * @throws when they go on without end
 */
export async function runJobs(): Promise<void> {
  const engine = engineOf(app)
  const queued: string[] = []
  const queue = toldQueue((id) => void queued.push(id))
  const opened = servicesFor(engine)(env as never)
  const queues = new Map(['default', ...opened.queues.keys()].map((name) => [name, queue]))
  const services: Services = { ...opened, queues, relay: null }
  const work: Promise<unknown>[] = []
  for (let round = 0; round < maxRounds; round++) {
    for (const database of databases.keys()) {
      if (database === services.cluster.primary)
        await runSchedules(services, services.cluster.open({ reads: false, seen: new Map() }))
      await relayJobs(engine, services, database)
    }
    const ids = queued.splice(0)
    if (ids.length === 0) return
    const messages = ids.map((id) => ({ body: { id }, ack: () => undefined, retry: () => undefined }))
    await runBatch(messages, engine, services, (one) => void work.push(one))
    await Promise.all(work.splice(0))
  }
  throw new Error('jobs start further jobs without end')
}
