/**
 * The databases as the app's own code has them, by Drizzle and bound by no policy. What it writes reaches copies of reference
 * tables and the cache before its request is answered, as what the data API writes does.
 * @module
 */
import { type DrizzleD1Database, drizzle } from 'drizzle-orm/d1'
import type { SQLiteColumn } from 'drizzle-orm/sqlite-core'
import type { Catalog } from '../../db/catalog/catalog.ts'
import type { Account } from '../../db/cluster/account.ts'
import { bringUpCopies, mayBeBehind } from '../../db/cluster/bring-up-copies.ts'
import { copyReferences } from '../../db/cluster/reference-copies.ts'
import { StillReferredError, waitForRetiring, whileRetired } from '../../db/cluster/retire.ts'
import { isRule, translateDatabaseError } from '../../db/cluster/translate-error.ts'
import { RetiringError, RevokedError, UnretiredError } from '../../db/errors/constraint-error.ts'
import type { Site } from '../../db/slots/parts.ts'
import { slotOf } from '../../db/slots/slots.ts'
import { awaitLeases, everythingOn, invalidate, sweepChanges } from '../cache/area.ts'
import { emit } from '../core/events.ts'
import { errors } from './errors.ts'
import type { Shard, Shards } from './given.ts'
import { type Around, type Follows, type Guard, guardedBinding } from './guarded-binding.ts'
import { makeId } from './make-id.ts'
import { Reservations } from './reservations.ts'
import type { RunsFor } from './runs-for.ts'
import type { Services } from './services.ts'
import type { Transaction } from './transaction/transaction.ts'
import { watchCall } from './watch-call.ts'

/** The databases as one function, route or job has them, and what it has written by them. */
export interface AppDatabases {
  readonly account: Account | null
  /**
   * What they are part of, null ordinarily: then all that is written waits for its end. Whoever would write by another way has to
   * `refuse` in it.
   */
  readonly transaction: Transaction | null
  readonly database: DrizzleD1Database
  readonly shards: Shards
  /** A database by the name of its binding. */
  open(name: string): DrizzleD1Database
  /** All that was given out here of a database, by its name: by itself, and for rows of a slot. */
  givenOf(name: string): readonly DrizzleD1Database[]
  /** The name of a database that was given out here; null for others. */
  nameOf(database: DrizzleD1Database): string | null
  /** Whether nothing may be changed. */
  readonly readOnly: boolean
  /** @param what would be done: a command of SQL, say. @throws 405 25006 when nothing may be changed */
  checkWritable(what: string): void
  /** Notes that rows were written by another way. */
  wrote(name: string): void
  /** What was reserved on a database and goes along with what is written there; null: nothing. */
  around(name: string): Around | null
  /** Notes that a database has new jobs. */
  sent(name: string): void
  /**
   * Carries on what was written, as far as anything was.
   *
   * @returns whether anything has been written by now
   * @throws 503 when others may be shown what was before
   */
  settle(): Promise<boolean>
}

/**
 * @param later keeps the isolate alive for work after the answer
 * @param transaction tells what was written when it commits
 * @param runsFor left out for what nobody has asked for
 */
