/**
 * What `access` in `db/app/tables.ts` is made of: who may do what with which rows and columns.
 * @module
 */
import type { SQL } from 'drizzle-orm'
import type { QueryBuilder } from 'drizzle-orm/sqlite-core'

/** What a caller may do with the rows of a table. */
export type Operation = 'select' | 'insert' | 'update' | 'delete'

/** A claim of a token, as JSON has it; null when the token lacks it. SQLite compares it as the column's type does. */
// biome-ignore lint/suspicious/noExplicitAny: a claim is compared with columns of every type
export type Claim = any

/** Who is calling, as a policy sees them. Which claims it reads is noted: answers are shared by those alone. */
export interface PolicyCaller {
  readonly role: string
  /** The claim `sub`: who a token is about. */
  readonly sub: Claim
  readonly claims: Readonly<Record<string, Claim>>
  /** What `before` of `functions/app/config.ts` says of the request; what it does not say is null. */
  readonly values: Readonly<Record<string, Claim>>
}

/** What a condition is made from. */
export interface PolicyContext<Row> {
  readonly caller: PolicyCaller
  /** The row in question: its columns, as the Drizzle table names them. */
  readonly row: Row
  /** Begins a subquery, on tables that are co-located with this one or reference tables. */
  readonly query: QueryBuilder
}

/**
 * A Drizzle condition over row and caller, or plainly true or false. It is asked anew for each request. What is not
 * true is denied, null as well.
 *
 * @example ({ caller, row }) => eq(row.customerId, caller.sub)
 */
export type Condition<Row> = (context: PolicyContext<Row>) => SQL | boolean | undefined

/** Which rows: all of them, or those for which a condition holds. */
export type Rows<Row> = true | Condition<Row>

/** Drizzle's names of columns, and names of computed ones; what is not listed is not there for the role. */
export type ColumnList<Row> = readonly (Extract<keyof Row, string> | (string & {}))[]

export interface SelectGrant<Row> {
  /** Rows that are seen. Default all. */
  readonly where?: Rows<Row>
  /** Columns that are seen. Default all. */
  readonly columns?: ColumnList<Row>
}

export interface InsertGrant<Row> {
  /** What a new row must be like. Default anything. */
  readonly check?: Rows<Row>
  /** Columns that may be set. Default all. */
  readonly columns?: ColumnList<Row>
}

export interface UpdateGrant<Row> {
  /** Rows that may be changed. Default all. */
  readonly where?: Rows<Row>
  /** What a row must be like afterwards. Default: as `where` says. */
  readonly check?: Rows<Row>
  /** Columns that may be set. Default all. */
  readonly columns?: ColumnList<Row>
}

export interface DeleteGrant<Row> {
  /** Rows that may be deleted. Default all. */
  readonly where?: Rows<Row>
}

/** What one role may do; what is left out is denied. */
export interface RoleGrants<Row> {
  readonly select?: Rows<Row> | SelectGrant<Row>
  readonly insert?: Rows<Row> | InsertGrant<Row>
  readonly update?: Rows<Row> | UpdateGrant<Row>
  readonly delete?: Rows<Row> | DeleteGrant<Row>
  /**
   * Rows that foreign keys may name, though the role need not see them. Default: those that it may select. All others
   * are to a foreign key as if they were not there.
   */
  readonly refer?: Rows<Row>
}

/**
 * Grants by role. `service_role` (the secret key) may do everything and needs no entry.
 *
 * @example { anon: { select: true }, authenticated: { select: true, update: ({ caller, row }) => eq(row.id, caller.sub) } }
 */
export type Access<Row> = Readonly<Record<string, RoleGrants<Row>>>
