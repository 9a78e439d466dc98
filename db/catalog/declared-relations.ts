/**
 * Relations that an app declares where no foreign key says them.
 * @module
 */
import { getTableName, getViewName, is, sql, View } from 'drizzle-orm'
import type { SQLiteTable, SQLiteView } from 'drizzle-orm/sqlite-core'
import { sameName } from '../sql/sql-tokens.ts'
import type { Column, ColumnPair, Relation, RelationRule } from './catalog.ts'
import type { DeclaredRelation } from './declarations.ts'
import type { Draft } from './draft.ts'
import { type RelationSql, readRelationSql } from './relation-sql.ts'
import { holdsUnique } from './relations.ts'

/** @param problems is told of those that lead nowhere */
export function declaredRelations(
  draft: Draft,
  drafts: ReadonlyMap<string, Draft>,
  problems: string[],
): Relation[] {
  const { relations = {} } = draft.declaration.options
  return Object.entries(relations).flatMap(([name, declared]) => {
    const relation = read(name, declared, draft, drafts)
    if (typeof relation !== 'string') return [relation]
    problems.push(`table ${draft.name}, relation ${name}: ${relation}`)
    return []
  })
}

function read(
  name: string,
  { to, on = {}, where, orderBy, limit, many = true }: DeclaredRelation,
  draft: Draft,
  drafts: ReadonlyMap<string, Draft>,
): Relation | string {
  if (draft.columns.has(name)) return 'a column has this name; name it otherwise'
  const { table: target, alias } = namesOf(typeof to === 'function' ? to() : to)
  const other = drafts.get(target)
  if (other === undefined) return `it leads to ${target}, which tables.ts does not serve`
  const pairs: ColumnPair[] = []
  for (const [here, there] of Object.entries(on)) {
    const pair = [columnOf(draft, here), columnOf(other, there)] as const
    if (pair[0] === undefined) return `there is no column ${here} in ${draft.name}`
    if (pair[1] === undefined) return `there is no column ${there} in ${target}`
    pairs.push([pair[0].name, pair[1].name])
  }
  const terms = [orderBy ?? []].flat().map((term) => sql`${term}`)
  const hasSql = where !== undefined || terms.length > 0
  if (hasSql && sameName(alias, draft.name)) return `both are ${target}: lead it to an alias(…) of the table`
  const sides = { here: draft, there: other, thereName: alias }
  const found = where === undefined ? nothing : readRelationSql(where, sides, drafts)
  if (typeof found === 'string') return found
  const order = terms.length === 0 ? nothing : readRelationSql(sql.join(terms, sql`, `), sides, drafts)
  if (typeof order === 'string') return order
  if (order.reads.length > 0) return 'its orderBy reads other tables; only its where may'
  pairs.push(...found.pairs)
  const taken = countOf(limit, many, pairs, terms.length > 0, where !== undefined, other)
  if (typeof taken === 'string') return taken
  if (pairs.length === 0 && where === undefined) return 'it names no columns that are equal; add them to on'
  const first = taken === null ? null : { limit: taken, order: order.text || null }
  const condition = found.terms.length === 0 ? null : found.terms.map((term) => `(${term})`).join(' AND ')
  const rule: RelationRule = {
    condition,
    first,
    reads: found.reads,
    columns: {
      here: [...found.columns.here, ...order.columns.here],
      there: [...found.columns.there, ...order.columns.there],
      others: found.columns.others,
    },
    canFail: found.canFail,
  }
  return {
    cardinality: many ? 'one-to-many' : 'many-to-one',
    from: draft.name,
    to: target,
    toIsView: other.kind === 'view',
    constraint: name,
    forward: !many,
    isDeclared: true,
    ...(condition === null && first === null ? {} : { rule }),
    on: pairs,
    junction: null,
  }
}

const nothing: RelationSql = {
  text: '',
  pairs: [],
  terms: [],
  reads: [],
  columns: { here: [], there: [], others: [] },
  canFail: false,
}

/** How many of the rows are taken for one here; null: all that there are. */
function countOf(
  limit: number | undefined,
  many: boolean,
  pairs: readonly ColumnPair[],
  isOrdered: boolean,
  isComputed: boolean,
  other: Draft,
): number | null | string {
  if (limit !== undefined && (!Number.isSafeInteger(limit) || limit < 1))
    return 'its limit is no number of rows; give 1 or more, or leave it out'
  const there = pairs.map(([, column]) => column)
  if (many && limit === undefined)
    return isOrdered
      ? 'its orderBy chooses nothing: give a limit, or many: false; clients sort by order'
      : null
  if (!many && limit !== undefined && limit !== 1)
    return 'it leads to one row; leave limit out, or many: false'
  if (!many && holdsUnique(other, there)) return null
  if (!many && !isOrdered && !isComputed)
    return `several rows of ${other.name} may be equal in ${there.join(', ')}; make them unique there, say by orderBy which comes first, or leave many out`
  if (other.kind === 'view' || other.primaryKey.length === 0)
    return `rows of ${other.name} have no key to be taken by; let it lead to all of them (many, without a limit), or to a table with a key`
  return many ? (limit as number) : 1
}

/** The SQL names of a table or view, and of its alias where it is one. */
function namesOf(target: SQLiteTable | SQLiteView): { readonly table: string; readonly alias: string } {
  const symbols = target as unknown as Record<symbol, unknown>
  if (is(target, View)) {
    const config = symbols[Symbol.for('drizzle:ViewBaseConfig')] as { readonly originalName: string }
    return { table: config.originalName, alias: getViewName(target) }
  }
  return { table: symbols[Symbol.for('drizzle:OriginalName')] as string, alias: getTableName(target) }
}

function columnOf({ columns }: Draft, key: string): Column | undefined {
  return [...columns.values()].find((column) => column.key === key && column.expression === null)
}
