/**
 * Where a plan's rows lie: which databases its root is read from, and which embedded rows must be brought there.
 * @module
 */
import { type Column, keyColumn, type Placement, type Table } from '../../../db/catalog/catalog.ts'
import { parameterMark, rowMark } from '../../../db/catalog/grants.ts'
import { keySlot, slotOf, slotOfId } from '../../../db/slots/slots.ts'
import { allRows, type RowPolicy } from '../../access/area.ts'
import { parseList } from '../ask/parse-filter.ts'
import { textOf, type Value } from '../ask/request.ts'
import type { Bindings } from './bindings.ts'
import { convertOperand } from './convert-operand.ts'
import type {
  EmbedPlan,
  GatherPlan,
  JunctionPlan,
  OutputItem,
  Predicate,
  ResourcePlan,
  RoutePlan,
  RowSource,
} from './plan.ts'

// --- routes --------------------------------------------------------------------------------------------------------

/** The databases that hold the rows a resource is about: by its filters, and by what its policy says of each caller. */
export function routeOf({
  table,
  where,
  policy,
}: Pick<ResourcePlan, 'table' | 'where' | 'policy'>): RoutePlan {
  const { placement } = table
  if (placement.kind !== 'distributed') return { kind: 'primary' }
  const by = table.columns.get(placement.by) as Column
  const pins = where.flatMap((predicate) => pinsIn(predicate, table, by))
  const policyPin = policyPinIn(policy, by)
  // One value is better than a list of them, and a list than everything.
  const single = pins.filter(({ list }) => !list)
  const best = single.find(({ id }) => id === null) ?? policyPin ?? single[0]
  if (best) return { kind: 'pinned', column: by, pin: best }
  const lookups = where.flatMap((predicate) => lookupsIn(predicate, table))
  const lookup = lookups.find(({ list }) => !list)
  if (lookup) return lookup
  const list = pins.find(({ id }) => id === null) ?? pins[0]
  return list ? { kind: 'pinned', column: by, pin: list } : (lookups[0] ?? { kind: 'everywhere' })
}

type Pin = Extract<RoutePlan, { kind: 'pinned' }>['pin']

function pinsIn(predicate: Predicate, table: Table, by: Column): Extract<Pin, { kind: 'value' }>[] {
  return valuesIn(predicate).flatMap(({ column, value, list }): Extract<Pin, { kind: 'value' }>[] => {
    if (column.name === by.name) return [{ kind: 'value', value, list, id: null }]
    const isRouted = table.ids === 'routed' && column === keyColumn(table)
    return isRouted ? [{ kind: 'value', value, list, id: column }] : []
  })
}

function lookupsIn(predicate: Predicate, table: Table): Extract<RoutePlan, { kind: 'lookup' }>[] {
  return valuesIn(predicate)
    .filter(({ column }) => table.uniqueAcrossShards.includes(column.name))
    .map((found) => ({ kind: 'lookup', table, ...found }))
}

/** Whether filters name one key, so that there is one row at most. */
export function namesOneRow({ table, where }: Pick<ResourcePlan, 'table' | 'where'>): boolean {
  const named = where.flatMap(valuesIn).filter(({ list }) => !list)
  return (
    table.primaryKey.length > 0 &&
    table.primaryKey.every((key) => named.some(({ column }) => column.name === key))
  )
}

/** Columns that rows must have one value in, or one of a list. */
function valuesIn(
  predicate: Predicate,
): { readonly column: Column; readonly value: Value; readonly list: boolean }[] {
  if (predicate.kind === 'and' && !predicate.negated) return predicate.terms.flatMap(valuesIn)
  if (predicate.kind !== 'compare' || predicate.negated || predicate.quantifier !== null) return []
  const { field, operator, value } = predicate
  if (field.path.length > 0 || (operator !== 'eq' && operator !== 'in')) return []
  return [{ column: field.column, value, list: operator === 'in' }]
}

/** `row.by = claim` as Drizzle writes it, alone or among conditions that must hold as well. */
function policyPinIn(policy: RowPolicy, by: Column): Pin | null {
  if (policy.kind === 'all') return null
  if (policy.kind === 'every') {
    return policy.policies.map((part) => policyPinIn(part, by)).find((pin) => pin !== null) ?? null
  }
  for (const term of termsOf(policy.text)) {
    const start = `${rowMark}."${by.name}" = `
    if (!term.startsWith(start)) continue
    const compared = term.slice(start.length)
    const found = new RegExp(`^(?:CAST\\()?${parameterMark}(\\d+)${parameterMark}(?: AS INTEGER\\))?$`).exec(
      compared,
    )
    if (found) return { kind: 'policy', name: policy.name, index: Number(found[1]) }
  }
  return null
}

