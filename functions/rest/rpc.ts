/**
 * `/rest/v1/rpc/<name>`: functions that the app writes in TypeScript.
 * @module
 */
import { getTableName } from 'drizzle-orm'
import type { Catalog, Table } from '../../db/catalog/catalog.ts'
import type { Caller } from '../core/caller.ts'
import type { CoreConfig } from '../core/config.ts'
import { parseJson } from '../core/parse-json.ts'
import type { PendingWork } from '../core/pending-work.ts'
import type { Budget } from './ask/budget.ts'
import { checkBodyOf, readBoundedBody } from './ask/check-body.ts'
import { nearestName } from './ask/nearest-name.ts'
import { parseFilter } from './ask/parse-filter.ts'
import { mediaType, parsePayload } from './ask/parse-payload.ts'
import { parsePreferences } from './ask/parse-preferences.ts'
import { readLiteral, takesText } from './ask/read-literal.ts'
import type { RestConfig } from './config.ts'
import type { AnyFunction, FunctionManifest } from './define-function.ts'
import { errors } from './errors.ts'
import { type CallTerms, checkProfile, readTerms } from './plan/call-terms.ts'

/** A call that is ready to be made. */
export interface FunctionCall {
  readonly definition: AnyFunction
  readonly input: Readonly<Record<string, unknown>>
  /** The table whose rows it answers with, or null. */
  readonly table: Table | null
  readonly terms: CallTerms
  /** The query's parameters that are no arguments: what to do with the rows. */
  readonly query: URLSearchParams
  /** As it was sent. */
  readonly body: string
}

/** Parameters that say what to do with rows, and so are no arguments. */
const rowParameters = /^(?:select|order|limit|offset|and|or|not\.and|not\.or)$/

/** Finds the function, checks the caller's right to it and its arguments. */
export async function readCall(
  name: string,
  raw: Request,
  url: URL,
  functions: FunctionManifest,
  caller: Caller,
  catalog: Catalog,
  config: RestConfig & CoreConfig,
  budget: Budget,
  pending: PendingWork | null,
): Promise<FunctionCall> {
  if (!['GET', 'HEAD', 'POST'].includes(raw.method)) throw errors.rpcMethod(raw.method)
  checkProfile(raw, config)
  const preferences = parsePreferences(raw.headers.get('prefer') ?? '')
  const mayCall = ({ roles }: AnyFunction) => caller.role === 'service_role' || roles?.includes(caller.role)
  // Rights come first: of a function that the caller may not call, no argument is told.
  if (Object.hasOwn(functions, name) && !mayCall(functions[name] as AnyFunction)) {
    throw errors.deniedFunction(name, caller.signedIn)
  }
  const sent = await readArguments(name, raw, url, functions, config, budget, pending)
  const callable = () => Object.fromEntries(Object.entries(functions).filter(([, known]) => mayCall(known)))
  const definition = findFunction(name, sent, functions, callable, config)
  if (raw.method !== 'POST' && !definition.stable) throw errors.rpcMethod(raw.method)
  const parsed = definition.input.safeParse(fromText(definition, sent))
  if (!parsed.success) throw errors.invalidArguments(name, parsed.error.issues)
  return {
    definition,
    input: parsed.data,
    table: tableOf(definition, catalog),
    terms: readTerms(name, definition, raw, preferences, config),
    body: sent.body,
    query: rowQuery(url, raw.method === 'POST' ? () => false : argumentsOf(definition)),
  }
}

/** OPTIONS without CORS: which methods a function answers. */
export function methodsOfFunction(
  name: string,
  functions: FunctionManifest,
  config: RestConfig & CoreConfig,
): string {
  const definition = Object.hasOwn(functions, name) ? functions[name] : undefined
  if (!definition)
    throw errors.noFunction(
      `Could not find the function ${config.schema}.${name} in the schema cache`,
      null,
      null,
    )
  return definition.stable ? 'OPTIONS,GET,HEAD,POST' : 'OPTIONS,POST'
}

interface Sent {
  readonly values: Readonly<Record<string, unknown>>
  /** True when all values are text, as from a query or a form. */
  readonly textual: boolean
  readonly isJson: boolean
  readonly body: string
}

