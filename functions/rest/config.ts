/**
 * The area's part of `functions/app/config.ts`.
 * @module
 */
import type { Budgets } from './ask/budget.ts'

/** The data API. */
export interface RestConfig {
  /**
   * Names of the schemas that clients may name in `Accept-Profile` and `Content-Profile` (`supabase.schema('x')`); the first is meant when they name
   * none. Tables and functions say which they are in by `schemas`. Default null: `public`, and behind it all that they name.
   */
  readonly schemas: readonly string[] | null
  /** Largest number of rows in an answer, and in each embedded list. Default 1000; null: no bound. */
  readonly maxRows: number | null
  /** Whether clients may ask for `sum()`, `avg()`, `count()`, `min()` and `max()`. Default true. */
  readonly aggregates: boolean
  /** Whether filters may name an embedded table that has an alias by its own name. Default true. */
  readonly legacyTargetNames: boolean
  /**
   * Roles that may ask how a read is carried out (`application/vnd.pgrst.plan`, supabase-js's `explain()`); with `options=verbose` it tells the
   * statement, policies included. The secret key always may. Default none.
   */
  readonly explain: readonly string[]
  /** Whether `/rest/v1/` describes the API. Default true. */
  readonly openapi: boolean
  /** Whether that says that a key is sent, so that pages made of it can send one. Default true. */
  readonly openapiSecurity: boolean
  /**
   * What one request to `/rest/v1` may ask, by role, as far as it differs from the defaults in `functions/rest/ask/budget.ts`: `anon`,
   * `authenticated`, `service_role`; all other roles have what `authenticated` has. Default none.
   *
   * @example budgets: { anon: { toManyLevels: 2, answerBytes: 1_000_000 } }
   */
  readonly budgets: Budgets
  /** Whether updates and deletes must have a filter or a limit: else all rows that the caller may change would be. Default true. */
  readonly safeUpdate: boolean
  /** Whether `Prefer: tx=rollback` may ask for a write that is undone. Default true. */
  readonly txRollback: boolean
  /** How long an `Idempotency-Key` is known, in seconds. Default 86,400: a day. */
  readonly idempotencyKeySeconds: number
  /** Most bytes of rows or of a function's answer that are kept for one, at most 900,000; a request for more is refused. Default 262,144. */
  readonly idempotencyMaxAnswerBytes: number
  /** Most bytes that a caller's keys may take up on a database. Default 100,000,000. */
  readonly idempotencyMaxCallerBytes: number
  /** How many request shapes an isolate keeps compiled, from their second use on. Default 1000. */
  readonly compiledShapes: number
}

export const restDefaults: RestConfig = {
  schemas: null,
  maxRows: 1000,
  aggregates: true,
  legacyTargetNames: true,
  explain: [],
  openapi: true,
  openapiSecurity: true,
  budgets: {},
  safeUpdate: true,
  txRollback: true,
  idempotencyKeySeconds: 86_400,
  idempotencyMaxAnswerBytes: 262_144,
  idempotencyMaxCallerBytes: 100_000_000,
  compiledShapes: 1000,
}
