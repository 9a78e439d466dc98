/**
 * `/rest/v1/rpc/<name>`: functions that the app writes in TypeScript.
 * @module
 */
import { getTableName } from 'drizzle-orm'
import type { Catalog, Table } from '../../db/catalog/catalog.ts'
import type { Caller } from '../access/caller.ts'
import type { AtollConfig } from '../config.ts'
import type { AnyFunction, FunctionManifest } from '../define.ts'
import { errors } from '../errors.ts'
import { nearestName } from './nearest-name.ts'
import { parseJson, parsePayload } from './parse-payload.ts'
import { parsePreferences } from './parse-preferences.ts'
import { readBody } from './read-body.ts'

/** A call that is ready to be made. */
export interface FunctionCall {
  readonly definition: AnyFunction
  readonly input: Readonly<Record<string, unknown>>
  /** The table whose rows it answers with, or null. */
  readonly table: Table | null
  /** The query's parameters that are no arguments: what to do with the rows. */
  readonly query: URLSearchParams
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
  config: AtollConfig,
): Promise<FunctionCall> {
  if (!['GET', 'HEAD', 'POST'].includes(raw.method)) throw errors.rpcMethod(raw.method)
  parsePreferences(raw.headers.get('prefer') ?? '')
  const mayCall = ({ roles }: AnyFunction) => caller.role === 'service_role' || roles?.includes(caller.role)
  // Rights come first: of a function that the caller may not call, no argument is told.
  if (Object.hasOwn(functions, name) && !mayCall(functions[name] as AnyFunction)) {
    throw errors.deniedFunction(name, caller.signedIn)
  }
  const sent = await readArguments(name, raw, url, functions, config)
  const callable = () => Object.fromEntries(Object.entries(functions).filter(([, known]) => mayCall(known)))
  const definition = findFunction(name, sent, functions, callable, config)
  if (raw.method !== 'POST' && !definition.stable) throw errors.rpcMethod(raw.method)
  const parsed = definition.input.safeParse(fromText(definition, sent))
  if (!parsed.success) throw errors.invalidArguments(name, parsed.error.issues)
  return {
    definition,
    input: parsed.data,
    table: tableOf(definition, catalog),
    query: rowQuery(url, raw.method === 'POST' ? [] : Object.keys(definition.input.shape)),
  }
}

interface Sent {
  readonly values: Readonly<Record<string, unknown>>
  /** True when all values are text, as from a query or a form. */
  readonly textual: boolean
  readonly isJson: boolean
}

async function readArguments(
  name: string,
  raw: Request,
  url: URL,
  functions: FunctionManifest,
  config: AtollConfig,
): Promise<Sent> {
  if (raw.method !== 'POST') {
    const known = Object.hasOwn(functions, name) ? functions[name] : undefined
    const filters = known && (known.returns.kind === 'rows' || known.returns.kind === 'row')
    const isArgument = (key: string) =>
      !rowParameters.test(key) && (!filters || Object.hasOwn(known.input.shape, key))
    const values = Object.fromEntries(
      [...url.searchParams].filter(([key]) => key !== 'apikey' && isArgument(key)),
    )
    return { values, textual: true, isJson: false }
  }
  const type =
    (raw.headers.get('content-type') ?? '').toLowerCase().split(';', 1)[0]?.trim() || 'application/json'
  const text = await readBody(raw, config.maxBodyBytes)
  if (type === 'application/json') {
    const values = text === '' ? {} : parseJson(text)
    if (typeof values !== 'object' || values === null || Array.isArray(values)) {
      throw errors.invalidBody('Empty or invalid json')
    }
    return { values: values as Record<string, unknown>, textual: false, isJson: true }
  }
  if (type === 'text/csv' || type === 'application/x-www-form-urlencoded') {
    return { values: parsePayload(text, type, null).rows[0] ?? {}, textual: true, isJson: false }
  }
  throw errors.contentType(type)
}

/** PostgREST's answer when no function has this name and these arguments. */
function findFunction(
  name: string,
  sent: Sent,
  functions: FunctionManifest,
  callable: () => FunctionManifest,
  config: AtollConfig,
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
  config: AtollConfig,
): string | null {
  const nearest = Object.hasOwn(functions, name) ? name : nearestName(name, Object.keys(functions))
  if (nearest === null) return null
  const parameters = Object.keys(functions[nearest]?.input.shape ?? {})
  const shown =
    nearest === name && names.length > 0 && parameters.length > 0 ? `(${parameters.join(', ')})` : ''
  return `Perhaps you meant to call the function ${config.schema}.${nearest}${shown}`
}

/** Text becomes JSON where the function does not take text: numbers, booleans, arrays, objects. */
function fromText(definition: AnyFunction, { values, textual }: Sent): Readonly<Record<string, unknown>> {
  if (!textual) return values
  const entries = Object.entries(values).map(([key, value]) => {
    const takesText = definition.input.shape[key]?.safeParse(value).success
    if (takesText || typeof value !== 'string') return [key, value]
    try {
      return [key, JSON.parse(value)]
    } catch {
      return [key, value]
    }
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

function rowQuery(url: URL, argumentNames: readonly string[]): URLSearchParams {
  return new URLSearchParams([...url.searchParams].filter(([key]) => !argumentNames.includes(key)))
}
