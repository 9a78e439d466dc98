/** The API's description is valid OpenAPI 2.0, as a public validator reads it, whatever the app declares. */
import SwaggerParser from '@apidevtools/swagger-parser'
import { sql } from 'drizzle-orm'
import {
  type AnySQLiteColumn,
  blob,
  integer,
  numeric,
  primaryKey,
  real,
  sqliteTable,
  sqliteView,
  text,
} from 'drizzle-orm/sqlite-core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import { local, type TableDeclaration, view } from '../../db/define.ts'
import { Rights } from '../../functions/access/area.ts'
import { defaultConfig } from '../../functions/areas.ts'
import { anonymousCaller, serviceCaller } from '../../functions/core/caller.ts'
import {
  defineFunction,
  type FunctionManifest,
  nothing,
  record,
  rows,
  scalar,
  value,
  values,
  wholeBody,
} from '../../functions/define.ts'
import { describeApi } from '../../functions/rest/answer/openapi.ts'
import { serveSchemas } from '../../functions/rest/plan/served-schemas.ts'
import sampleTables from '../fixture-app/db/app/tables.ts'
import sampleFunctions from '../fixture-app/functions/app/rpc/index.ts'

type Description = Parameters<typeof SwaggerParser.validate>[0]
interface Described {
  readonly paths: Readonly<
    Record<
      string,
      Readonly<
        Record<string, { readonly parameters: readonly Record<string, unknown>[]; readonly summary?: string }>
      >
    >
  >
  readonly definitions: Readonly<
    Record<
      string,
      {
        readonly description?: string
        readonly properties: Readonly<Record<string, Record<string, unknown>>>
      }
    >
  >
}

function describedFor(
  tables: Record<string, TableDeclaration>,
  functions: FunctionManifest,
  caller = serviceCaller,
): Described {
  const catalog = buildCatalog(tables)
  const [schema] = serveSchemas(catalog, functions, null)
  return describeApi(catalog, schema, defaultConfig, new Rights(catalog, caller)) as unknown as Described
}

async function validate(described: Described): Promise<void> {
  // It resolves references in place.
  await SwaggerParser.validate(JSON.parse(JSON.stringify(described)) as Description)
}

const run = async () => null
const argument: fc.Arbitrary<z.ZodType> = fc.constantFrom(
  z.string(),
  z.email().max(20),
  z.int().min(1).max(9),
  z.number().gt(0).default(1),
  z.boolean().nullable(),
  z.array(z.string()).min(1),
  z.array(z.array(z.int())).optional(),
  z.enum(['a', 'b']),
  z.literal('x'),
  z.union([z.string(), z.int()]),
  z.json(),
  z.record(z.string(), z.int()),
  z.object({ a: z.int(), b: z.string().optional() }),
  z.object({}),
  z.unknown(),
  z.date().optional(),
  z.bigint(),
  z.tuple([z.string(), z.int()]),
  z.string().describe('What it is.'),
)
const columnKinds = [
  (name: string) => integer(name),
  (name: string) => integer(name, { mode: 'boolean' }).default(true).notNull(),
  (name: string) => integer(name, { mode: 'timestamp' }).notNull(),
  (name: string) => integer(name, { mode: 'timestamp_ms' }).$defaultFn(() => new Date()),
  (name: string) => real(name).default(0.5),
  (name: string) => numeric(name),
  (name: string) => text(name, { enum: ['x', 'y'] }).default('x'),
  (name: string) => text(name, { length: 9 }).notNull(),
  (name: string) => text(name, { mode: 'json' }).default({ a: [1] }),
  (name: string) => blob(name, { mode: 'buffer' }),
  (name: string) => text(name).default(sql`(lower('A'))`),
  (name: string) => integer(name).generatedAlwaysAs(sql`1`),
]
const names = fc.constantFrom(
  'id',
  'select',
  'order',
  'limit',
  'offset',
  'count',
  'Prefer',
  'a b',
  'ü',
  'x.y',
  'and',
  'type',
)