/** The terms of a conjunction as Drizzle's `and()` writes it; the whole text where it is anything else. */
function termsOf(text: string): string[] {
  if (!text.startsWith('(') || !text.endsWith(')') || text.includes("'")) return [text]
  const terms: string[] = []
  let depth = 0
  let term = ''
  for (const piece of text.slice(1, -1).split(/(\(|\)| and | or )/)) {
    if (piece === '(') depth++
    else if (piece === ')') depth--
    if (depth < 0 || (depth === 0 && piece === ' or ')) return [text]
    if (depth === 0 && piece === ' and ') {
      terms.push(term)
      term = ''
    } else term += piece
  }
  return [...terms, term]
}

/** The slots that a route names for a request. */
export function slotsOf(route: Extract<RoutePlan, { kind: 'pinned' }>, bindings: Bindings): number[] {
  const { pin } = route
  const values = pinnedTexts(route, bindings)
  const slots = pin.kind === 'value' && pin.id !== null ? idSlots(values, pin.id) : values.map(slotOf)
  // An empty list, or ids that carry no slot, match nothing: any database can say so.
  return slots.length === 0 ? [keySlot('')] : [...new Set(slots)]
}

function idSlots(ids: readonly string[], { type }: Column): number[] {
  return ids.map((id) => slotOfId(id, type === 'integer')).filter((slot) => slot !== null)
}

/** The values that a route names: those of its column, as text, or routed ids. */
export function pinnedTexts(
  { column, pin }: Extract<RoutePlan, { kind: 'pinned' }>,
  bindings: Bindings,
): string[] {
  if (pin.kind === 'policy') {
    const value = bindings.rights.value(pin.name, pin.index)
    return value === null ? [] : [canonicalText(column, String(value))]
  }
  return canonicalTexts(pin.id ?? column, textsOf(pin, bindings))
}

/** The values of a lookup's column, as its entries have them. */
export function lookedUp(
  { column, ...pin }: Extract<RoutePlan, { kind: 'lookup' }>,
  bindings: Bindings,
): string[] {
  return canonicalTexts(column, textsOf(pin, bindings))
}

function canonicalTexts(column: Column, texts: readonly string[]): string[] {
  return texts.map((text) => canonicalText(column, String(convertOperand(column, text))))
}

function textsOf({ value, list }: { value: Value; list: boolean }, { operands }: Bindings): string[] {
  const text = textOf(value, operands)
  return list ? parseList(text) : [text]
}

/** A distribution value as text, the same however it was written. */
export function canonicalText(column: Column, text: string): string {
  return column.type === 'integer' && /^[+-]?\d+$/.test(text.trim()) ? BigInt(text.trim()).toString() : text
}

// --- what must be brought together ---------------------------------------------------------------------------------

/** Where statements are run: on the primary database, or on shards beside rows of a group. */
interface Here {
  readonly group: string | null
  /** Whether the rows above are those of the shard alone; below a reference table, they are rows of all. */
  readonly own: boolean
}

/**
 * Finds the embedded resources whose rows do not lie where the root's do, and makes of each a question of its own: the
 * rows that it finds are bound to the statement in the place of their table.
 */
export function gather(root: ResourcePlan): {
  readonly root: ResourcePlan
  readonly gathers: readonly GatherPlan[]
} {
  const gathers: GatherPlan[] = []
  const { placement } = root.table
  // Rows of a function are bound to a statement on the primary database, wherever their table's lie.
  const isSpread = placement.kind === 'distributed' && root.source === 'table'
  const here: Here = { group: isSpread ? placement.group : null, own: true }
  return { root: withEmbeds(root, here, gathers), gathers }
}

