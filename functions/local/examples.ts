/**
 * A question that an app's callers may ask of it, for the banner: what is printed works when it is pasted.
 * @module
 */
import { type Catalog, isToOne, type Table } from '../../db/catalog/catalog.ts'
import { isWithin, type Schema } from '../../db/catalog/schemas.ts'
import { Rights } from '../access/rights.ts'
import { anonymousCaller, serviceCaller } from '../core/caller.ts'

export interface Example {
  readonly table: string
  /** As `select=` takes it: `title,artists(name)`. */
  readonly select: string
}

/** A read that anybody may ask; null when nobody may read without signing in. A table with a parent that may be read is preferred. */
export function exampleForAnybody(catalog: Catalog, schema: Schema): Example | null {
  const rights = new Rights(catalog, anonymousCaller)
  const readable = [...schema.tables.values()].filter((table) => rights.has(table, 'select'))
  const examples = readable.map((table) => exampleOf(table, rights, catalog, schema))
  return examples.find(({ select }) => select.includes('(')) ?? examples[0] ?? null
}

/** A read that only the secret key may ask; null when everything is public, or nothing is served. */
export function exampleForSecret(catalog: Catalog, schema: Schema): Example | null {
  const rights = new Rights(catalog, anonymousCaller)
  const hidden = [...schema.tables.values()].find((table) => !rights.has(table, 'select'))
  return hidden ? exampleOf(hidden, new Rights(catalog, serviceCaller), catalog, schema) : null
}

function exampleOf(table: Table, rights: Rights, catalog: Catalog, schema: Schema): Example {
  const own = telling(table, rights)
  const parents = table.relations.filter(
    (relation) =>
      isToOne(relation) &&
      relation.forward &&
      relation.to !== relation.from &&
      !relation.toIsView &&
      isWithin(relation, schema),
  )
  // By its name alone it must mean one relation.
  const parent = parents.find(
    ({ to }) =>
      table.relations.filter((other) => other.to === to).length === 1 &&
      rights.has(catalog.tables.get(to) as Table, 'select'),
  )
  const other = parent && (catalog.tables.get(parent.to) as Table)
  const beside = other && telling(other, rights)
  const embedded = other && beside ? [`${other.shownName}(${beside})`] : []
  return { table: table.shownName, select: [own ?? '*', ...embedded].join(',') }
}

/** The column that says most of a row, of those that may be seen: its first text, else its first. */
function telling(table: Table, rights: Rights): string | null {
  const seen = rights.columns(table, 'select')
  const columns = [...table.columns.values()].filter(({ name }) => seen.has(name))
  return columns.find(({ type }) => type === 'text')?.name ?? columns[0]?.name ?? null
}
