/**
 * The front door of `functions/`: what the app's files in `functions/app/` import.
 * @module
 */
import type { PostgrestClient } from '@supabase/postgrest-js'
import type { DrizzleD1Database } from 'drizzle-orm/d1'
import type { SQLiteColumn, SQLiteTable } from 'drizzle-orm/sqlite-core'
import type { Hono } from 'hono'
import type { z } from 'zod'
import type { AtollConfig } from './areas.ts'
import type { Caller } from './core/caller.ts'
import type { AtollEnv, Env } from './core/context.ts'
import type { Jobs } from './jobs/send-jobs.ts'

export {
  defineOrigins,
  type OriginDeclarations,
  type PoolDeclaration,
  type RouteDeclaration,
} from './balancer/declarations.ts'
export type { Caller } from './core/caller.ts'
export type { AtollEnv } from './core/context.ts'
export {
  changes,
  defineJob,
  giveUp,
  type JobContext,
  type JobManifest,
  type RowChange,
  retryAfter,
} from './jobs/define-job.ts'
export { defineWebhook, type WebhookManifest } from './jobs/define-webhook.ts'
export { type Jobs, sending } from './jobs/send-jobs.ts'

/**
 * The app's configuration; what is left out has the default that `AtollConfig` names.
 *
 * @example export default defineConfig({ maxRows: 500 })
 */
export function defineConfig(config: Partial<AtollConfig>): Partial<AtollConfig> {
  return config
}

/** What a function answers with. */
export type Returns =
  /** One JSON value of any kind. */
  | { readonly kind: 'scalar' }
  /** Nothing: 204. */
  | { readonly kind: 'nothing' }
  /** One row of a table, or null. */
  | { readonly kind: 'row'; readonly table: SQLiteTable }
  /** Rows of a table, which the client may filter, order and embed as it may the table. */
  | { readonly kind: 'rows'; readonly table: SQLiteTable }

/** One JSON value. */
export const scalar: Returns = { kind: 'scalar' }

export const nothing: Returns = { kind: 'nothing' }

export function row(table: SQLiteTable): Returns {
  return { kind: 'row', table }
}

export function rows(table: SQLiteTable): Returns {
  return { kind: 'rows', table }
}

/**
 * The Worker's bindings, variables and secrets: Atoll's, and those that the app adds to them.
 *
 * @example declare module '../define.ts' {
 *   interface AppEnv { readonly MAIL_KEY?: string }
 * }
 */
export interface AppEnv extends Env {}

/**
 * Types that the app declares of itself. `database` is what `npm run types` writes: with it, `api` knows tables, columns and
 * functions; without it, `api` takes any.
 *
 * @example declare module '../define.ts' {
 *   interface AppTypes { database: Database }
 * }
 */
// biome-ignore lint/suspicious/noEmptyInterface: apps add to it
export interface AppTypes {}

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

/** What a function says of its answer beside what it returns. When it throws, nothing of this is sent. */
export interface FunctionResponse {
  /** They take the place of those that Atoll sends. Throws 500 `PGRST111` for a name or value that cannot be sent. */
  readonly headers: Headers
  /** From 200 to 599; null: as Atoll answers. */
  status: number | null
}

/** What a function is given. */
export interface FunctionContext<Input> {
  readonly input: Input
  readonly caller: Caller
  /** The primary database: reference and local tables. */
  readonly database: DrizzleD1Database
  /** The databases that hold distributed rows. */
  readonly shards: Shards
  /** Sends jobs. */
  readonly jobs: Jobs
  /** The data API from inside. */
  readonly api: Api
  readonly env: AppEnv
  /** The call: its method, address and headers; its body has been read. */
  readonly request: Request
  readonly response: FunctionResponse
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

export interface FunctionDefinition<Input extends z.ZodObject = z.ZodObject> {
  readonly input: Input
  readonly returns: Returns
  /** True when it changes nothing, so that it may be called with GET. Default false. */
  readonly stable?: boolean
  /**
   * False when what it does cannot be undone, as a payment or a mail. Then calls that may need that are refused before it runs:
   * `Prefer: tx=rollback`, `max-affected`, exactly one row. Default true: what it writes to databases and sends as jobs is undone.
   */
  readonly undoable?: boolean
  /** Roles that may call it; `service_role` always may. Default none. */
  readonly roles?: readonly string[]
  /** Most bytes of arguments in a call's body. Default: what the caller's role may send, `bodyBytes` of its budget. */
  readonly maxBodyBytes?: number
  /** A thrown error is told to nobody: throw what `refuse` makes to tell the caller. */
  run(context: FunctionContext<z.output<Input>>): Promise<unknown>
}

/** A function as the manifest holds it, whatever its input. */
export type AnyFunction = Omit<FunctionDefinition, 'run'> & {
  run(context: FunctionContext<never>): Promise<unknown>
}

/** The functions of `functions/app/rpc/`, by the names that they are called by. */
export type FunctionManifest = Readonly<Record<string, AnyFunction>>

/**
 * A function at `/rest/v1/rpc/<name>`.
 *
 * @example
 * export default defineFunction({
 *   input: z.object({ a: z.number(), b: z.number() }),
 *   returns: scalar,
 *   stable: true,
 *   roles: ['anon'],
 *   run: async ({ input }) => input.a + input.b,
 * })
 */
export function defineFunction<Input extends z.ZodObject>(
  definition: FunctionDefinition<Input>,
): AnyFunction {
  return definition as unknown as AnyFunction
}

/** Hono apps of `functions/app/routes/`, by the names that they are served under at `/functions/v1/<name>`. */
export type RouteManifest = Readonly<Record<string, Hono<RouteEnv>>>

/** What a route's handlers find in their context: `c.var.caller`, `c.var.database`, `c.var.shards`, `c.var.jobs`,
 * `c.var.api`, `c.var.services`; and `c.env`, `c.req` and what else Hono has. */
export interface RouteEnv extends AtollEnv {
  readonly Bindings: AppEnv
  readonly Variables: AtollEnv['Variables'] & {
    database: DrizzleD1Database
    shards: Shards
    jobs: Jobs
    api: Api
  }
}

export { refuse } from './core/errors.ts'
