/**
 * Schemas as callers know them: named sets of tables and views over the same databases. SQLite has one namespace, in which every table has a
 * name of its own; what it is called in its schemas, `as` may say.
 * @module
 */
import { SchemaError } from './build-catalog.ts'
import type { Catalog, Relation, Table } from './catalog.ts'

/** One of them: what those who name it know of. */
export interface Schema {
  readonly name: string
  /** By the names that callers know. */
  readonly tables: ReadonlyMap<string, Table>
  /** SQL names of the same. */
  readonly sqlNames: ReadonlySet<string>
}

/** What is in no schema that is named belongs to `public`; to the first one, where there is no `public`. */
export function homeSchema(names: readonly string[]): string {
  return names.includes('public') ? 'public' : (names[0] as string)
}

/** A header carries it, which is cut at its ends. */
const possible = /^[^\s\p{Cc}](?:\P{Cc}*[^\s\p{Cc}])?$/u

/**
 * The schemas of an app's configuration, in their order.
 *
 * @throws SchemaError when they are none, or a table names another
 */
export function readSchemas(catalog: Catalog, names: readonly string[]): readonly Schema[] {
  const problems = [...namesRefused(names), ...strangersIn(catalog, names)]
  if (problems.length > 0) throw new SchemaError(problems)
  const home = homeSchema(names)
  const schemas = names.map((name): Schema => {
    const own = [...catalog.tables.values()].filter(({ schemas: said }) => (said ?? [home]).includes(name))
    for (const [shownName, alike] of Map.groupBy(own, (table) => table.shownName)) {
      if (alike.length > 1)
        problems.push(
          `schema ${name}: ${alike.map((table) => table.name).join(' and ')} are both called ${shownName} there; give one of them another name by as`,
        )
    }
    return {
      name,
      tables: new Map(own.map((table) => [table.shownName, table])),
      sqlNames: new Set(own.map((table) => table.name)),
    }
  })
  if (problems.length > 0) throw new SchemaError(problems)
  return schemas
}

function namesRefused(names: readonly string[]): string[] {
  if (names.length === 0) return ['schemas of functions/app/config.ts is empty; name one, or leave it out']
  const impossible = names.filter((name) => !possible.test(name))
  const twice = names.filter((name, i) => names.indexOf(name) !== i)
  return [
    ...impossible.map(
      (name) =>
        `schema ${JSON.stringify(name)}: a header carries its name; leave out control characters, and spaces at its ends`,
    ),
    ...twice.map((name) => `schema ${name}: functions/app/config.ts names it twice; keep one`),
  ]
}

function strangersIn(catalog: Catalog, names: readonly string[]): string[] {
  return [...catalog.tables.values()].flatMap(({ name, schemas }) =>
    (schemas ?? [])
      .filter((said) => !names.includes(said))
      .map((said) => unknownSchema(`table ${name}`, said)),
  )
}

/** What is wrong with something that names a schema which is not there. */
export function unknownSchema(what: string, schema: string): string {
  return `${what}: functions/app/config.ts has no schema ${schema}; add it to its schemas, or name another`
}

/** Whether a relation is one of the schema: of another's tables it knows nothing, not even as join tables. */
export function isWithin({ to, junction }: Relation, { sqlNames }: Schema): boolean {
  return sqlNames.has(to) && (junction === null || sqlNames.has(junction.table))
}
