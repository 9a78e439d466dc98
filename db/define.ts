/**
 * The front door of `db/`: what an app's `db/app/tables.ts` imports.
 * @module
 */

export { authTables } from './auth/declare.ts'
export type { StoredValue } from './catalog/catalog.ts'
export { and, not, or } from './catalog/compose-conditions.ts'
export {
  type AnyTableOptions,
  type CacheOptions,
  type ColumnOptions,
  type ColumnSources,
  type ComputedColumn,
  type DeclaredRelation,
  type DistributedOptions,
  defineFileSeed,
  defineSeed,
  defineTables,
  distributed,
  type FileSeed,
  type FileSeedContext,
  idFor,
  local,
  reference,
  routedId,
  type Seed,
  type SeedDatabase,
  type TableDeclaration,
  type TableDeclarations,
  type TableOptions,
  type ViewOptions,
  view,
} from './catalog/declarations.ts'
export type {
  Access,
  Condition,
  Operation,
  PolicyCaller,
  PolicyContext,
  RoleGrants,
} from './catalog/policy.ts'
export {
  defineStorage,
  type ObjectCondition,
  type ObjectContext,
  type StorageDeclarations,
} from './catalog/storage-policy.ts'
export type { JsonForm } from './catalog/value-form.ts'
export { daterange, int4range, int8range, numrange, tsrange, tstzrange } from './values/ranges.ts'
