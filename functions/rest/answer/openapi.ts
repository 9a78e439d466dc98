/**
 * The API's description, made from the catalog: OpenAPI 2.0, the version that PostgREST serves and that its
 * clients and code generators read.
 * @module
 */

import type { Catalog, Column, ColumnType, Table } from '../../../db/catalog/catalog.ts'
import { operations as allOperations } from '../../../db/catalog/grants.ts'
import type { Operation } from '../../../db/catalog/policy.ts'
import { isWithin } from '../../../db/catalog/schemas.ts'
import type { Rights } from '../../access/area.ts'
import type { RestConfig } from '../config.ts'
import { type AnyFunction, functionsNamed, namedArguments } from '../define-function.ts'
import { isRequired } from '../plan/choose-function.ts'
import type { ServedSchema } from '../plan/served-schemas.ts'
import { argumentSchema, parameterSchema } from './argument-schema.ts'

type Schema = Readonly<Record<string, unknown>>

const types: Readonly<Record<ColumnType, Schema>> = {
  integer: { type: 'integer', format: 'int64' },
  real: { type: 'number', format: 'double' },
  numeric: { type: 'number', format: 'numeric' },
  text: { type: 'string', format: 'text' },
  boolean: { type: 'boolean', format: 'boolean' },
  json: { format: 'json' },
  timestamp: { type: 'string', format: 'date-time' },
  timestamp_ms: { type: 'string', format: 'date-time' },
  blob: { type: 'string', format: 'bytea' },
}

/** What a column's values are in JSON; those of a form go by its name. */
function schemaOf({ type, form }: Column): Schema {
  return form === null ? types[type] : { ...types[form.described], format: form.name }
}

/** Describes what the caller may do in a schema, and nothing else: no table, column, operation or function that they have not. */
export function describeApi(
  catalog: Catalog,
  schema: ServedSchema,
  config: RestConfig,
  rights: Rights,
): Schema {
  const { functions } = schema
  const tables = [...schema.tables.values()]
    .filter((table) => operationsOf(table, rights).length > 0)
    .sort((a, b) => (a.shownName < b.shownName ? -1 : 1))
  const mayCall = ({ roles }: AnyFunction) => rights.unbounded || roles?.includes(rights.caller.role)
  const callable = Object.keys(functions)
    .map((name): [string, AnyFunction[]] => [name, functionsNamed(functions, name).filter(mayCall)])
    .filter(([, own]) => own.length > 0)
  return {
    swagger: '2.0',
    info: {
      title: 'Data API',
      description: `What the caller's key may do in the schema ${schema.name}, in PostgREST's dialect.`,
      version: catalog.fingerprint,
    },
    basePath: '/rest/v1',
    consumes: mediaTypes,
    produces: mediaTypes,
    ...(config.openapiSecurity ? security : {}),
    externalDocs: {
      description: 'PostgREST Documentation',
      url: 'https://postgrest.org/en/latest/references/api.html',
    },
    paths: {
      ...Object.fromEntries(tables.map((table) => [`/${table.shownName}`, operations(table, rights)])),
      ...Object.fromEntries(callable.map(([name, own]) => [`/rpc/${name}`, functionOperations(name, own)])),
    },
    definitions: Object.fromEntries(
      tables.map((table) => [table.shownName, definition(table, rights, schema)]),
    ),
    parameters: sharedParameters,
  }
}

const security = {
  securityDefinitions: { apikey: { type: 'apiKey', in: 'header', name: 'apikey' } },
  security: [{ apikey: [] }],
}

const mediaTypes = [
  'application/json',
  'application/vnd.pgrst.object+json;nulls=stripped',
  'application/vnd.pgrst.object+json',
  'text/csv',
]

const query = (name: string, description: string, type = 'string') => ({
  name,
  description,
  in: 'query',
  type,
})

const preference = (description: string, values: readonly string[]) => ({
  name: 'Prefer',
  description,
  in: 'header',
  type: 'string',
  enum: values,
})

const returns = ['return=minimal', 'return=headers-only', 'return=representation']
const resolutions = ['resolution=merge-duplicates', 'resolution=ignore-duplicates']

const sharedParameters: Schema = {
  return: preference('What to answer with', returns),
  // An operation has one parameter of a name.
  insert: preference('What to answer with, or what becomes of rows that are there already', [
    ...returns,
    ...resolutions,
  ]),
  select: query('select', 'Columns and embedded resources: id,title,artists(name)'),
  order: query('order', 'Columns to order by: title.desc,id'),
  limit: query('limit', 'At most so many rows', 'integer'),
  offset: query('offset', 'Rows to leave out at the start', 'integer'),
  count: preference('Whether to count all rows', ['count=exact', 'count=planned', 'count=estimated']),
}

function operationsOf(table: Table, rights: Rights): Operation[] {
  const all: readonly Operation[] =
    table.kind === 'view' && table.updatable === null ? ['select'] : allOperations
  return all.filter((operation) => rights.has(table, operation))
}

function operations(table: Table, rights: Rights): Schema {
  const granted = operationsOf(table, rights)
  const seen = rights.seen(table)
  const body = {
    name: table.shownName,
    in: 'body',
    required: true,
    schema: { $ref: `#/definitions/${table.shownName}` },
  }
  const write = (summary: string, parameters: readonly Schema[], status: number): Schema => ({
    tags: [table.shownName],
    summary,
    parameters: [...parameters, { $ref: `#/parameters/${status === 201 ? 'insert' : 'return'}` }],
    responses: { [status]: { description: 'Done' } },
  })
  const described: Readonly<Record<Operation, () => Schema>> = {
    select: () => ({ get: readOperation(seen) }),
    insert: () => ({
      post: write(`Add rows to ${table.shownName}`, [body], 201),
    }),
    update: () => ({ patch: write(`Change rows of ${table.shownName}`, [...filters(seen), body], 204) }),
    delete: () => ({ delete: write(`Delete rows of ${table.shownName}`, filters(seen), 204) }),
  }
  return Object.assign({}, ...granted.map((operation) => described[operation]()))
}

