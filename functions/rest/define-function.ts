/**
 * What an app declares of its functions.
 * @module
 */
import type { DrizzleD1Database } from 'drizzle-orm/d1'
import { type SQLiteColumnBuilderBase, type SQLiteTable, sqliteTable } from 'drizzle-orm/sqlite-core'
import { z } from 'zod'
import type { AppEnv } from '../core/app-env.ts'
import type { Caller } from '../core/caller.ts'
import type { Jobs } from '../jobs/area.ts'
import type { Api, ChannelSender, Shards } from '../own-code/area.ts'

/** What a function answers with. */
export type Returns =
  /** One JSON value, or what a media type of its own holds. */
  | { readonly kind: 'scalar'; readonly type: z.ZodType | null; readonly media: string | null }
  /** A list of JSON values. */
  | { readonly kind: 'scalars'; readonly type: z.ZodType | null }
  /** Nothing: 204. */
  | { readonly kind: 'nothing' }
  /** One row of a table, or null. */
  | { readonly kind: 'row'; readonly table: SQLiteTable }
  /** Rows of a table, which the client may filter, order and embed as it may the table. */
  | { readonly kind: 'rows'; readonly table: SQLiteTable }
  /** One object, or null, of columns that belong to no table. */
  | { readonly kind: 'record'; readonly table: SQLiteTable }
  /** Such objects, which the client may filter and order. */
  | { readonly kind: 'records'; readonly table: SQLiteTable }

/** One JSON value of any kind. */
export const scalar: Returns = { kind: 'scalar', type: null, media: null }

export const nothing: Returns = { kind: 'nothing' }

/**
 * One value.
 *
 * @param options.type what it is, for descriptions and `npm run types`; it is not checked
 * @param options.media what the value is text or bytes of, for whom asks for that; `*&#47;*` for any that is asked for, which the function may
 *   name in its answer's `Content-Type`
 * @example returns: value({ type: z.string(), media: 'text/html' })
 */
export function value(options: { readonly type?: z.ZodType; readonly media?: string } = {}): Returns {
  return { kind: 'scalar', type: options.type ?? null, media: options.media ?? null }
}

/** A list of values: PostgreSQL's set of scalars. */
export function values(type: z.ZodType | null = null): Returns {
  return { kind: 'scalars', type }
}

export function row(table: SQLiteTable): Returns {
  return { kind: 'row', table }
}

export function rows(table: SQLiteTable): Returns {
  return { kind: 'rows', table }
}

type Columns = Readonly<Record<string, SQLiteColumnBuilderBase>>

/**
 * One object of columns, described as those of tables are.
 *
 * @example returns: record({ token: text(), expires: integer({ mode: 'timestamp' }) })
 */
export function record(columns: Columns): Returns {
  return { kind: 'record', table: sqliteTable('record', { ...columns }) }
}

/** A list of such objects. */
export function records(columns: Columns): Returns {
  return { kind: 'records', table: sqliteTable('record', { ...columns }) }
}

/** The body of a call as it is, in the place of arguments that have names. */
export interface WholeBody<Value = unknown> {
  readonly body: 'json' | 'text' | 'xml' | 'bytes'
  readonly schema: z.ZodType<Value>
}

/**
 * A function's one argument without a name: the whole body. It is called where no other function of the name fits the arguments, and the body
 * is of that type: `application/json`, `text/plain`, `text/xml` or `application/octet-stream`.
 *
 * @param schema what JSON it must be
 */
export function wholeBody<Value = unknown>(body: 'json', schema?: z.ZodType<Value>): WholeBody<Value>
export function wholeBody(body: 'text' | 'xml'): WholeBody<string>
export function wholeBody(body: 'bytes'): WholeBody<Uint8Array>
export function wholeBody(body: WholeBody['body'], schema: z.ZodType = z.unknown()): WholeBody {
  return { body, schema }
}

type Input = z.ZodObject | WholeBody

/** What `run` is given of it. */
type Given<Type extends Input> = Type extends WholeBody<infer Value> ? Value : z.output<Type>

/** What a function says of its answer beside what it returns. When it throws, nothing of this is sent. */
export interface FunctionResponse {
  /** They take the place of those that Atoll sends. Throws 500 `PGRST111` for a name or value that cannot be sent. */
  readonly headers: Headers
  /** From 200 to 599; null: as Atoll answers. */
  status: number | null
}

/** What a function is given. */
export interface FunctionContext<Input> {
  /** Its arguments, or the whole body. */
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
  /** Sends messages to channels. */
  readonly realtime: ChannelSender
  readonly env: AppEnv
  /** The call: its method, address and headers; its body has been read. */
  readonly request: Request
  readonly response: FunctionResponse
}

export interface FunctionDefinition<Type extends Input = Input> {
  /** What it is, for descriptions of the API: a line, and what else there is to say behind it. */
  readonly description?: string
  /** Arguments by their names, or the `wholeBody`. */
  readonly input: Type
  /** An argument, an array, whose elements a query or a form gives one by one: `?tags=a&tags=b`. */
  readonly variadic?: string
  readonly returns: Returns
  /**
   * True when it changes nothing: then it is offered for GET, and what it would write is refused (405 `25006`) however it is called. Default false:
   * a GET is answered as long as it writes nothing.
   */
  readonly stable?: boolean
  /**
   * False when what it does cannot be undone, as a payment or a mail. Then calls that may need that are refused before it runs:
   * `Prefer: tx=rollback`, `max-affected`, exactly one row; and GET. Default true: what it writes to databases and sends as jobs is undone.
   */
  readonly undoable?: boolean
  /**
   * Schemas that it is in. Several functions of one name in different schemas are told apart by these. Default: `public`, or the first one
   * where there is no `public`.
   */
  readonly schemas?: readonly string[]
  /** Roles that may call it; `service_role` always may. Default none. */
  readonly roles?: readonly string[]
  /** Most bytes of arguments in a call's body. Default: what the caller's role may send, `bodyBytes` of its budget. */
  readonly maxBodyBytes?: number
  /** A thrown error is told to nobody: throw what `refuse` makes to tell the caller. */
  run(context: FunctionContext<Given<Type>>): Promise<unknown>
}

/** A function as the manifest holds it, whatever its input. */
export type AnyFunction = Omit<FunctionDefinition, 'run'> & {
  run(context: FunctionContext<never>): Promise<unknown>
}

/**
 * The functions of `functions/app/rpc/`, by the names that they are called by. Several of one name are told apart by the names of the arguments
 * that come.
 */
export type FunctionManifest = Readonly<Record<string, AnyFunction | readonly AnyFunction[]>>

/** All functions of a name. */
export function functionsNamed(functions: FunctionManifest, name: string): readonly AnyFunction[] {
  const found = Object.hasOwn(functions, name) ? functions[name] : undefined
  return found === undefined ? [] : ([found].flat() as AnyFunction[])
}

/** Its arguments by their names; none when it takes the whole body. */
export function namedArguments({ input }: AnyFunction): Readonly<Record<string, z.ZodType>> {
  return 'body' in input ? {} : (input.shape as Readonly<Record<string, z.ZodType>>)
}

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
export function defineFunction<Type extends Input>(definition: FunctionDefinition<Type>): AnyFunction {
  return definition as unknown as AnyFunction
}
