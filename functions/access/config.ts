/**
 * The area's part of `functions/app/config.ts`.
 * @module
 */

import type { AppEnv } from '../core/app-env.ts'
import type { Caller } from '../core/caller.ts'

/** A request to the data API, files or the app's routes, before anything of it is read but its address and headers. */
export interface Before {
  /** Its body is not there: it has not been read. */
  readonly request: Request
  readonly caller: Caller
  readonly env: AppEnv
}

/** What policies see as `caller.values`, and functions and routes as well. */
export type CallerValues = Readonly<Record<string, string | number | boolean | null>>

/** Who is calling. */
export interface AccessConfig {
  /**
   * Asked before each request to `/rest/v1`, `/storage/v1` and `/functions/v1`, once it is known who calls: PostgREST's `db-pre-request`. It may refuse, by
   * throwing what `refuse` makes, and say what policies and functions are to know of the request. It is on the way of every request: keep it short.
   *
   * @example before: ({ request }) => ({ tenant: request.headers.get('x-tenant') })
   */
  readonly before: ((call: Before) => CallerValues | undefined | Promise<CallerValues | undefined>) | null
  /** Whether callers without key and token are the role `anon`. Default true. */
  readonly anonymous: boolean
  /** Audience that tokens must name when they name one; null: any. Default null. */
  readonly jwtAudience: string | null
  /** Issuer that tokens must name; null: any. Default null. */
  readonly jwtIssuer: string | null
  /**
   * Where the role stands in a token's claims, as PostgREST's `jwt-role-claim-key` has it: `.role`, `.app_metadata."my role"`, `.roles[0]`,
   * `.roles[?(@ ^== "app_")]`. Default `.role`.
   */
  readonly jwtRoleClaim: string
  /** Roles that tokens may name though nothing that the app declares names them; those of tables, functions and buckets are known. Default none. */
  readonly roles: readonly string[]
  /** Period of the rate limits in `wrangler.toml`, in seconds, for `Retry-After`. Default 60. */
  readonly rateLimitSeconds: 10 | 60
}

export const accessDefaults: AccessConfig = {
  before: null,
  anonymous: true,
  jwtAudience: null,
  jwtIssuer: null,
  jwtRoleClaim: '.role',
  roles: [],
  rateLimitSeconds: 60,
}
