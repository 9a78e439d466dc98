/**
 * The functions of PostgREST's suite, made from their description.
 * @module
 */
import { getTableColumns, getTableName, getViewName } from 'drizzle-orm'
import { integer, real, type SQLiteTable, text } from 'drizzle-orm/sqlite-core'
import { z } from 'zod'
import type { TableDeclaration } from '../../../db/define.ts'
import {
  type AnyFunction,
  defineFunction,
  type FunctionContext,
  type FunctionManifest,
  nothing,
  type Returns,
  record,
  records,
  refuse,
  row,
  rows,
  value,
  values,
  wholeBody,
} from '../../../functions/define.ts'

/** As the suite's `functions.ts` has it. */
export interface Description {
  readonly name: string
  readonly args: readonly {
    readonly name: string
    readonly type: string
    readonly values?: readonly string[]
    readonly default?: unknown
    readonly variadic?: true
  }[]
  readonly returns:
    | { readonly kind: 'void' }
    | { readonly kind: 'scalar'; readonly type: string; readonly set?: true; readonly media?: string }
    | { readonly kind: 'row' | 'rows'; readonly table: string }
    | { readonly kind: 'record' | 'records'; readonly columns: Readonly<Record<string, string>> }
  readonly volatility: 'immutable' | 'stable' | 'volatile'
  readonly writes?: true
  readonly roles?: readonly string[]
  readonly body?: (args: Readonly<Record<string, unknown>>, context: object) => unknown
}

/** What the suite's functions are given. */
interface Failure {
  readonly status: number
  readonly code: string
  readonly message: string
  readonly details?: string
  readonly hint?: string
  readonly headers?: Readonly<Record<string, string>>
}

const everybody = ['anon', 'postgrest_test_author'] as const

/** Types of the suite's arguments, as JSON has them. */
const types: Readonly<Record<string, () => z.ZodType>> = {
  integer: () => z.int(),
  bigint: () => z.int(),
  'double precision': () => z.number(),
  numeric: () => z.number(),
  boolean: () => z.boolean(),
  text: () => z.string(),
  'text[]': () => z.array(z.string()),
  'integer[]': () => z.array(z.int()),
  date: () => z.string().regex(/^\d{4}-?\d\d-?\d\d$/),
  money: () => z.number(),
  json: () => z.json(),
  xml: () => z.string(),
  bytea: () => z.string(),
}

const columns = {
  integer: () => integer(),
  bigint: () => integer(),
  'double precision': () => real(),
  boolean: () => integer({ mode: 'boolean' }),
  json: () => text({ mode: 'json' }),
} as const

function columnOf(type: string) {
  return (columns[type as keyof typeof columns] ?? (() => text()))()
}

function argumentType({ type, values: only, ...argument }: Description['args'][number]): z.ZodType {
  const plain = only ? z.enum(only as [string, ...string[]]) : (types[type] as () => z.ZodType)().nullable()
  return 'default' in argument ? plain.default(argument.default as never) : plain
}

const wholes = { json: 'json', text: 'text', xml: 'xml', bytea: 'bytes' } as const

function inputOf({ args }: Description) {
  const [first] = args
  if (first?.name === '') {
    const kind = wholes[first.type as keyof typeof wholes]
    // A body is never a number: such a function is there, and cannot be called.
    return kind === undefined ? z.object({ '': z.never() }) : wholeBody(kind as 'json')
  }
  return z.object(Object.fromEntries(args.map((argument) => [argument.name, argumentType(argument)])))
}

function returnsOf(
  { returns }: Description,
  tables: Readonly<Record<string, TableDeclaration>>,
): Returns | null {
  switch (returns.kind) {
    case 'void':
      return nothing
    case 'scalar': {
      const type = (types[returns.type] as () => z.ZodType)()
      return returns.set ? values(type) : value({ type, ...(returns.media ? { media: returns.media } : {}) })
    }
    case 'row':
    case 'rows': {
      const declared = Object.values(tables).find((one) => nameOf(one) === returns.table)
      if (declared === undefined || declared.kind === 'view') return null
      return returns.kind === 'row' ? row(declared.table) : rows(declared.table)
    }
    default: {
      const own = Object.fromEntries(
        Object.entries(returns.columns).map(([name, type]) => [name, columnOf(type)]),
      )
      return returns.kind === 'record' ? record(own) : records(own)
    }
  }
}

/** The name of a declared table in the database. */
function nameOf(declaration: TableDeclaration): string {
  return declaration.kind === 'view' ? getViewName(declaration.view) : getTableName(declaration.table)
}

