/**
 * The `Database` type that `createClient<Database>` takes, made from the catalog.
 * @module
 */
import { getTableName } from 'drizzle-orm'
import { z } from 'zod'
import { tableOfRecord } from '../../../db/catalog/build-catalog.ts'
import type { Catalog, Column, ColumnType, Relation, Table } from '../../../db/catalog/catalog.ts'
import { isToOne, storedColumns } from '../../../db/catalog/catalog.ts'
import { isWithin } from '../../../db/catalog/schemas.ts'
import { type AnyFunction, functionsNamed, namedArguments, type Returns } from '../define-function.ts'
import { isRequired } from '../plan/choose-function.ts'
import type { ServedSchema, ServedSchemas } from '../plan/served-schemas.ts'

const types: Readonly<Record<ColumnType, string>> = {
  integer: 'number',
  real: 'number',
  numeric: 'number',
  text: 'string',
  boolean: 'boolean',
  json: 'Json',
  timestamp: 'string',
  timestamp_ms: 'string',
  blob: 'string',
}

/** TypeScript source that declares `Database`, with every schema. */
export function databaseTypes(catalog: Catalog, schemas: ServedSchemas): string {
  const all = schemas.map((schema) => schemaType(schema, { catalog, schemas }))
  return `export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[]

export type Database = {
  __InternalSupabase: { PostgrestVersion: '14' }
${all.join('\n')}
}
`
}

/** What types of one schema need of the others. */
interface Around {
  readonly catalog: Catalog
  readonly schemas: ServedSchemas
}

function schemaType(schema: ServedSchema, around: Around): string {
  const all = [...schema.tables.values()].sort((a, b) => (a.shownName < b.shownName ? -1 : 1))
  const tables = all
    .filter((table) => table.kind === 'table')
    .map((table) => tableType(table, true, schema, around))
  const views = all
    .filter((table) => table.kind === 'view')
    .map((table) => tableType(table, table.updatable !== null || table.insteadOf.length > 0, schema, around))
  const declared = all.flatMap((table) => table.declared.filter((relation) => isWithin(relation, schema)))
  const names = new Set([...Object.keys(schema.functions), ...declared.map(({ constraint }) => constraint)])
  const calls = [...names].map((name) => {
    const own = Object.hasOwn(schema.functions, name) ? functionsNamed(schema.functions, name) : []
    const overloads = [
      ...own.map((definition) => functionType(definition, schema, around)),
      ...declared
        .filter(({ constraint }) => constraint === name)
        .map((relation) => relationType(relation, schema, around)),
    ]
    return `${key(name)}: ${overloads.join(' | ')}`
  })
  return `  ${key(schema.name)}: {
    Tables: ${block(tables, 6)}
    Views: ${block(views, 6)}
    Functions: ${block(calls, 6)}
    Enums: { [_ in never]: never }
    CompositeTypes: { [_ in never]: never }
  }`
}

function tableType(table: Table, writable: boolean, schema: ServedSchema, { catalog }: Around): string {
  const columns = storedColumns(table)
  const set = columns.filter(
    (column) => !column.generated && (table.updatable?.columns.has(column.name) ?? true),
  )
  const insert = set.map((column) => {
    const optional = column.nullable || column.default !== null
    return `${key(column.name)}${optional ? '?' : ''}: ${typeOf(column)}`
  })
  const update = set.map((column) => `${key(column.name)}?: ${typeOf(column)}`)
  const relations = table.relations
    .filter((relation) => relation.forward && relation.junction === null && isWithin(relation, schema))
    .map(
      (relation) =>
        `{ foreignKeyName: ${quote(relation.constraint)}; columns: [${list(relation.on.map(([here]) => here))}]; ` +
        `isOneToOne: ${isToOne(relation) && relation.cardinality === 'one-to-one'}; ` +
        `referencedRelation: ${quote(catalog.tables.get(relation.to)?.shownName ?? relation.to)}; referencedColumns: [${list(relation.on.map(([, there]) => there))}] }`,
    )
  const writes = writable ? [`Insert: ${block(insert, 10)}`, `Update: ${block(update, 10)}`] : []
  const parts = [`Row: ${block(rowFields(table), 10)}`, ...writes, `Relationships: [${relations.join(', ')}]`]
  return `${key(table.shownName)}: ${block(parts, 8)}`
}

function rowFields(table: Table): string[] {
  return [
    ...storedColumns(table).map((column) => `${key(column.name)}: ${typeOf(column)}`),
    ...[...table.columns.values()]
      .filter(({ expression }) => expression !== null)
      .map((column) => `${key(column.name)}: ${typeOf({ ...column, nullable: true })}`),
  ]
}

