/**
 * What the app's own code is given of databases and of the data API.
 * @module
 */
import type { PostgrestClient } from '@supabase/postgrest-js'
import type { DrizzleD1Database } from 'drizzle-orm/d1'
import type { SQLiteColumn } from 'drizzle-orm/sqlite-core'
import type { AppTypes } from './app-types.ts'

// biome-ignore lint/suspicious/noExplicitAny: the client's own default, for what is not declared
type AppDatabase = AppTypes extends { readonly database: infer Database } ? Database : any

/** The query builder of supabase-js. */
export type DataClient = PostgrestClient<AppDatabase>

/**
 * The data API from inside, as jobs have it: what is written by it is routed, checked, logged and taken out of the cache like
 * anybody's. Requests of one context see what others of it have written.
 */
export interface ServiceApi {
  /** With all rights, as with the secret key. */
  readonly asService: DataClient
}

/** The data API from inside, as functions and routes have it. */
export interface Api extends ServiceApi {
  /** With the caller's rights: policies, columns, roles of functions. */
  readonly asCaller: DataClient
}

/** Sends messages to all who have joined a channel. */
export interface ChannelSender {
  /**
   * Sends at once: who is not there does not hear it. In a transaction, when it is committed. With a write, or rather with none:
   * `broadcasting`, for `jobs.sendWith`.
   *
   * @param topic the channel's name, as clients call it: `room:7`
   * @param payload what JSON can say
   * @param options `isPrivate`: to the private channel of that name, which is another
   * @example await realtime.send('room:7', 'moved', { x: 3 })
   */
  send(
    topic: string,
    event: string,
    payload: unknown,
    options?: { readonly isPrivate?: boolean },
  ): Promise<void>
}

/** Where distributed rows lie, for code that asks the databases itself. */
export interface Shards {
  /** The database of the rows with this distribution value. */
  of(value: string | number): Promise<Shard>
  /**
   * A new id for a row of a table that is distributed by its key: it says where the row will lie.
   *
   * @example const id = await shards.newId(customers.id); const shard = await shards.of(id)
   */
  newId<Key extends SQLiteColumn>(key: Key): Promise<Key['_']['data']>
  /** Every database that holds distributed rows; each has its part of them. */
  all(): Promise<readonly DrizzleD1Database[]>
}

/** The database of a distribution value, and what rows with this value need besides. */
export interface Shard extends DrizzleD1Database {
  /**
   * A new id for such a row: of a key that carries its row's slot. Numbers come from the table's sequence.
   *
   * @example await shard.insert(invoices).values({ id: await shard.idFor(invoices.id), customerId, total })
   */
  idFor<Key extends SQLiteColumn>(key: Key): Promise<Key['_']['data']>
  /**
   * Reserves a value of a column that is unique over all shards, for a row that is written next by this database. What is not used when
   * the function ends is given back.
   *
   * @throws 409 23505 when a row has the value; 503 SHARD012 when others are writing it
   * @example await shard.reserve(customers.email, email); await shard.insert(customers).values({ id, email })
   */
  reserve(column: SQLiteColumn, value: string | number): Promise<void>
}