async function readArguments(
  name: string,
  raw: Request,
  url: URL,
  functions: FunctionManifest,
  config: RestConfig & CoreConfig,
  budget: Budget,
  pending: PendingWork | null,
): Promise<Sent> {
  const known = Object.hasOwn(functions, name) ? functions[name] : undefined
  if (raw.method !== 'POST') {
    const isArgument = argumentsOf(known)
    const values = Object.fromEntries(
      [...url.searchParams].filter(([key, value]) => key !== 'apikey' && isArgument(key, value)),
    )
    return { values, textual: true, isJson: false, body: '' }
  }
  const type = mediaType(raw.headers.get('content-type') ?? '')
  const bodyBytes = known?.maxBodyBytes ?? budget.bodyBytes
  const text = await readBoundedBody(raw, { ...budget, bodyBytes }, config.maxBodyBytes, pending)
  // Arguments are no rows: an argument may be a list of as many values as the body may hold.
  const bounds = { ...budget, bodyRows: budget.bodyValues }
  await checkBodyOf(raw, text, type === 'application/json', bounds, pending)
  if (type === 'application/json') {
    const values = text === '' ? {} : parseJson(text)
    if (typeof values !== 'object' || values === null || Array.isArray(values)) {
      throw errors.invalidBody('Empty or invalid json')
    }
    return { values: values as Record<string, unknown>, textual: false, isJson: true, body: text }
  }
  if (type === 'text/csv' || type === 'application/x-www-form-urlencoded') {
    return { values: parsePayload(text, type, null).rows[0] ?? {}, textual: true, isJson: false, body: text }
  }
  throw errors.contentType(type)
}

/**
 * Tells a query's arguments from what is asked of the rows: filters, too, where there are rows. One that is named like an argument and
 * reads as a filter is one, unless the argument can be just that.
 */
function argumentsOf(definition: AnyFunction | undefined): (key: string, value: string) => boolean {
  const filters = definition && (definition.returns.kind === 'rows' || definition.returns.kind === 'row')
  if (!filters) return (key) => !rowParameters.test(key)
  const { shape } = definition.input
  return (key, value) => {
    if (rowParameters.test(key) || !Object.hasOwn(shape, key)) return false
    const schema = shape[key]
    return !isFilter(value) || (schema !== undefined && takesText(schema, value))
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

/** PostgREST's answer when no function has this name and these arguments. */
function findFunction(
  name: string,
  sent: Sent,
  functions: FunctionManifest,
  callable: () => FunctionManifest,
  config: RestConfig & CoreConfig,
): AnyFunction {
  const definition = Object.hasOwn(functions, name) ? functions[name] : undefined
  const names = Object.keys(sent.values)
  const isKnown = definition && names.every((key) => Object.hasOwn(definition.input.shape, key))
  const lacks =
    definition &&
    Object.entries(definition.input.shape).some(
      ([key, schema]) => !names.includes(key) && !schema.safeParse(undefined).success,
    )
  if (definition && isKnown && !lacks) return definition
  const full = `${config.schema}.${name}`
  const list = names.join(', ')
  const called = names.length === 0 ? `${full} without parameters` : `${full}(${list})`
  const searched =
    names.length === 0
      ? `${full} without parameters`
      : `${full} with parameter${names.length > 1 ? 's' : ''} ${list}`
  const orBody = sent.isJson && names.length > 0 ? ' or with a single unnamed json/jsonb parameter' : ''
  throw errors.noFunction(
    `Could not find the function ${called} in the schema cache`,
    `Searched for the function ${searched}${orBody}, but no matches were found in the schema cache.`,
    hintFor(name, names, callable(), config),
  )
}

function hintFor(
  name: string,
  names: readonly string[],
  functions: FunctionManifest,
  config: RestConfig & CoreConfig,
): string | null {
  const nearest = Object.hasOwn(functions, name) ? name : nearestName(name, Object.keys(functions))
  if (nearest === null) return null
  const parameters = Object.keys(functions[nearest]?.input.shape ?? {})
  const shown =
    nearest === name && names.length > 0 && parameters.length > 0 ? `(${parameters.join(', ')})` : ''
  return `Perhaps you meant to call the function ${config.schema}.${nearest}${shown}`
}

/** Text becomes numbers, booleans, arrays, objects where the function takes those. */
function fromText(definition: AnyFunction, { values, textual }: Sent): Readonly<Record<string, unknown>> {
  if (!textual) return values
  const entries = Object.entries(values).map(([key, value]) => {
    const schema = definition.input.shape[key]
    return [key, schema === undefined || typeof value !== 'string' ? value : readLiteral(schema, value)]
  })
  return Object.fromEntries(entries)
}

function tableOf(definition: AnyFunction, catalog: Catalog): Table | null {
  const { returns } = definition
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
  return new URLSearchParams([...url.searchParams].filter(([key, value]) => !isArgument(key, value)))
}
