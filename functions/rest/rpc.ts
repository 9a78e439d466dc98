/**
 * `/rest/v1/rpc/<name>`: functions that the app writes in TypeScript.
 * @module
 */
import { getTableName } from 'drizzle-orm'
import type { SQLiteTable } from 'drizzle-orm/sqlite-core'
import type { z } from 'zod'
import { tableOfRecord } from '../../db/catalog/build-catalog.ts'
import type { Catalog, Table } from '../../db/catalog/catalog.ts'
import type { Caller } from '../core/caller.ts'
import type { CoreConfig } from '../core/config.ts'
import { isRawNumber } from '../core/parse-json.ts'
import type { PendingWork } from '../core/pending-work.ts'
import type { Budget } from './ask/budget.ts'
import { parseFilter } from './ask/parse-filter.ts'
import { parsePreferences } from './ask/parse-preferences.ts'
import { argumentsOfBody, argumentsOfQuery, type Sent } from './ask/read-arguments.ts'
import { readElements, readLiteral, takesText } from './ask/read-literal.ts'
import type { RestConfig } from './config.ts'
import { type AnyFunction, type FunctionManifest, functionsNamed, namedArguments } from './define-function.ts'
import { errors } from './errors.ts'
import { type CallTerms, readTerms } from './plan/call-terms.ts'
import { chooseFunction } from './plan/choose-function.ts'
import type { ServedSchema } from './plan/served-schemas.ts'

/** A call that is ready to be made. */
export interface FunctionCall {
  readonly definition: AnyFunction
  readonly input: unknown
  /** The table whose rows it answers with, or that has the columns of its records; or null. */
  readonly table: Table | null
  readonly terms: CallTerms
  /** The query's parameters that are no arguments: what to do with the rows. */
  readonly query: URLSearchParams
  /** As it was sent. */
  readonly body: string
}

/** Parameters that say what to do with rows, and so are no arguments. */
const rowParameters = /^(?:select|order|limit|offset|and|or|not\.and|not\.or)$/

/** What answers with rows, which can be filtered and selected from. */
const tableKinds: ReadonlySet<string> = new Set(['row', 'rows', 'record', 'records'])

/** Finds the function, checks the caller's right to it and its arguments. */
export async function readCall(
  name: string,
  raw: Request,
  url: URL,
  schema: ServedSchema,
  caller: Caller,
  catalog: Catalog,
  config: RestConfig & CoreConfig,
  budget: Budget,
  pending: PendingWork | null,
): Promise<FunctionCall> {
  if (!['GET', 'HEAD', 'POST'].includes(raw.method)) throw errors.rpcMethod(raw.method)
  const preferences = parsePreferences(raw.headers.get('prefer') ?? '')
  const mayCall = ({ roles }: AnyFunction) => caller.role === 'service_role' || roles?.includes(caller.role)
  const { functions } = schema
  const own = functionsNamed(functions, name)
  const called = own.filter(mayCall)
  // Rights come first: of a function that the caller may not call, no argument is told.
  if (own.length > 0 && called.length === 0) throw errors.deniedFunction(name, caller.signedIn)
  const isPost = raw.method === 'POST'
  const isArgument = isPost ? () => false : argumentsOf(called)
  const sent = isPost
    ? await argumentsOfBody(raw, url, bodyBytesOf(called, budget), budget, config.maxBodyBytes, pending)
    : argumentsOfQuery(url, isArgument)
  const definition = chooseFunction(name, sent, called, () => callableOf(functions, mayCall), schema.name)
  // What it does beside its databases, nobody can keep it from.
  if (!isPost && !definition.stable && definition.undoable === false) throw errors.rpcMethod(raw.method)
  return {
    definition,
    input: inputOf(name, definition, sent),
    table: tableOf(definition, catalog),
    terms: readTerms(name, definition, raw, preferences, config),
    body: sent.body,
    query: rowQuery(url, isArgument),
  }
}

/** OPTIONS without CORS: which methods a function is offered for. */
export function methodsOfFunction(name: string, schema: ServedSchema): string {
  const own = functionsNamed(schema.functions, name)
  if (own.length === 0)
    throw errors.noFunction(
      `Could not find the function ${schema.name}.${name} in the schema cache`,
      null,
      null,
    )
  return own.some(({ stable }) => stable) ? 'OPTIONS,GET,HEAD,POST' : 'OPTIONS,POST'
}

