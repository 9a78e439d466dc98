/**
 * Who may do what, as the catalog holds it. Made by `read-access.ts`, asked by `functions/access/rights.ts`.
 * @module
 */
import type { Operation, PolicyCaller } from './policy.ts'

/** What a role may do with a table; null: nothing. */
export interface RoleRights {
  readonly select: Grant | null
  readonly insert: Grant | null
  readonly update: Grant | null
  readonly delete: Grant | null
  /** Rows that foreign keys may name. */
  readonly refer: RowRule | null
}

/** What a role may do with one operation of a table. */
export interface Grant {
  /** Rows that the operation finds. */
  readonly where: RowRule
  /** What rows must be like after it. */
  readonly check: RowRule
  /** Columns that it shows or sets. */
  readonly columns: ReadonlySet<string>
}

/** Which rows. */
export type RowRule =
  | { readonly kind: 'all' }
  | {
      readonly kind: 'rule'
      /** The condition's source, so that the catalog's fingerprint changes with it. */
      readonly source: string
      /** @throws when the app's condition does, or asks for what cannot be */
      decide(caller: PolicyCaller): RowCondition
    }

/** A condition for one caller. */
export interface RowCondition {
  /** SQL; in it stand `rowMark` for the row's table, and `parameterMark` around the number of each parameter. */
  readonly text: string
  readonly parameters: readonly (string | number | null)[]
  /** Whether a subquery reads the row's own table, so that the row must not go by the table's name. */
  readonly readsOwnTable: boolean
  /** Tables that its subqueries read; null when that cannot be told. */
  readonly reads: readonly string[] | null
}

export const everyRow: RowRule = { kind: 'all' }

/** Characters that no statement holds otherwise. */
export const parameterMark = '\u0001'
/** Stands in a condition's text for the table of the row that it is asked of. */
export const rowMark = `${parameterMark}${parameterMark}`
/** Stands in the SQL of a declared relation for the row that it begins with. */
export const hereMark = `${parameterMark}h`
/** Stands there for a row that it leads to. */
export const thereMark = `${parameterMark}t`

/** The rights of all roles, for each operation of a table. */
export type TableRights = ReadonlyMap<string, RoleRights>

/** In the order in which rights are listed. */
export const operations: readonly Operation[] = ['select', 'insert', 'update', 'delete']
