/**
 * The databases as the app's own code has them, by Drizzle and bound by no policy. What it writes reaches copies of reference
 * tables and the cache before its request is answered, as what the data API writes does.
 * @module
 */
import { type DrizzleD1Database, drizzle } from 'drizzle-orm/d1'
import type { Catalog } from '../db/catalog/catalog.ts'
import type { ChangeSet } from '../db/changes/change-log.ts'
import type { Site } from '../db/cluster/cluster.ts'
import { copyReferences } from '../db/cluster/reference-copies.ts'
import { slotOf } from '../db/cluster/slots.ts'
import { invalidate, sweepChanges } from './cache/invalidate.ts'
import type { Services } from './context.ts'
import type { Shards } from './define.ts'
import { emit } from './events.ts'
import type { Transaction } from './transaction/transaction.ts'

export interface AppDatabases {
  /**
   * What they are part of, null ordinarily: then all that is written waits for its end. Whoever would write by another way has to
   * `refuse` in it.
   */
  readonly transaction: Transaction | null
  readonly database: DrizzleD1Database
  readonly shards: Shards
  /** A database by the name of its binding. */
  open(name: string): DrizzleD1Database
  /** The name of a database that was given out here; null for others. */
  nameOf(database: DrizzleD1Database): string | null
  /** Notes that rows were written by another way. */
  wrote(name: string): void
  /** Notes that a database has new jobs. */
  sent(name: string): void
  /** Carries on what was written, as far as anything was. */
  settle(): Promise<void>
}

/**
 * @param later keeps the isolate alive for work after the answer
 * @param transaction tells what was written when it commits
 */
export function openAppDatabases(
  { cluster, bindings, cache, relay, registry }: Services,
  catalog: Catalog,
  later: (work: Promise<unknown>) => void,
  transaction: Transaction | null = null,
): AppDatabases {
  const written = new Set<string>()
  const given = new Map<string, DrizzleD1Database>()
  const open = (name: string) => {
    const database =
      given.get(name) ??
      drizzle(transaction?.binding(name) ?? noting(bindings.get(name) as D1Database, () => written.add(name)))
    given.set(name, database)
    return database
  }
  const namesAt = async (site: Site) => {
    const session = cluster.open({ reads: true, seen: new Map() })
    return (await cluster.partsOf(site, session)).map(({ database }) => database)
  }
  const carryOn = async () => {
    const session = cluster.open({ reads: false, seen: new Map() })
    try {
      const copied = written.has(cluster.primary) ? await copyReferences(session, catalog) : []
      if (!cache) return
      // A store of this isolate alone: another's sweep may have taken from the log what it must hear of.
      const all = cache.store.isLocal ? [...written].map((database) => everythingOn(database, catalog)) : []
      await invalidate(cache, [...copied, ...all], session.bookmarks)
      for (const name of written) await sweepChanges(cache, session, name, catalog)
    } catch (error) {
      // What is written stays written; the relay carries it on.
      emit({ kind: 'invalidation-failed', error })
      await relay?.repair().catch(() => undefined)
    }
  }
  return {
    transaction,
    database: open(cluster.primary),
    shards: {
      of: async (value) => {
        const [name = cluster.primary] = await namesAt({ kind: 'slots', slots: [slotOf(String(value))] })
        return open(name)
      },
      all: async () => (await namesAt({ kind: 'everywhere' })).map(open),
    },
    open,
    nameOf: (database) => [...given].find(([, one]) => one === database)?.[0] ?? null,
    wrote: (name) => void written.add(name),
    sent: (name) => {
      if (relay) later(relay.carry(name).catch(() => undefined))
    },
    async settle() {
      if (written.size > 0) await carryOn()
      if (relay && registry.subscriptions.size > 0) {
        for (const name of written) later(relay.carry(name).catch(() => undefined))
      }
      written.clear()
    },
  }
}

function everythingOn(database: string, catalog: Catalog): ChangeSet {
  return { database, changes: [], upTo: 0, tables: [...catalog.tables.keys()] }
}

/** Statements that change nothing. */
const reading = /^\s*(?:select|explain|values|with\b(?![\s\S]*\b(?:insert|update|delete|replace)\b))/i

/** A statement and the binding's own behind it. */
interface Noting {
  readonly inner: D1PreparedStatement
  readonly writes: boolean
}

/** A D1 binding that tells when something may have been written. */
function noting(database: D1Database, written: () => void): D1Database {
  const wrap = (inner: D1PreparedStatement, writes: boolean): D1PreparedStatement & Noting => {
    const run = async <T>(call: () => Promise<T>): Promise<T> => {
      try {
        return await call()
      } finally {
        if (writes) written()
      }
    }
    return {
      inner,
      writes,
      bind: (...values: unknown[]) => wrap(inner.bind(...values), writes),
      all: () => run(() => inner.all()),
      run: () => run(() => inner.run()),
      raw: (options?: never) => run(() => inner.raw(options as never)),
      first: (column?: never) => run(() => inner.first(column as never)),
    } as unknown as D1PreparedStatement & Noting
  }
  const binding = {
    prepare: (text: string) => wrap(database.prepare(text), !reading.test(text)),
    async batch(statements: readonly (D1PreparedStatement & Noting)[]) {
      try {
        return await database.batch(statements.map(({ inner }) => inner))
      } finally {
        if (statements.some(({ writes }) => writes)) written()
      }
    },
    async exec(text: string) {
      try {
        return await database.exec(text)
      } finally {
        written()
      }
    },
  }
  return binding as unknown as D1Database
}
