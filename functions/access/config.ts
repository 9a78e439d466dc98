/**
 * The area's part of `functions/app/config.ts`.
 * @module
 */

/** Who is calling. */
export interface AccessConfig {
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
  anonymous: true,
  jwtAudience: null,
  jwtIssuer: null,
  jwtRoleClaim: '.role',
  roles: [],
  rateLimitSeconds: 60,
}