/** What a function of the suite is given, from what one of Atoll's is. */
function contextOf({ caller, database, shards, request, response }: FunctionContext<unknown>) {
  const cookies = (request.headers.get('cookie') ?? '').split(/;\s*/).map((pair) => pair.split(/=(.*)/s, 2))
  const role = caller.role === 'anon' ? 'postgrest_test_anonymous' : caller.role
  return {
    sql: async (statement: string, ...given: unknown[]) => {
      const own = /^\s*insert/i.test(statement) ? [database] : await shards.all()
      const answers = await Promise.all(
        own.map((one) =>
          (one as unknown as { readonly $client: D1Database }).$client
            .prepare(statement)
            .bind(...given)
            .all(),
        ),
      )
      return answers.flatMap(({ results }) => results)
    },
    request: {
      method: request.method,
      path: new URL(request.url).pathname.replace(/^\/rest\/v1/, ''),
      headers: Object.fromEntries(request.headers),
      cookies: Object.fromEntries(cookies) as Readonly<Record<string, string>>,
    },
    role,
    claims: { role, ...caller.claims },
    settings: { 'app.settings.app_host': 'localhost' },
    respond: ({ status, headers }: { status?: number; headers?: readonly (readonly [string, string])[] }) => {
      if (status !== undefined) response.status = status
      for (const [name, said] of headers ?? []) {
        if (name.toLowerCase() === 'set-cookie') response.headers.append(name, said)
        else response.headers.set(name, said)
      }
    },
    fail: ({ status, code, message, ...rest }: Failure): never => {
      throw refuse(status, code, message, rest)
    },
  }
}

/** Bodies that the suite has only in words. */
const ownBodies: Readonly<Record<string, NonNullable<Description['body']>>> = {
  callcounter: () => ++calls,
  reset_table: async ({ tbl_name, tbl_data }, context) => {
    const { sql } = context as ReturnType<typeof contextOf>
    if (tbl_name === '') return
    await sql(`DELETE FROM "${tbl_name}"`)
    for (const one of tbl_data as Readonly<Record<string, unknown>>[]) {
      const names = Object.keys(one)
      const marks = names.map(() => '?').join(', ')
      await sql(
        `INSERT INTO "${tbl_name}" (${names.map((name) => `"${name}"`).join(', ')}) VALUES (${marks})`,
        ...Object.values(one),
      )
    }
  },
}
let calls = 0

/** A row as SQLite has it, with the values that Drizzle makes of it. */
function drizzleRow(table: SQLiteTable, found: Readonly<Record<string, unknown>>) {
  const entries = Object.entries(getTableColumns(table)).map(([key, column]) => {
    const stored = found[column.name] ?? null
    return [key, stored === null ? null : column.mapFromDriverValue(stored)]
  })
  return Object.fromEntries(entries)
}

function functionOf(
  description: Description,
  tables: Readonly<Record<string, TableDeclaration>>,
): AnyFunction | null {
  const input = inputOf(description)
  const returns = returnsOf(description, tables)
  if (returns === null) return null
  const { name, roles, volatility } = description
  const body = description.body ?? ownBodies[name]
  if (body === undefined) throw new Error(`the suite's function ${name} has no body`)
  return defineFunction({
    input: input as z.ZodObject,
    returns,
    stable: volatility !== 'volatile',
    roles: roles ?? everybody,
    ...Object.fromEntries(
      description.args.filter(({ variadic }) => variadic).map((one) => ['variadic', one.name]),
    ),
    run: async (context) => {
      const whole = !('shape' in input)
      const args = whole ? { '': context.input } : context.input
      const returned = await body(args, contextOf(context))
      const { kind } = returns
      if (kind === 'rows')
        return (returned as Readonly<Record<string, unknown>>[]).map((one) => drizzleRow(returns.table, one))
      if (kind === 'row')
        return returned && drizzleRow(returns.table, returned as Readonly<Record<string, unknown>>)
      return returned
    },
  })
}

/** All functions of the suite that can be; those that answer with rows of views are not among them. */
export function conformanceFunctions(
  descriptions: readonly Description[],
  tables: Readonly<Record<string, TableDeclaration>>,
): FunctionManifest {
  const made = descriptions.map((description) => [description.name, functionOf(description, tables)] as const)
  const byName = Map.groupBy(made, ([name]) => name)
  return Object.fromEntries([...byName].map(([name, own]) => [name, own.flatMap(([, one]) => one ?? [])]))
}
