/**
 * Databases with the bounds that the platform has and Miniflare has not: statements of an invocation, calls under way at a time, and
 * how long a query may take.
 * Source: https://developers.cloudflare.com/d1/platform/limits/ and https://developers.cloudflare.com/workers/platform/limits/
 * @module
 */
import { wrapDatabase } from './wrap-database.ts'

export interface PlatformBounds {
  /** Statements of one invocation: 50 on Workers Free, 1000 on Paid. */
  readonly statements: number
  /** Connections that an invocation may have open: what is more waits. */
  readonly connections: number
  /** Longest time of a query, in milliseconds. */
  readonly queryMs: number
}

export const workersFree: PlatformBounds = { statements: 50, connections: 6, queryMs: 30_000 }

/** What one invocation has asked. */
export interface Invocation {
  statements: number
  /** Most calls that were under way at a time, those that waited included. */
  most: number
  /** Whether the platform has refused a statement, or ended a query. */
  refused: boolean
}

/** @returns bindings for one invocation, and what it came to ask of them */
export function boundedInvocation(
  databases: Readonly<Record<string, D1Database>>,
  { statements: maxStatements, connections, queryMs }: PlatformBounds,
): { readonly bindings: Readonly<Record<string, D1Database>>; readonly invocation: Invocation } {
  const invocation: Invocation = { statements: 0, most: 0, refused: false }
  let open = 0
  let wanted = 0
  const waiting: (() => void)[] = []
  const refuse = (message: string) => {
    invocation.refused = true
    throw new Error(message)
  }
  const charge = (count: number) => {
    invocation.statements += count
    if (invocation.statements > maxStatements)
      refuse('D1_ERROR: too many API requests by single worker invocation.')
  }
  const connected = async <T>(call: () => Promise<T>): Promise<T> => {
    wanted++
    invocation.most = Math.max(invocation.most, wanted)
    if (open >= connections) await new Promise<void>((done) => waiting.push(done))
    open++
    const late = setTimeout(() => {
      invocation.refused = true
    }, queryMs)
    try {
      return await call()
    } finally {
      clearTimeout(late)
      open--
      wanted--
      waiting.shift()?.()
    }
  }
  const bounded = (database: D1Database) =>
    wrapDatabase((constraint) => {
      const session = database.withSession(constraint)
      return {
        session: {
          prepare: (text) => session.prepare(text),
          batch: (statements: D1PreparedStatement[]) => {
            charge(statements.length - 1)
            return session.batch(statements)
          },
        },
        getBookmark: () => session.getBookmark(),
        around: (call) =>
          connected(async () => {
            charge(1)
            return call()
          }),
      }
    })
  const bindings = Object.fromEntries(
    Object.entries(databases).map(([name, database]) => [name, bounded(database)]),
  )
  return { bindings, invocation }
}