export function openAppDatabases(
  { cluster, bindings, cache, relay, registry, followed, watchdog }: Services,
  catalog: Catalog,
  later: (work: Promise<unknown>) => void,
  transaction: Transaction | null = null,
  { account, name: ownName, readOnly = false }: RunsFor = { account: null, name: '' },
): AppDatabases {
  const checkWritable = (what: string) => {
    if (readOnly) throw errors.readOnly(what)
  }
  const written = new Set<string>()
  let hasWritten = false
  let isFresh = true
  /** Who settles while another does waits for both. */
  let carried = Promise.resolve()
  const given = new Map<string, DrizzleD1Database>()
  /** Those that follow a slot, by the names of their databases. */
  const following = new Map<DrizzleD1Database, string>()
  const reservations = new Reservations(catalog)
  const writing = () => cluster.open({ reads: false, seen: new Map() })
  const guardOf = (name: string): Guard => ({
    check: checkWritable,
    written: (where) => {
      const moved = where === null ? undefined : [...bindings].find(([, one]) => one === where)?.[0]
      if (transaction === null) written.add(moved ?? name)
    },
    around: () => reservations.around(name),
    retired: (statements, run) =>
      whileRetired(statements, writing(), catalog, run).catch((error) => {
        throw error instanceof StillReferredError ? error.violation.cause : error
      }),
    call: (make, statements) => {
      const counted = () => watchCall({ account, name: ownName }, watchdog, name, make, statements, later)
      return callDatabase(name, counted, () => bringUpCopies(writing(), catalog, [name]))
    },
  })
  const open = (name: string) => {
    const database =
      given.get(name) ??
      drizzle(guardedBinding(transaction?.binding(name) ?? (bindings.get(name) as D1Database), guardOf(name)))
    given.set(name, database)
    return database
  }
  /**
   * Where rows of a slot are by now, when that is another database than before. What is asked is fenced, so it waits for slots that are closed, and is
   * answered by whoever has them.
   */
  const follow = (slot: number): Follows => {
    let last: D1Database | null = null
    return {
      last: () => last,
      async movedFrom(read) {
        const asks = () => [{ text: 'SELECT 1', parameters: [] }]
        const [outcome] = await writing().run({ kind: 'slots', slots: [slot] }, asks)
        if (outcome === undefined || 'error' in outcome) throw outcome?.error
        const now = bindings.get(outcome.part.database) as D1Database
        if (now === read) return null
        last = now
        return now
      },
    }
  }
  const shardAt = (name: string, slot: number): Shard => {
    // What is part of a transaction is read where that will be written.
    const follows = cluster.sharded && transaction === null
    const database = follows
      ? drizzle(guardedBinding(bindings.get(name) as D1Database, { ...guardOf(name), follows: follow(slot) }))
      : open(name)
    if (follows) following.set(database, name)
    const shard = Object.create(database) as Shard
    return Object.assign(shard, {
      reserve: async (column: SQLiteColumn, value: string | number) => {
        checkWritable('a reservation')
        transaction?.refuse(errors.notInTransaction('A reservation is made at once.'))
        await reservations.add(name, slot, column, value, writing())
      },
      idFor: (column: SQLiteColumn) => makeId(catalog, column, slot, writing()),
    })
  }
  const namesAt = async (site: Site) => {
    const session = cluster.open({ reads: true, seen: new Map() })
    return (await cluster.partsOf(site, session)).map(({ database }) => database)
  }
  const carryOn = async (written: ReadonlySet<string>) => {
    const session = cluster.open({ reads: false, seen: new Map() })
    try {
      const copied = written.has(cluster.primary) ? await copyReferences(session, catalog) : []
      if (!cache) return
      // A store of this isolate alone: another's sweep may have taken from the log what it must hear of.
      const all = cache.store.isLocal ? [...written].map((database) => everythingOn(database, catalog)) : []
      await invalidate(cache, [...copied, ...all], session.bookmarks)
      for (const name of written) await sweepChanges(cache, session, name, catalog)
      // Another's sweep may have told of them a moment ago.
      await awaitLeases(cache, null)
    } catch (error) {
      // What is written stays written; the relay carries it on, and nobody is to be shown what was before.
      emit({ kind: 'invalidation-failed', error })
      await relay?.repair().catch(() => undefined)
      const all = [...written].map((database) => everythingOn(database, catalog))
      if (cache?.deliver) await invalidate(cache, all, session.bookmarks)
    }
  }
  return {
    account,
    transaction,
    database: open(cluster.primary),
    shards: {
      of: async (value) => {
        const slot = slotOf(String(value))
        const [name = cluster.primary] = await namesAt({ kind: 'slots', slots: [slot] })
        return shardAt(name, slot)
      },
      newId: (column: SQLiteColumn) => makeId(catalog, column, null, writing()),
      all: async () => (await namesAt({ kind: 'everywhere' })).map(open),
    },
    open,
    givenOf: (name) => [
      open(name),
      ...[...following].flatMap(([database, own]) => (own === name ? [database] : [])),
    ],
    nameOf: (database) =>
      following.get(database) ??
      following.get(Object.getPrototypeOf(database)) ??
      [...given].find(([, one]) => one === database || one === Object.getPrototypeOf(database))?.[0] ??
      null,
    around: (name) => reservations.around(name),
    readOnly,
    checkWritable,
    wrote: (name) => void written.add(name),
    sent: (name) => {
      if (relay) later(relay.carry(name).catch(() => undefined))
    },
    async settle() {
      if (!reservations.isEmpty) later(reservations.release(writing()).catch(() => undefined))
      if (written.size > 0) {
        const names = new Set(written)
        // What is written meanwhile is for the next time.
        written.clear()
        hasWritten = true
        carried = carried.then(async () => {
          await carryOn(names).catch(() => {
            isFresh = false
          })
          if (!relay || (registry.subscriptions.size === 0 && followed.size === 0)) return
          for (const name of names) later(relay.carry(name).catch(() => undefined))
        })
      }
      await carried
      if (!isFresh) throw errors.notFresh()
      return hasWritten
    },
  }
}

/**
 * Makes a call of the app's to a database. What breaks a rule comes out as an error that names it, everything else as Drizzle knows it.
 *
 * @param bringUp brings up the copies that a foreign key may have failed for want of; whether that can have helped
 */
async function callDatabase<Result>(
  name: string,
  make: () => Promise<Result>,
  bringUp: () => Promise<boolean>,
): Promise<Result> {
  let isBroughtUp = false
  for (let tries = 1; ; tries++) {
    try {
      return await make()
    } catch (error) {
      const known = translateDatabaseError(name, error)
      if (known instanceof RetiringError) await waitForRetiring(known, tries)
      else if (!isBroughtUp && mayBeBehind(known) && (await bringUp())) isBroughtUp = true
      else if (known instanceof RevokedError) throw errors.valueContended(name)
      else throw isRule(error) || known instanceof UnretiredError ? known : error
    }
  }
}
