/**
 * The API's description, made from the catalog: OpenAPI 2.0, the version that PostgREST serves and that its
 * clients and code generators read.
 * @module
 */
import type { Catalog, Column, ColumnType, Table } from '../../db/catalog/catalog.ts'
import type { AtollConfig } from '../config.ts'

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

export function describeApi(catalog: Catalog, config: AtollConfig): Schema {
  const tables = [...catalog.tables.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  return {
    swagger: '2.0',
    info: {
      title: 'Data API',
      description: `The tables of the schema ${config.schema}, in PostgREST's dialect.`,
      version: catalog.fingerprint,
    },
    basePath: '/rest/v1',
    consumes: mediaTypes,
    produces: mediaTypes,
    securityDefinitions: { apikey: { type: 'apiKey', in: 'header', name: 'apikey' } },
    security: [{ apikey: [] }],
    externalDocs: {
      description: 'PostgREST Documentation',
      url: 'https://postgrest.org/en/latest/references/api.html',
    },
    paths: Object.fromEntries(tables.map((table) => [`/${table.name}`, { get: readOperation(table) }])),
    definitions: Object.fromEntries(tables.map((table) => [table.name, definition(table)])),
    parameters: sharedParameters,
  }
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

const sharedParameters: Schema = {
  select: query('select', 'Columns and embedded resources: id,title,artists(name)'),
  order: query('order', 'Columns to order by: title.desc,id'),
  limit: query('limit', 'At most so many rows', 'integer'),
  offset: query('offset', 'Rows to leave out at the start', 'integer'),
  count: {
    name: 'Prefer',
    description: 'Whether to count all rows: count=exact',
    in: 'header',
    type: 'string',
    enum: ['count=exact', 'count=planned', 'count=estimated'],
  },
}

function readOperation(table: Table): Schema {
  return {
    tags: [table.name],
    summary: `Rows of ${table.name}`,
    parameters: [
      ...[...table.columns.values()].map((column) =>
        query(column.name, `A filter such as eq.… on ${column.name} (${types[column.type].format})`),
      ),
      ...Object.keys(sharedParameters).map((name) => ({ $ref: `#/parameters/${name}` })),
    ],
    responses: {
      200: { description: 'OK', schema: { type: 'array', items: { $ref: `#/definitions/${table.name}` } } },
      206: { description: 'Part of the rows, when they were counted' },
    },
  }
}

function definition(table: Table): Schema {
  const columns = [...table.columns.values()]
  return {
    type: 'object',
    required: columns
      .filter((column) => !column.nullable && column.default === null)
      .map((column) => column.name),
    properties: Object.fromEntries(columns.map((column) => [column.name, property(table, column)])),
  }
}

function property(table: Table, column: Column): Schema {
  const notes = [
    ...(table.primaryKey.includes(column.name) ? ['This is a Primary Key.<pk/>'] : []),
    ...table.relations
      .filter((relation) => relation.forward && !relation.toIsView && relation.on.length === 1)
      .filter((relation) => relation.on[0]?.[0] === column.name)
      .map(({ to, on }) => {
        const target = on[0]?.[1]
        return `This is a Foreign Key to \`${to}.${target}\`.<fk table='${to}' column='${target}'/>`
      }),
  ]
  return {
    ...types[column.type],
    ...(notes.length === 0 ? {} : { description: `Note:\n${notes.join('\n')}` }),
    ...(column.default?.kind === 'value' ? { default: column.default.value } : {}),
    ...(column.values ? { enum: column.values } : {}),
    ...(column.maxLength === null ? {} : { maxLength: column.maxLength }),
  }
}
