/**
 * The schemas that are served, each with its tables and functions, and which of them a request means.
 * https://docs.postgrest.org/en/stable/references/api/schemas.html
 * @module
 */
import { SchemaError } from '../../../db/catalog/build-catalog.ts'
import type { Catalog } from '../../../db/catalog/catalog.ts'
import { homeSchema, readSchemas, type Schema, unknownSchema } from '../../../db/catalog/schemas.ts'
import { type FunctionManifest, functionsNamed } from '../define-function.ts'
import { errors } from '../errors.ts'

export interface ServedSchema extends Schema {
  readonly functions: FunctionManifest
}

/** In the order of the configuration: the first is meant where a request names none. */
export type ServedSchemas = readonly [ServedSchema, ...ServedSchema[]]

/**
 * @param configured null: `public`, and what tables and functions name
 * @throws SchemaError when a table or function names a schema that is not there
 */
export function serveSchemas(
  catalog: Catalog,
  functions: FunctionManifest,
  configured: readonly string[] | null,
): ServedSchemas {
  const said = Object.keys(functions).flatMap((name) =>
    functionsNamed(functions, name).flatMap(({ schemas = [] }) =>
      schemas.map((schema) => ({ name, schema })),
    ),
  )
  const names = configured ?? [
    ...new Set([
      'public',
      ...[...catalog.tables.values()].flatMap(({ schemas }) => schemas ?? []),
      ...said.map(({ schema }) => schema),
    ]),
  ]
  const schemas = readSchemas(catalog, names)
  const problems = said
    .filter(({ schema }) => !names.includes(schema))
    .map(({ name, schema }) => unknownSchema(`function ${name}`, schema))
  if (problems.length > 0) throw new SchemaError(problems)
  const home = homeSchema(names)
  const [first, ...others] = schemas.map((schema) => ({
    ...schema,
    functions: functionsOf(functions, schema.name, home),
  }))
  return [first as ServedSchema, ...others]
}

function functionsOf(functions: FunctionManifest, schema: string, home: string): FunctionManifest {
  const entries = Object.keys(functions).map(
    (name) =>
      [
        name,
        functionsNamed(functions, name).filter(({ schemas = [home] }) => schemas.includes(schema)),
      ] as const,
  )
  return Object.fromEntries(entries.filter(([, own]) => own.length > 0))
}

/**
 * The schema that a request means.
 *
 * @param profile what the request names; empty: nothing
 * @throws 406 `PGRST106` for one that is not there
 */
export function schemaFor(schemas: ServedSchemas, profile: string): ServedSchema {
  if (profile === '') return schemas[0]
  const found = schemas.find(({ name }) => name === profile)
  if (found) return found
  throw errors.unknownSchema(profile, schemas.map(({ name }) => name).join(', '))
}

/** Says in an answer that has a body which schema it is of: when the request named it, or there are several. */
export function writeProfile(
  headers: Headers,
  schemas: ServedSchemas,
  { name }: Schema,
  profile: string,
): void {
  if (schemas.length > 1) headers.append('Vary', 'Accept-Profile')
  if (profile === '' && schemas.length === 1) return
  if (headers.has('content-type') && !headers.has('content-profile')) headers.set('Content-Profile', name)
}
