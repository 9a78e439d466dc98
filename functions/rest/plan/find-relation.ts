import { type Catalog, isToOne, type Relation, type Table } from '../../../db/catalog/catalog.ts'
import { isWithin, type Schema } from '../../../db/catalog/schemas.ts'
import { errors } from '../errors.ts'

/** What callers call a table, by its SQL name. */
type Shown = (sqlName: string) => string

/**
 * The relation that `target` and `hint` mean from `table`, by PostgREST's rules:
 * a target is a table, a foreign key's name, or the column of a single-column foreign key; a hint picks among
 * relations to the same table by foreign key, column or join table. Only those within the schema are there.
 */
export function findRelation(
  table: Table,
  target: string,
  hint: string | null,
  schema: Schema,
  { tables }: Pick<Catalog, 'tables'>,
): Relation {
  const shown: Shown = (sqlName) => tables.get(sqlName)?.shownName ?? sqlName
  // One that the app declares is meant by its name, whatever else has it.
  const declared = table.declared.find(({ constraint }) => constraint === target)
  // To one that is worked out of a row a hint says nothing, as in PostgREST.
  const isMeant = hint === null || declared?.rule || hint === shown(declared?.to ?? '')
  if (declared && isMeant && isWithin(declared, schema)) return declared
  const found = table.relations.filter(
    (relation) =>
      isWithin(relation, schema) &&
      (hint === null
        ? matchesTarget(relation, target, shown)
        : shown(relation.to) === target && matchesHint(relation, hint, shown)),
  )
  // `projects_view!project`, `client!inner`: a foreign key as target needs no hint of its own.
  const [only, ...others] = found
  if (only === undefined) throw errors.noRelation(table.shownName, target, hint, schema.name)
  if (others.length > 0) throw ambiguous(table.shownName, target, found, shown)
  return only
}

function matchesTarget(relation: Relation, target: string, shown: Shown): boolean {
  const self = relation.from === relation.to
  // Of a self reference, the table's name means the children; the parent is named by column or foreign key.
  if (shown(relation.to) === target && !(self && relation.forward)) return true
  if (relation.toIsView || relation.junction !== null) return false
  if (self && !relation.forward) return false
  if (relation.constraint === target) return true
  return isToOne(relation) && relation.on.length === 1 && relation.on[0]?.[0] === target
}

function matchesHint(relation: Relation, hint: string, shown: Shown): boolean {
  if (relation.from === relation.to && relation.forward) return false
  if (relation.junction !== null) return shown(relation.junction.table) === hint
  if (relation.constraint === hint) return true
  return relation.on.length === 1 && (relation.on[0]?.[0] === hint || relation.on[0]?.[1] === hint)
}

function ambiguous(from: string, to: string, relations: readonly Relation[], shown: Shown) {
  return errors.ambiguousRelation(
    from,
    to,
    relations.map((relation) => describe(relation, shown)),
    relations.map((relation) => hintFor(relation, shown)),
  )
}

function describe(relation: Relation, shown: Shown) {
  const { junction } = relation
  const [from, to] = [shown(relation.from), shown(relation.to)]
  const columns = (side: 0 | 1, pairs = relation.on) => pairs.map((pair) => pair[side]).join(', ')
  return {
    cardinality: relation.cardinality,
    embedding: `${from} with ${to}`,
    relationship: junction
      ? `${shown(junction.table)} using ${junction.fromConstraint}(${columns(1, junction.from)}) ` +
        `and ${junction.toConstraint}(${columns(0, junction.to)})`
      : `${relation.constraint} using ${from}(${columns(0)}) and ${to}(${columns(1)})`,
  }
}

function hintFor({ to, junction, constraint }: Relation, shown: Shown): string {
  return `${shown(to)}!${junction ? shown(junction.table) : constraint}`
}
