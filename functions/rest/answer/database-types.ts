/**
 * The `Database` type that `createClient<Database>` takes, made from the catalog.
 * @module
 */
import { getTableName } from 'drizzle-orm'
import { z } from 'zod'
import type { Catalog, Column, ColumnType, Table } from '../../../db/catalog/catalog.ts'
import { isToOne, storedColumns } from '../../../db/catalog/catalog.ts'
import type { AnyFunction, FunctionManifest } from '../define-function.ts'

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

/** TypeScript source that declares `Database`. */
export function databaseTypes(catalog: Catalog, functions: FunctionManifest, schema: string): string {
  const all = [...catalog.tables.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  const tables = all.filter((table) => table.kind === 'table').map((table) => tableType(table, true))
  const views = all.filter((table) => table.kind === 'view').map((table) => tableType(table, false))
  const calls = Object.entries(functions).map(([name, definition]) => functionType(name, definition, schema))
  return `export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[]

export type Database = {
  __InternalSupabase: { PostgrestVersion: '14' }
  ${key(schema)}: {
    Tables: ${block(tables, 6)}
    Views: ${block(views, 6)}
    Functions: ${block(calls, 6)}
    Enums: { [_ in never]: never }
    CompositeTypes: { [_ in never]: never }
  }
}
`
}

function tableType(table: Table, writable: boolean): string {
  const columns = storedColumns(table)
  const row = columns.map((column) => `${key(column.name)}: ${typeOf(column)}`)
  const set = columns.filter((column) => !column.generated)
  const insert = set.map((column) => {
    const optional = column.nullable || column.default !== null
    return `${key(column.name)}${optional ? '?' : ''}: ${typeOf(column)}`
  })
  const update = set.map((column) => `${key(column.name)}?: ${typeOf(column)}`)
  const relations = table.relations
    .filter((relation) => relation.forward && relation.junction === null)
    .map(
      (relation) =>
        `{ foreignKeyName: ${quote(relation.constraint)}; columns: [${list(relation.on.map(([here]) => here))}]; ` +
        `isOneToOne: ${isToOne(relation) && relation.cardinality === 'one-to-one'}; ` +
        `referencedRelation: ${quote(relation.to)}; referencedColumns: [${list(relation.on.map(([, there]) => there))}] }`,
    )
  const writes = writable ? [`Insert: ${block(insert, 10)}`, `Update: ${block(update, 10)}`] : []
  const parts = [`Row: ${block(row, 10)}`, ...writes, `Relationships: [${relations.join(', ')}]`]
  return `${key(table.name)}: ${block(parts, 8)}`
}

function functionType(name: string, { input, returns }: AnyFunction, schema: string): string {
  const args = Object.entries(input.shape).map(([argument, type]) => {
    const optional = type.safeParse(undefined).success
    return `${key(argument)}${optional ? '?' : ''}: ${jsonType(z.toJSONSchema(type, { io: 'input', unrepresentable: 'any' }))}`
  })
  const rowType = (table: Parameters<typeof getTableName>[0]) =>
    `Database[${quote(schema)}]['Tables'][${quote(getTableName(table))}]['Row']`
  const answers = {
    scalar: () => 'Json',
    nothing: () => 'undefined',
    row: () => (returns.kind === 'row' ? `${rowType(returns.table)} | null` : 'never'),
    rows: () => (returns.kind === 'rows' ? `${rowType(returns.table)}[]` : 'never'),
  }
  const taken = args.length === 0 ? 'Record<PropertyKey, never>' : `{ ${args.join('; ')} }`
  return `${key(name)}: { Args: ${taken}; Returns: ${answers[returns.kind]()} }`
}

function jsonType(schema: { type?: unknown }): string {
  switch (schema.type) {
    case 'integer':
    case 'number':
      return 'number'
    case 'string':
      return 'string'
    case 'boolean':
      return 'boolean'
    default:
      return 'Json'
  }
}

function typeOf(column: Column): string {
  const type = column.values ? column.values.map(quote).join(' | ') : types[column.type]
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
