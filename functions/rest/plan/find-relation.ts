import { isToOne, type Relation, type Table } from '../../../db/catalog/catalog.ts'
import { errors } from '../errors.ts'

/**
 * The relation that `target` and `hint` mean from `table`, by PostgREST's rules:
 * a target is a table, a foreign key's name, or the column of a single-column foreign key; a hint picks among
 * relations to the same table by foreign key, column or join table.
 */
export function findRelation(table: Table, target: string, hint: string | null, schema: string): Relation {
  // One that the app declares is meant by its name, whatever else has it.
  const declared = table.declared.find(({ constraint }) => constraint === target)
  // To one that is worked out of a row a hint says nothing, as in PostgREST.
  if (declared && (hint === null || hint === declared.to || declared.rule)) return declared
  const found = table.relations.filter((relation) =>
    hint === null ? matchesTarget(relation, target) : relation.to === target && matchesHint(relation, hint),
  )
  // `projects_view!project`, `client!inner`: a foreign key as target needs no hint of its own.
  const [only, ...others] = found
  if (only === undefined) throw errors.noRelation(table.name, target, hint, schema)
  if (others.length > 0) throw ambiguous(table.name, target, found)
  return only
}

function matchesTarget(relation: Relation, target: string): boolean {
  const self = relation.from === relation.to
  // Of a self reference, the table's name means the children; the parent is named by column or foreign key.
  if (relation.to === target && !(self && relation.forward)) return true
  if (relation.toIsView || relation.junction !== null) return false
  if (self && !relation.forward) return false
  if (relation.constraint === target) return true
  return isToOne(relation) && relation.on.length === 1 && relation.on[0]?.[0] === target
}

function matchesHint(relation: Relation, hint: string): boolean {
  if (relation.from === relation.to && relation.forward) return false
  if (relation.junction !== null) return relation.junction.table === hint
  if (relation.constraint === hint) return true
  return relation.on.length === 1 && (relation.on[0]?.[0] === hint || relation.on[0]?.[1] === hint)
}

function ambiguous(from: string, to: string, relations: readonly Relation[]) {
  return errors.ambiguousRelation(from, to, relations.map(describe), relations.map(hintFor))
}

function describe(relation: Relation) {
  const { from, to, junction } = relation
  const columns = (side: 0 | 1, pairs = relation.on) => pairs.map((pair) => pair[side]).join(', ')
  return {
    cardinality: relation.cardinality,
    embedding: `${from} with ${to}`,
    relationship: junction
      ? `${junction.table} using ${junction.fromConstraint}(${columns(1, junction.from)}) ` +
        `and ${junction.toConstraint}(${columns(0, junction.to)})`
      : `${relation.constraint} using ${from}(${columns(0)}) and ${to}(${columns(1)})`,
  }
}

function hintFor(relation: Relation): string {
  return `${relation.to}!${relation.junction?.table ?? relation.constraint}`
}
