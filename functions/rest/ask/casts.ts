/**
 * The types that `::type` may name.
 * @module
 */
import { errors } from '../errors.ts'

export type CastType = 'text' | 'integer' | 'real' | 'boolean' | 'json' | 'date'

const types: Readonly<Record<string, CastType>> = {
  text: 'text',
  varchar: 'text',
  'character varying': 'text',
  char: 'text',
  character: 'text',
  name: 'text',
  uuid: 'text',
  time: 'text',
  timestamp: 'text',
  timestamptz: 'text',
  'timestamp with time zone': 'text',
  'timestamp without time zone': 'text',
  date: 'date',
  int: 'integer',
  int2: 'integer',
  int4: 'integer',
  int8: 'integer',
  integer: 'integer',
  smallint: 'integer',
  bigint: 'integer',
  real: 'real',
  float: 'real',
  float4: 'real',
  float8: 'real',
  'double precision': 'real',
  numeric: 'real',
  decimal: 'real',
  bool: 'boolean',
  boolean: 'boolean',
  json: 'json',
  jsonb: 'json',
}

export function castTypeOf(name: string): CastType {
  const type = Object.hasOwn(types, name) ? types[name] : undefined
  if (type === undefined) throw errors.unknownType(name)
  return type
}