function functionType(definition: AnyFunction, schema: ServedSchema, around: Around): string {
  const args = Object.entries(namedArguments(definition)).map(
    ([argument, type]) => `${key(argument)}${isRequired(type) ? '' : '?'}: ${zodType(type)}`,
  )
  const { input, returns } = definition
  const named = args.length === 0 ? 'Record<PropertyKey, never>' : `{ ${args.join('; ')} }`
  const taken = 'body' in input ? (input.body === 'json' ? zodType(input.schema) : 'string') : named
  return `{ Args: ${taken}; ${answerType(returns, schema, around)} }`
}

/** A declared relation as PostgreSQL has it, and clients' types know it: a function over a row. */
function relationType(relation: Relation, schema: ServedSchema, around: Around): string {
  const table = (name: string) => around.catalog.tables.get(name) as Table
  const [from, to] = [table(relation.from), table(relation.to)]
  const row = (one: Table) => rowType(one, schema)
  const options = `from: ${quote(from.shownName)}; to: ${quote(to.shownName)}; isOneToOne: ${isToOne(relation)}; isSetofReturn: true`
  return `{ Args: { '': ${row(from)} }; Returns: ${row(to)}[]; SetofOptions: { ${options} } }`
}

function rowType({ kind, shownName }: Table, schema: ServedSchema): string {
  return `Database[${quote(schema.name)}]['${kind === 'view' ? 'Views' : 'Tables'}'][${quote(shownName)}]['Row']`
}

function answerType(returns: Returns, schema: ServedSchema, { catalog, schemas }: Around): string {
  switch (returns.kind) {
    case 'scalar':
      return `Returns: ${returns.type ? zodType(returns.type) : 'Json'}`
    case 'scalars':
      return `Returns: (${returns.type ? zodType(returns.type) : 'Json'})[]`
    case 'nothing':
      return 'Returns: undefined'
    case 'record':
    case 'records': {
      const columns = [...tableOfRecord(returns.table).columns.values()]
      const shown = `{ ${columns.map((column) => `${key(column.name)}: ${typeOf(column)}`).join('; ')} }`
      return `Returns: ${shown}${returns.kind === 'records' ? '[]' : ' | null'}`
    }
    case 'row':
    case 'rows': {
      const table = catalog.tables.get(getTableName(returns.table)) ?? tableOfRecord(returns.table)
      const name = quote(table.shownName)
      const isSet = returns.kind === 'rows'
      const home = [schema, ...schemas].find(({ sqlNames }) => sqlNames.has(table.name))
      const row = home === undefined ? `{ ${rowFields(table).join('; ')} }` : rowType(table, home)
      const answer = `Returns: ${row}${isSet ? '[]' : ' | null'}`
      if (home !== schema) return answer
      // What tells clients that the answer can be embedded from and filtered as the table is.
      const options = `from: '*'; to: ${name}; isOneToOne: ${!isSet}; isSetofReturn: ${isSet}`
      return `${answer}; SetofOptions: { ${options} }`
    }
  }
}

function zodType(type: z.ZodType): string {
  return jsonType(z.toJSONSchema(type, { io: 'input', unrepresentable: 'any' }) as JsonSchema)
}

interface JsonSchema {
  readonly type?: unknown
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly items?: unknown
  readonly anyOf?: readonly JsonSchema[]
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
}

function jsonType(schema: JsonSchema): string {
  if (schema.enum) return schema.enum.map((one) => JSON.stringify(one)).join(' | ')
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  if (schema.anyOf) return [...new Set(schema.anyOf.map(jsonType))].join(' | ')
  switch (schema.type) {
    case 'integer':
    case 'number':
      return 'number'
    case 'string':
      return 'string'
    case 'boolean':
      return 'boolean'
    case 'null':
      return 'null'
    case 'array':
      return schema.items ? `(${jsonType(schema.items as JsonSchema)})[]` : 'Json[]'
    case 'object': {
      const named = Object.entries(schema.properties ?? {})
      if (named.length === 0) return 'Json'
      const fields = named.map(
        ([name, inner]) => `${key(name)}${schema.required?.includes(name) ? '' : '?'}: ${jsonType(inner)}`,
      )
      return `{ ${fields.join('; ')} }`
    }
    default:
      return 'Json'
  }
}

function typeOf(column: Column): string {
  const type = column.values
    ? column.values.map(quote).join(' | ')
    : types[column.form?.described ?? column.type]
  return column.nullable ? `${type} | null` : type
}

function block(lines: readonly string[], indent: number): string {
  if (lines.length === 0) return '{ [_ in never]: never }'
  const space = ' '.repeat(indent)
  return `{\n${lines.map((line) => `${space}${line}`).join('\n')}\n${' '.repeat(indent - 2)}}`
}

function key(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : quote(name)
}

function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}

function list(names: readonly string[]): string {
  return names.map(quote).join(', ')
}
