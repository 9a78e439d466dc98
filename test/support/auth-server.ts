/**
 * A whole server that signs people in, for tests that look from outside: over HTTP, as supabase-js asks it.
 * @module
 */
import { join } from 'node:path'
import { createClient, type SupabaseClient } from '@supabase/supabase-js'
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import { prepareDatabases } from '../../functions/local/prepare.ts'
import type { declarations } from '../auth-app/app.ts'
import tables from '../auth-app/db/app/tables.ts'
import { publishableKey, secretKey, startFixture, type TestServer } from './local-server.ts'

const folder = join(import.meta.dirname, '..', 'auth-app')
export const jwtSecret = 'a-secret-that-is-known-to-everybody-who-reads-this'

export interface CaughtMail {
  readonly to: string
  readonly subject: string
  readonly text: string
}

export interface AuthServer extends TestServer {
  /** A client of its own, as another device has it. */
  client(options?: { readonly flowType?: 'pkce' | 'implicit'; readonly key?: string }): SupabaseClient
  /** With the secret key. */
  readonly admin: SupabaseClient
  /** Asks as plain HTTP. */
  ask(path: string, init?: RequestInit): Promise<Response>
  /** The latest message to an address, as soon as there is another than before. */
  mailTo(address: string): Promise<CaughtMail>
  /** How many messages an address was sent. */
  mailsTo(address: string): Promise<number>
  /** Runs SQL on every database, and answers with all rows. */
  sql<T = Record<string, unknown>>(text: string): Promise<T[]>
}

export async function startAuthServer(
  which: keyof typeof declarations,
  variables: Readonly<Record<string, string>> = {},
): Promise<AuthServer> {
  const server = await startFixture({
    port: 0,
    persistTo: null,
    entry: join(folder, `${which}-worker.ts`),
    isWhole: true,
    variables: {
      ATOLL_PUBLISHABLE_KEY: publishableKey,
      ATOLL_SECRET_KEY: secretKey,
      ATOLL_JWT_SECRET: jwtSecret,
      ATOLL_RATE_LIMITS: 'off',
      ATOLL_MAIL: 'catch',
      ...variables,
    },
  })
  const databases = await server.databases()
  await prepareDatabases(databases, {
    declared: tables,
    catalog: buildCatalog(tables),
    storage: {},
    migrations: join(folder, 'db', 'app', 'migrations'),
    loadSeed: async () => async () => undefined,
  })
  const address = server.url.origin
  const clientWith = (key: string, flowType: 'pkce' | 'implicit' = 'implicit') =>
    createClient(address, key, {
      auth: {
        persistSession: true,
        storage: memory(),
        autoRefreshToken: false,
        detectSessionInUrl: false,
        flowType,
      },
    })
  const seen = new Map<string, number>()
  const caught = async (to: string) => {
    const db = databases.get('DB') as D1Database
    try {
      return (
        await db
          .prepare(
            'SELECT recipient AS "to", subject, body AS text FROM _atoll_caught_mail WHERE recipient = ? ORDER BY id',
          )
          .bind(to)
          .all<CaughtMail>()
      ).results
    } catch {
      return []
    }
  }
  return {
    ...server,
    address,
    client: ({ flowType, key = publishableKey } = {}) => clientWith(key, flowType),
    admin: clientWith(secretKey),
    ask: (path, init = {}) => {
      const headers = new Headers(init.headers)
      if (!headers.has('apikey')) headers.set('apikey', publishableKey)
      return fetch(`${address}${path}`, { redirect: 'manual', ...init, headers })
    },
    async mailTo(to) {
      for (;;) {
        const mails = await caught(to)
        if (mails.length > (seen.get(to) ?? 0)) {
          seen.set(to, mails.length)
          return mails.at(-1) as CaughtMail
        }
        await new Promise((done) => setTimeout(done, 50))
      }
    },
    mailsTo: async (to) => (await caught(to)).length,
    async sql<T>(text: string) {
      const parts = await Promise.all(
        [...databases.values()].map(async (one) => (await one.prepare(text).all<T>()).results),
      )
      return parts.flat()
    },
  }
}

/** What a link and a code in a mail say. */
export function readMail({ text }: CaughtMail): {
  readonly link: URL
  readonly code: string
  readonly token: string
} {
  const link = new URL(/https?:\/\/\S+/.exec(text)?.[0] ?? 'http://none')
  return { link, code: /\b\d{6}\b/.exec(text)?.[0] ?? '', token: link.searchParams.get('token') ?? '' }
}

/** Where a client keeps its session. */
function memory() {
  const kept = new Map<string, string>()
  return {
    getItem: (name: string) => kept.get(name) ?? null,
    setItem: (name: string, value: string) => void kept.set(name, value),
    removeItem: (name: string) => void kept.delete(name),
  }
}
