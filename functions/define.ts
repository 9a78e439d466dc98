/**
 * The front door of `functions/`: what the app's files in `functions/app/` import.
 * @module
 */
import type { DrizzleD1Database } from 'drizzle-orm/d1'
import type { SQLiteTable } from 'drizzle-orm/sqlite-core'
import type { Hono } from 'hono'
import type { z } from 'zod'
import type { Caller } from './access/caller.ts'
import type { AtollConfig } from './config.ts'
import type { AtollEnv } from './context.ts'
import type { Jobs } from './jobs/send-jobs.ts'

export type { Caller } from './access/caller.ts'
export {
  defineOrigins,
  type OriginDeclarations,
  type PoolDeclaration,
  type RouteDeclaration,
} from './balancer/declarations.ts'
export type { AtollEnv } from './context.ts'
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
}

/** Where distributed rows lie, for code that asks the databases itself. */
export interface Shards {
  /** The database of the rows with this distribution value. */
  of(value: string | number): Promise<DrizzleD1Database>
  /** Every database that holds distributed rows; each has its part of them. */
  all(): Promise<readonly DrizzleD1Database[]>
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
 * `c.var.services`. */
export interface RouteEnv extends AtollEnv {
  readonly Variables: AtollEnv['Variables'] & { database: DrizzleD1Database; shards: Shards; jobs: Jobs }
}

export { refuse } from './errors.ts'