describe('the description of an API', () => {
  it.each([anonymousCaller, serviceCaller])('of the sample app is valid for $role', async (caller) => {
    await validate(describedFor(sampleTables, sampleFunctions, caller))
  })

  it('is valid for any tables and functions', async () => {
    const columns = fc.uniqueArray(fc.tuple(names, fc.constantFrom(...columnKinds)), {
      maxLength: 8,
      selector: ([name]) => name,
    })
    const args = fc.dictionary(names, argument, { maxKeys: 5 })
    const returns = fc.constantFrom(
      scalar,
      nothing,
      value({ media: 'text/html' }),
      values(z.int()),
      record({ a: integer() }),
    )
    const fn = fc.tuple(args, fc.boolean(), returns)
    await fc.assert(
      fc.asyncProperty(
        fc.array(columns, { maxLength: 4 }),
        fc.array(fn, { maxLength: 5 }),
        async (tables, fns) => {
          const access = { anon: { select: true, insert: true, update: true, delete: true } } as const
          const declared = tables.map((own, i): [string, TableDeclaration] => {
            const entries = own.map(([name, kind]) => [name, kind(name)])
            const table = sqliteTable(`t${i}`, {
              k: integer('k').primaryKey(),
              ...Object.fromEntries(entries),
            })
            return [
              `t${i}`,
              local(table, { access, computed: { c: { type: 'json', sql: sql`1` } } } as never),
            ]
          })
          const functions = fns.map(([input, stable, answers], i): [string, FunctionManifest[string]] => {
            const one = defineFunction({
              input: z.object(input),
              stable,
              returns: answers,
              roles: ['anon'],
              run,
            })
            const other = defineFunction({
              input: wholeBody('json'),
              stable,
              returns: scalar,
              roles: ['anon'],
              run,
            })
            return [`f ${i}`, i % 2 ? one : [one, other]]
          })
          const described = describedFor(
            Object.fromEntries(declared),
            Object.fromEntries(functions),
            anonymousCaller,
          )
          await validate(described)
        },
      ),
      { numRuns: 60 },
    )
  })

  it('says what the schema says of tables and columns, and what cannot be written', () => {
    const owners = sqliteTable('owners', { id: integer('id').primaryKey(), name: text('name') })
    const pets = sqliteTable('pets', {
      id: integer('id').primaryKey(),
      owner: integer('owner').references((): AnySQLiteColumn => owners.id),
      length: integer('length').generatedAlwaysAs(sql`1`),
    })
    const many = sqliteView('many', { id: integer('id'), twice: integer('twice') }).as(
      sql`SELECT id, id * 2 FROM pets`,
    )
    const keyed = sqliteTable('keyed', { a: integer('a'), b: integer('b') }, (t) => [
      primaryKey({ columns: [t.a, t.b] }),
    ])
    const described = describedFor(
      {
        owners: local(owners, {
          comment: 'People.\nThose who have pets.',
          comments: { name: 'What they are called.', id: 'Given out here.', full: 'First and last.' },
          computed: { full: { type: 'text', sql: sql`name` } },
        }),
        pets: local(pets),
        keyed: local(keyed),
        many: view(many, { sources: { id: ['pets', 'id'] } }),
      },
      {
        adopt: defineFunction({
          input: z.object({ id: z.int() }),
          returns: rows(pets),
          description: 'Adopts.\nFor good.',
          run,
        }),
      },
    )
    expect(described.definitions.owners).toMatchObject({
      description: 'People.\nThose who have pets.',
      properties: {
        id: { description: 'Given out here.\n\nNote:\nThis is a Primary Key.<pk/>' },
        name: { description: 'What they are called.' },
        full: { readOnly: true, description: 'First and last.' },
      },
    })
    expect(described.paths['/owners']?.get).toMatchObject({
      summary: 'People.',
      description: 'Those who have pets.',
    })
    expect(described.paths['/rpc/adopt']?.post).toMatchObject({
      summary: 'Adopts.',
      description: 'For good.',
    })
    expect(described.definitions.pets?.properties.length).toMatchObject({ readOnly: true })
    expect(described.definitions.many?.properties).toMatchObject({ twice: { readOnly: true } })
    expect(described.definitions.many?.properties.id).not.toHaveProperty('readOnly')
    expect(Object.keys(described.paths['/many'] ?? {})).toEqual(['get', 'post', 'patch', 'delete'])
  })
})