function withEmbeds(resource: ResourcePlan, here: Here, gathers: GatherPlan[]): ResourcePlan {
  const replaced = new Map<EmbedPlan, EmbedPlan>()
  const output = resource.output.map((item): OutputItem => {
    if (item.kind !== 'embed' && item.kind !== 'spread') return item
    const embed = placed(item.embed, resource.placement, here, gathers)
    replaced.set(item.embed, embed)
    return { ...item, embed }
  })
  if ([...replaced].every(([before, after]) => before === after)) return resource
  const inPredicate = (predicate: Predicate): Predicate => {
    if (predicate.kind === 'embed')
      return { ...predicate, embed: replaced.get(predicate.embed) ?? predicate.embed }
    if (predicate.kind === 'compare') return predicate
    return { ...predicate, terms: predicate.terms.map(inPredicate) }
  }
  return {
    ...resource,
    output,
    where: resource.where.map(inPredicate),
    order: resource.order.map((term) => {
      const { embed } = term
      if (embed === null) return term
      return { ...term, embed: { ...embed, embed: replaced.get(embed.embed) ?? embed.embed } }
    }),
  }
}

function placed(embed: EmbedPlan, parent: Placement, here: Here, gathers: GatherPlan[]): EmbedPlan {
  const { resource, junction } = embed
  const junctionHere = junction === null || isHere(junction.placement, here)
  const belowJunction = junction === null ? here : below(junction.placement, here)
  const resourceHere = isHere(resource.placement, belowJunction) && liesBeside(embed, parent)
  const inner = withEmbeds(
    resource,
    resourceHere ? below(resource.placement, belowJunction) : { group: here.group, own: false },
    gathers,
  )
  // Of all rows that a relation leads to it takes the first: what the request leaves out of them is left out afterwards.
  const whole = embed.relation.rule?.first != null
  const source = resourceHere ? resource.source : sourceOf(whole ? { ...inner, where: [] } : inner, gathers)
  const readsHere = embed.reads.every(({ placement }) => isWholeHere(placement, here))
  const unchanged = inner === resource && resourceHere && junctionHere && readsHere
  if (unchanged) return embed
  return {
    ...embed,
    resource: resourceHere ? inner : fromGathered(inner, source, whole),
    reads: embed.reads.map((read) =>
      isWholeHere(read.placement, here)
        ? read
        : { ...read, policy: allRows, source: sourceOf(asResource(read), gathers) },
    ),
    junction:
      junction === null || junctionHere
        ? junction
        : { ...junction, policy: allRows, source: sourceOf(asResource(junction), gathers) },
  }
}

/**
 * Foreign keys lead to rows that lie together, where both are distributed by one value. Of a relation that is only declared, the values must be
 * those that rows are distributed by.
 */
function liesBeside({ relation, resource: { placement } }: EmbedPlan, parent: Placement): boolean {
  if (relation.isDeclared !== true || placement.kind !== 'distributed') return true
  const { by } = placement
  return (
    parent.kind === 'distributed' && relation.on.some(([here, there]) => here === parent.by && there === by)
  )
}

function isHere(placement: Placement, here: Here): boolean {
  switch (placement.kind) {
    case 'reference':
      return true
    case 'local':
      return here.group === null
    case 'distributed':
      return here.group === placement.group && here.own
  }
}

/** Whether all rows of a table are here, whatever values a statement looks for. */
function isWholeHere(placement: Placement, here: Here): boolean {
  return placement.kind !== 'distributed' && isHere(placement, here)
}

function below(placement: Placement, here: Here): Here {
  return placement.kind === 'distributed' ? here : { ...here, own: here.group === null && here.own }
}

function sourceOf(
  resource: Pick<ResourcePlan, 'table' | 'alias' | 'placement' | 'policy' | 'where'>,
  gathers: GatherPlan[],
): RowSource {
  const { table, alias, policy } = resource
  const where = resource.where.filter((predicate) => !asksEmbeds(predicate))
  gathers.push({ table, alias, policy, where, route: routeOf({ table, where, policy }) })
  return { gathered: gathers.length - 1 }
}

function asksEmbeds(predicate: Predicate): boolean {
  if (predicate.kind === 'embed') return true
  return predicate.kind !== 'compare' && predicate.terms.some(asksEmbeds)
}

/** The policy and, unless `whole`, the plain filters have been asked where the rows lie; bound rows have no types of their own. */
function fromGathered(resource: ResourcePlan, source: RowSource, whole: boolean): ResourcePlan {
  const untyped = (predicate: Predicate): Predicate => {
    if (predicate.kind === 'compare') return { ...predicate, field: { ...predicate.field, untyped: true } }
    if (predicate.kind === 'embed') return predicate
    return { ...predicate, terms: predicate.terms.map(untyped) }
  }
  const where = whole ? resource.where : resource.where.filter(asksEmbeds)
  return { ...resource, source, policy: allRows, where: where.map(untyped) }
}

function asResource(junction: JunctionPlan) {
  return { ...junction, where: [] }
}
