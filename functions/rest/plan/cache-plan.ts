/**
 * What an answer is made from, as the cache must know it: the tags that its entry is stored under.
 * @module
 */
import type { Catalog, Column, Table } from '../../../db/catalog/catalog.ts'
import type { ClusterSession } from '../../../db/cluster/session.ts'
import type { RowPolicy } from '../../access/area.ts'
import { bulkTag, type Footprint, mapTag, rowTag, tableTag, valueTag } from '../../cache/area.ts'
import { textOf, type Value } from '../ask/request.ts'
import type { Bindings } from './bindings.ts'
import { convertOperand } from './convert-operand.ts'
import { type Footprints, footprintsOf } from './footprints.ts'
import { canonicalText, pinnedTexts } from './place.ts'
import { embedsOf, type Predicate, type ReadPlan, type ResourcePlan } from './plan.ts'

/** What of a plan the cache needs; made once for each plan. */
export interface CachePlan {
  readonly ttlMs: number
  readonly maxStaleMs: number
  readonly leaseMs: number
  /** Tables of which any row may count. */
  readonly tables: readonly Table[]
  /** Where the root's rows are told apart from others of its table; null when they are not. */
  readonly root:
    | { readonly kind: 'row'; readonly column: Column; readonly value: Value }
    | { readonly kind: 'value' }
    | null
  /** Tables of which only rows with the root's distribution value count. */
  readonly colocated: readonly Table[]
  readonly footprints: Footprints
}

/** SQL whose value is another each time that it is asked. */
const volatile =
  /\b(?:random|randomblob|date|time|datetime|julianday|unixepoch|strftime|timediff|current_\w+|changes|last_insert_rowid)\b/i

/** Most values or rows of one request that have tags of their own. */
const maxValues = 20

/** @returns null when the answer cannot be kept: of a view, say, nobody knows what it is made from */
export function cachePlanOf(plan: ReadPlan, catalog: Catalog): CachePlan | null {
  if (plan.root.source !== 'table' || plan.preferences.partial === 'allow') return null
  const tables = new Set<Table>()
  const colocated = new Set<Table>()
  const byValue = isPinnedByValue(plan)
  if (!collect(plan.root, byValue, tables, colocated, catalog)) return null
  // What lies elsewhere is asked there, with its own policies, and has none in the tree any more.
  const gathered = plan.gathers.map(({ policy }) => policy)
  if (!gathered.every((policy) => collectPolicy(policy, tables, catalog))) return null
  tables.delete(plan.root.table)
  const isRootAlone =
    !readsAgain(plan.root, plan.root.table) &&
    !gathered.some((policy) => policyReads(policy, plan.root.table))
  const root = isRootAlone ? rootOf(plan, byValue) : null
  if (root === null) tables.add(plan.root.table)
  if (root?.kind !== 'value') for (const table of colocated) tables.add(table)
  for (const table of tables) colocated.delete(table)
  const all = [plan.root.table, ...tables, ...colocated]
  const settings = all.map(({ cache }) => cache)
  if (settings.includes(null)) return null
  const smallest = (of: 'ttlMs' | 'maxStaleMs' | 'leaseMs') =>
    Math.min(...settings.map((cache) => cache?.[of] ?? 0))
  return {
    ttlMs: smallest('ttlMs'),
    maxStaleMs: smallest('maxStaleMs'),
    leaseMs: smallest('leaseMs'),
    tables: [...tables],
    root,
    colocated: [...colocated],
    footprints: footprintsOf(plan, catalog),
  }
}

/** Whether the root's rows are those with values that are known, and that the change log writes in the same way. */
function isPinnedByValue({ route }: ReadPlan): boolean {
  if (route.kind !== 'pinned' || (route.pin.kind === 'value' && route.pin.id !== null)) return false
  return route.column.type === 'integer' || route.column.type === 'text'
}

/** Collects the tables that a resource reads; false when it cannot be told, or changes by itself. */
function collect(
  resource: ResourcePlan,
  byValue: boolean,
  tables: Set<Table>,
  colocated: Set<Table>,
  catalog: Catalog,
): boolean {
  const { table } = resource
  if (table.kind === 'view' || table.cache === null) return false
  const expressions = [...table.columns.values()].flatMap(({ expression, form }) => [
    ...(expression === null ? [] : [expression]),
    ...(form?.isDeclared ? [form.print ?? '', ...form.order] : []),
  ])
  if (expressions.some((text) => /\bselect\b/i.test(text) || volatile.test(text))) return false
  tables.add(table)
  if (!collectPolicy(resource.policy, tables, catalog)) return false
  return embedsOf(resource.output).every(({ embed }) => {
    const { junction, reads, relation } = embed
    const { condition = null, first = null } = relation.rule ?? {}
    if (volatile.test(condition ?? '') || volatile.test(first?.order ?? '')) return false
    for (const besides of junction ? [junction] : reads) {
      if (besides.table.kind === 'view') return false
      tables.add(besides.table)
      if (!collectPolicy(besides.policy, tables, catalog)) return false
    }
    const inner = new Set<Table>()
    const together =
      byValue &&
      junction === null &&
      joinsByValue(table, embed.resource.table, relation.on) &&
      !readsAgain(embed.resource, embed.resource.table)
    if (!collect(embed.resource, together, inner, colocated, catalog)) return false
    if (together && inner.delete(embed.resource.table)) colocated.add(embed.resource.table)
    for (const other of inner) tables.add(other)
    return true
  })
}

