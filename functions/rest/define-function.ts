/**
 * What an app declares of its functions.
 * @module
 */
import type { DrizzleD1Database } from 'drizzle-orm/d1'
import type { SQLiteTable } from 'drizzle-orm/sqlite-core'
import type { z } from 'zod'
import type { AppEnv } from '../core/app-env.ts'
import type { Caller } from '../core/caller.ts'
import type { Jobs } from '../jobs/area.ts'
import type { Api, Shards } from '../own-code/area.ts'

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