/** The functions that a caller may call. */
function callableOf(
  functions: FunctionManifest,
  mayCall: (definition: AnyFunction) => boolean | undefined,
): FunctionManifest {
  const entries = Object.keys(functions).map(
    (name) => [name, functionsNamed(functions, name).filter(mayCall)] as const,
  )
  return Object.fromEntries(entries.filter(([, own]) => own.length > 0))
}

/** The most that a body may have: as it is read before it is known which function is meant, the most of all. */
function bodyBytesOf(called: readonly AnyFunction[], budget: Budget): number {
  return Math.max(
    ...called.map(({ maxBodyBytes }) => maxBodyBytes ?? budget.bodyBytes),
    called.length ? 0 : budget.bodyBytes,
  )
}

/**
 * Tells a query's arguments from what is asked of the rows: filters, too, where there are rows. One that is named like an argument and
 * reads as a filter is one, unless the argument can be just that.
 */
function argumentsOf(called: readonly AnyFunction[]): (key: string, value: string) => boolean {
  const filters = called.some(({ returns }) => tableKinds.has(returns.kind))
  if (!filters) return (key) => !rowParameters.test(key)
  return (key, value) => {
    if (rowParameters.test(key)) return false
    const types = called
      .map((definition) => namedArguments(definition))
      .filter((own) => Object.hasOwn(own, key))
    if (types.length === 0) return !isFilter(value)
    return !isFilter(value) || types.some((own) => takesText(own[key] as z.ZodType, value))
  }
}

function isFilter(value: string): boolean {
  try {
    parseFilter({ name: '', path: [] }, value, null)
    return true
  } catch {
    return false
  }
}

/** What the function is given. @throws AtollError 22023 for arguments that it does not take */
function inputOf(name: string, definition: AnyFunction, { named, textual, whole }: Sent): unknown {
  const { input, variadic } = definition
  if ('body' in input) {
    const value = whole.kind === 'json' ? plainNumbers(whole.value) : whole.value
    const parsed = input.schema.safeParse(value)
    if (!parsed.success) throw errors.invalidArguments(name, parsed.error.issues)
    return parsed.data
  }
  const types = namedArguments(definition)
  const entries = Object.entries(named ?? {}).map(([key, value]) => {
    const type = types[key] as z.ZodType
    if (!textual) return [key, numbersFor(type, value)]
    const texts = value as readonly string[]
    // One text may be a whole array: `{a,b}`.
    if (key === variadic && !(texts.length === 1 && /^\s*\{/.test(texts[0] as string)))
      return [key, readElements(type, texts)]
    return [key, readLiteral(type, texts.at(-1) as string)]
  })
  const parsed = input.safeParse(Object.fromEntries(entries))
  if (!parsed.success) throw errors.invalidArguments(name, parsed.error.issues)
  return parsed.data
}

/** Numbers as JavaScript has them; whole ones with more digits than it keeps as a BigInt, where the argument takes that. */
function numbersFor(type: z.ZodType, value: unknown): unknown {
  if (!isRawNumber(value)) return plainNumbers(value)
  const exact = /^-?\d+$/.test(value.rawJSON) ? BigInt(value.rawJSON) : null
  return exact !== null && type.safeParse(exact).success ? exact : Number(value.rawJSON)
}

function plainNumbers(value: unknown): unknown {
  if (isRawNumber(value)) return Number(value.rawJSON)
  if (Array.isArray(value)) return value.map(plainNumbers)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plainNumbers(inner)]))
}

const recordTables = new WeakMap<SQLiteTable, Table>()

/** The table whose columns the rows of a function have; null when it answers with no rows. */
function tableOf({ returns }: AnyFunction, catalog: Catalog): Table | null {
  if (returns.kind === 'record' || returns.kind === 'records') {
    const known = recordTables.get(returns.table) ?? tableOfRecord(returns.table)
    recordTables.set(returns.table, known)
    return known
  }
  if (returns.kind !== 'row' && returns.kind !== 'rows') return null
  const name = getTableName(returns.table)
  const table = catalog.tables.get(name)
  if (!table)
    throw errors.internal(
      new Error(`a function answers with rows of ${name}, which tables.ts does not serve`),
    )
  return table
}

function rowQuery(url: URL, isArgument: (key: string, value: string) => boolean): URLSearchParams {
  return new URLSearchParams(
    [...url.searchParams].filter(([key, value]) => key !== 'columns' && !isArgument(key, value)),
  )
}