/** Whether the rows that two tables join have the same distribution value. */
function joinsByValue(here: Table, there: Table, on: readonly (readonly [string, string])[]): boolean {
  if (here.placement.kind !== 'distributed' || there.placement.kind !== 'distributed') return false
  const [a, b] = [here.placement.by, there.placement.by]
  return on.some(([left, right]) => left === a && right === b)
}

function collectPolicy(policy: RowPolicy, tables: Set<Table>, catalog: Catalog): boolean {
  if (policy.kind === 'all') return true
  if (policy.kind === 'every') return policy.policies.every((part) => collectPolicy(part, tables, catalog))
  if (policy.reads === null || volatile.test(policy.text)) return false
  return policy.reads.every((name) => {
    const table = catalog.tables.get(name)
    if (!table || table.kind === 'view') return false
    tables.add(table)
    return true
  })
}

/** Whether an embedded resource or a policy reads the root's table as well. */
function readsAgain(resource: ResourcePlan, table: Table): boolean {
  const inPolicy = (policy: RowPolicy) => policyReads(policy, table)
  if (inPolicy(resource.policy)) return true
  return embedsOf(resource.output).some(
    ({ embed }) =>
      embed.resource.table === table ||
      embed.junction?.table === table ||
      (embed.junction !== null && inPolicy(embed.junction.policy)) ||
      embed.reads.some((read) => read.table === table || inPolicy(read.policy)) ||
      readsAgain(embed.resource, table),
  )
}

/** Whether a policy reads a table, or may. */
function policyReads(policy: RowPolicy, table: Table): boolean {
  if (policy.kind === 'every') return policy.policies.some((part) => policyReads(part, table))
  return policy.kind === 'condition' && (policy.reads?.includes(table.name) ?? true)
}

function rootOf({ root }: ReadPlan, byValue: boolean): CachePlan['root'] {
  const { table, where } = root
  if (byValue) return { kind: 'value' }
  if (table.placement.kind === 'distributed' || table.primaryKey.length !== 1) return null
  const column = table.columns.get(table.primaryKey[0] as string) as Column
  const value = where.map((predicate) => equalTo(predicate, column)).find((found) => found !== null)
  return value && (column.type === 'integer' || column.type === 'text')
    ? { kind: 'row', column, value }
    : null
}

function equalTo(predicate: Predicate, column: Column): Value | null {
  if (predicate.kind !== 'compare' || predicate.negated || predicate.quantifier !== null) return null
  const { field, operator, value } = predicate
  return operator === 'eq' && field.path.length === 0 && field.column === column ? value : null
}

/** The tags of a request, each with what of its table the answer is made from. */
export async function tagsFor(
  cachePlan: CachePlan,
  plan: ReadPlan,
  bindings: Bindings,
  session: ClusterSession,
): Promise<ReadonlyMap<string, Footprint | null>> {
  const { cluster } = session
  const tags = new Map<string, Footprint | null>()
  const add = (tag: string, table: Table) => tags.set(tag, cachePlan.footprints.get(table.name) ?? null)
  const everywhere = async () =>
    (await cluster.partsOf({ kind: 'everywhere' }, session)).map(({ database }) => database)
  const addTable = async (table: Table) => {
    if (table.placement.kind !== 'distributed') add(tableTag(table.name, cluster.primary), table)
    else for (const database of await everywhere()) add(tableTag(table.name, database), table)
  }
  const spread = [plan.root.table, ...cachePlan.tables, ...cachePlan.colocated]
  if (cluster.sharded && spread.some(({ placement }) => placement.kind === 'distributed'))
    tags.set(mapTag, null)
  for (const table of cachePlan.tables) await addTable(table)
  const { root } = cachePlan
  if (root?.kind === 'row') {
    const { column, value } = root
    const text = canonicalText(column, String(convertOperand(column, textOf(value, bindings.operands))))
    const key = keyText(column, text)
    if (key === null) await addTable(plan.root.table)
    else {
      add(rowTag(plan.root.table.name, key, cluster.primary), plan.root.table)
      add(bulkTag(plan.root.table.name, cluster.primary), plan.root.table)
    }
  } else if (root?.kind === 'value' && plan.route.kind === 'pinned') {
    const values = pinnedTexts(plan.route, bindings)
    const { column } = plan.route
    const isPlain = column.type === 'text' || values.every((value) => /^-?\d+$/.test(value))
    const parts = values.length > maxValues || !isPlain ? null : await ownersOf(values, session)
    for (const table of [plan.root.table, ...cachePlan.colocated]) {
      if (parts === null) await addTable(table)
      for (const { value, database } of parts ?? []) {
        add(valueTag(table.name, value, database), table)
        add(bulkTag(table.name, database), table)
      }
    }
  }
  return tags
}

async function ownersOf(values: readonly string[], session: ClusterSession) {
  return Promise.all(
    values.map(async (value) => ({ value, database: await session.cluster.ownerOf(value, session) })),
  )
}

/** A key as the change log writes it; null when SQLite may write it otherwise than JavaScript. */
function keyText(column: Column, text: string): string | null {
  if (column.type === 'integer') return /^-?\d+$/.test(text) ? `[${text}]` : null
  return /^[\w .@:+-]*$/.test(text) ? `["${text}"]` : null
}
