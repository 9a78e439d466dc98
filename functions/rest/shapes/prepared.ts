/**
 * What is done once per shape, and what it takes to keep it.
 *
 * Measured as what the heap grows by when a thousand shapes of the sample app are kept, beside what is said here
 * (`test/unit/prepared.test.ts`, Node, whose pointers are 8 bytes; the platform's are 4): 0.7 times for 700 columns, 1.2 times for a read by id.
 * @module
 */
import type { Catalog } from '../../../db/catalog/catalog.ts'
import { sizeOf } from '../../../db/memory/size-of.ts'
import type { CompiledRead } from '../compile/compile-read.ts'
import type { CompiledWrite } from '../compile/compile-write.ts'
import type { CachePlan } from '../plan/cache-plan.ts'
import type { PlanCost } from '../plan/check-budget.ts'
import type { ReadPlan, WritePlan } from '../plan/plan.ts'

export interface PreparedRead {
  readonly plan: ReadPlan
  readonly cost: PlanCost
  readonly compiled: CompiledRead
  /** Null when the answer cannot be cached. */
  readonly cachePlan: CachePlan | null
  /** What it asks for, in the one way in which the cache has it; null when the answer cannot be cached. */
  readonly canonical: string | null
}

export interface PreparedWrite {
  readonly plan: WritePlan
  readonly cost: PlanCost
  readonly compiled: CompiledWrite
}

/** Characters, of a byte each, around a statement's text where it is run. */
const joinedLength = 400

/** Bytes of a prepared read, whose text is kept as it is run, too (`execute.ts`). What is compiled later, for several databases, is a statement like that for one. */
export function sizeOfRead(catalog: Catalog): (read: PreparedRead) => number {
  const isShared = sharedOf(catalog)
  return (read) => {
    const spread = read.plan.route.kind === 'primary' ? 0 : 2 * sizeOf(read.compiled.rows)
    return sizeOf(read, isShared) + read.compiled.rows.text.length + joinedLength + spread
  }
}

/** Bytes of a prepared write. Of the first rows of an order, it is compiled once more when it is known which they are. */
export function sizeOfWrite(catalog: Catalog): (write: PreparedWrite) => number {
  const isShared = sharedOf(catalog)
  return (write) => sizeOf(write, isShared) + (write.compiled.first === null ? 0 : sizeOf(write.compiled))
}

/** Tables, columns and relations are the catalog's, and a table as a role sees it is kept for all plans of the role. */
function sharedOf({ tables }: Catalog): (value: object) => boolean {
  const shared = new Set<object>()
  for (const table of tables.values()) {
    for (const one of [
      table,
      table.placement,
      table.search,
      ...table.columns.values(),
      ...table.relations,
      ...table.declared,
    ])
      if (one !== null) shared.add(one)
  }
  return (value) => shared.has(value) || ('relations' in value && 'placement' in value)
}