/**
 * A function, and which methods it is offered for. Several of one name are described as the one with the most arguments: the format has one
 * operation for each path and method.
 */
function functionOperations(name: string, own: readonly AnyFunction[]): Schema {
  const count = (definition: AnyFunction) => Object.keys(namedArguments(definition)).length
  const widest = own.reduce((best, one) => (count(one) > count(best) ? one : best))
  const operation = (parameters: readonly Schema[]): Schema => ({
    tags: [`(rpc) ${name}`],
    ...saidOf(widest.description ?? null, `Call ${name}`),
    parameters,
    produces: ['application/json', 'application/vnd.pgrst.object+json'],
    responses: { 200: { description: 'OK' } },
  })
  const post = operation([{ name: 'args', in: 'body', required: true, schema: bodySchema(widest) }])
  const stable = own.filter((definition) => definition.stable)
  if (stable.length === 0) return { post }
  const shown = stable.reduce((best, one) => (count(one) > count(best) ? one : best))
  const parameters = Object.entries(namedArguments(shown)).map(([key, type]) => ({
    ...parameterSchema(type),
    name: key,
    in: 'query',
    required: isRequired(type),
    ...(key === shown.variadic ? { collectionFormat: 'multi' } : {}),
  }))
  return { get: operation(parameters), post }
}

function bodySchema(definition: AnyFunction): Schema {
  const { input } = definition
  if ('body' in input) return argumentSchema(input.schema)
  const types = Object.entries(namedArguments(definition))
  const required = types.filter(([, type]) => isRequired(type)).map(([key]) => key)
  return {
    type: 'object',
    ...(required.length === 0 ? {} : { required }),
    properties: Object.fromEntries(types.map(([key, type]) => [key, argumentSchema(type)])),
  }
}

/** What is said of a table or function: its first line, and the rest. */
function saidOf(comment: string | null, otherwise: string): Schema {
  const [summary = '', ...more] = (comment ?? otherwise).split('\n')
  const description = more.join('\n').trim()
  return { summary, ...(description === '' ? {} : { description }) }
}

/** Names of parameters that are for all tables. */
const reserved = new Set(['select', 'order', 'limit', 'offset'])

function filters(table: Table): Schema[] {
  const columns = [...table.columns.values()].filter(({ name }) => !reserved.has(name))
  return columns.map((column) =>
    query(column.name, `A filter such as eq.… on ${column.name} (${schemaOf(column).format})`),
  )
}

function readOperation(table: Table): Schema {
  return {
    tags: [table.shownName],
    ...saidOf(table.comment, `Rows of ${table.shownName}`),
    parameters: [
      ...filters(table),
      ...['select', 'order', 'limit', 'offset', 'count'].map((name) => ({ $ref: `#/parameters/${name}` })),
    ],
    responses: {
      200: {
        description: 'OK',
        schema: { type: 'array', items: { $ref: `#/definitions/${table.shownName}` } },
      },
      206: { description: 'Part of the rows, when they were counted' },
    },
  }
}

function definition(table: Table, rights: Rights, schema: ServedSchema): Schema {
  const withColumns = allOperations.filter((operation) => operation !== 'delete')
  const known = new Set(withColumns.flatMap((operation) => [...rights.columns(table, operation)]))
  const columns = [...table.columns.values()].filter((column) => known.has(column.name))
  const relations = rights.seen(table).relations.filter((relation) => isWithin(relation, schema))
  const required = columns.filter((column) => !column.nullable && column.default === null)
  return {
    type: 'object',
    ...(table.comment === null ? {} : { description: table.comment }),
    // The format takes no list of none.
    ...(required.length === 0 ? {} : { required: required.map(({ name }) => name) }),
    properties: Object.fromEntries(
      columns.map((column) => [column.name, property({ ...table, relations }, column, rights.catalog)]),
    ),
  }
}

function property(table: Table, column: Column, { tables }: Catalog): Schema {
  const notes = [
    ...(table.primaryKey.includes(column.name) ? ['This is a Primary Key.<pk/>'] : []),
    ...table.relations
      .filter((relation) => relation.forward && !relation.toIsView && relation.on.length === 1)
      .filter((relation) => relation.on[0]?.[0] === column.name)
      .map(({ to, on }) => {
        const target = on[0]?.[1]
        const parent = tables.get(to)?.shownName ?? to
        return `This is a Foreign Key to \`${parent}.${target}\`.<fk table='${parent}' column='${target}'/>`
      }),
  ]
  const note = notes.length === 0 ? [] : [`Note:\n${notes.join('\n')}`]
  const said = [...(column.comment === null ? [] : [column.comment]), ...note]
  const isWritten = !column.generated && (table.updatable?.columns.has(column.name) ?? true)
  return {
    ...schemaOf(column),
    ...(said.length === 0 ? {} : { description: said.join('\n\n') }),
    ...(isWritten ? {} : { readOnly: true }),
    ...(column.default?.kind === 'value' && !column.form?.isDeclared
      ? { default: column.default.value }
      : {}),
    ...(column.values ? { enum: column.values } : {}),
    ...(column.maxLength === null ? {} : { maxLength: column.maxLength }),
  }
}
