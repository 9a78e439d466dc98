/**
 * What an argument is, in the words of OpenAPI 2.0: those of JSON Schema that the format has, from what Zod says of it.
 * https://swagger.io/specification/v2/#schema-object
 * @module
 */
import { z } from 'zod'

type Schema = Readonly<Record<string, unknown>>

/** Words that mean the same in both. */
const shared = [
  'title',
  'description',
  'multipleOf',
  'maximum',
  'minimum',
  'maxLength',
  'minLength',
  'pattern',
  'maxItems',
  'minItems',
  'uniqueItems',
  'enum',
] as const

export function argumentSchema(type: z.ZodType): Schema {
  return inOpenApi(z.toJSONSchema(type, { io: 'input', unrepresentable: 'any' }) as Schema)
}

/** Parameters of a query are no objects, and have one type. */
export function parameterSchema(type: z.ZodType): Schema {
  const { properties: _, required: __, additionalProperties: ___, ...schema } = argumentSchema(type)
  const { items } = schema
  if (schema.type === 'array') return { ...schema, items: elementSchema((items ?? {}) as Schema) }
  return schema.type === undefined || schema.type === 'object' ? { ...schema, ...textOf(schema) } : schema
}

function elementSchema(schema: Schema): Schema {
  const { type, format, enum: only, items } = schema
  if (type === 'array') return { type, items: elementSchema((items ?? {}) as Schema) }
  if (type === undefined || type === 'object') return textOf(schema)
  return { type, ...(format === undefined ? {} : { format }), ...(only === undefined ? {} : { enum: only }) }
}

/** JSON, as text. */
function textOf({ enum: only }: Schema): Schema {
  return { type: 'string', format: only === undefined ? 'json' : 'text' }
}

function inOpenApi(schema: Schema): Schema {
  const kept = Object.fromEntries(
    shared.filter((word) => schema[word] !== undefined).map((word) => [word, schema[word]]),
  )
  const branches = (schema.anyOf ?? schema.oneOf) as readonly Schema[] | undefined
  const real = branches?.filter(({ type }) => type !== 'null')
  // It has no unions: of "or null" the other is told, of anything else nothing.
  if (real?.length === 1) return { ...inOpenApi(real[0] as Schema), ...kept }
  const type = ([schema.type].flat() as unknown[]).find((name) => name !== 'null')
  if (typeof type !== 'string') return schema.const === undefined ? kept : { ...kept, enum: [schema.const] }
  return { ...kept, type, ...formOf(type, schema) }
}

function formOf(type: string, schema: Schema): Schema {
  switch (type) {
    case 'array':
      return { items: isSchema(schema.items) ? inOpenApi(schema.items) : {} }
    case 'object': {
      const { properties, required, additionalProperties } = schema
      const named = Object.entries((properties ?? {}) as Readonly<Record<string, Schema>>)
      return {
        ...(named.length === 0
          ? {}
          : { properties: Object.fromEntries(named.map(([key, inner]) => [key, inOpenApi(inner)])) }),
        ...(Array.isArray(required) && required.length > 0 ? { required } : {}),
        ...(isSchema(additionalProperties) ? { additionalProperties: inOpenApi(additionalProperties) } : {}),
      }
    }
    case 'integer':
      return { format: 'int64' }
    case 'number':
      return { format: 'double' }
    case 'string':
      return { format: typeof schema.format === 'string' ? schema.format : 'text' }
    case 'boolean':
      return { format: 'boolean' }
    default:
      return {}
  }
}

function isSchema(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
