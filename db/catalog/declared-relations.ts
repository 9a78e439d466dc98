/**
 * Relations that an app declares where no foreign key says them.
 * @module
 */
import { getTableName, getViewName, is, View } from 'drizzle-orm'
import type { SQLiteTable, SQLiteView } from 'drizzle-orm/sqlite-core'
import type { Column, ColumnPair, Relation } from './catalog.ts'
import type { DeclaredRelation } from './declarations.ts'
import type { Draft } from './draft.ts'
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
  { to, on, many = true }: DeclaredRelation,
  draft: Draft,
  drafts: ReadonlyMap<string, Draft>,
): Relation | string {
  if (draft.columns.has(name)) return 'a column has this name; name it otherwise'
  const target = nameOf(typeof to === 'function' ? to() : to)
  const other = drafts.get(target)
  if (other === undefined) return `it leads to ${target}, which tables.ts does not serve`
  const pairs: ColumnPair[] = []
  for (const [here, there] of Object.entries(on)) {
    const pair = [columnOf(draft, here), columnOf(other, there)] as const
    if (pair[0] === undefined) return `there is no column ${here} in ${draft.name}`
    if (pair[1] === undefined) return `there is no column ${there} in ${target}`
    pairs.push([pair[0].name, pair[1].name])
  }
  const there = pairs.map(([, column]) => column)
  if (!many && !holdsUnique(other, there))
    return `several rows of ${target} may be equal in ${there.join(', ')}; make them unique there, or leave many out`
  if (pairs.length === 0) return 'it names no columns that are equal; add them to on'
  return {
    cardinality: many ? 'one-to-many' : 'many-to-one',
    from: draft.name,
    to: target,
    toIsView: other.kind === 'view',
    constraint: name,
    forward: !many,
    isDeclared: true,
    on: pairs,
    junction: null,
  }
}

function nameOf(target: SQLiteTable | SQLiteView): string {
  return is(target, View) ? getViewName(target) : getTableName(target as SQLiteTable)
}

function columnOf({ columns }: Draft, key: string): Column | undefined {
  return [...columns.values()].find((column) => column.key === key && column.expression === null)
}
