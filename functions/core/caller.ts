/** Who is calling, in functions, routes and inside the engine; conditions see `role`, `sub` and `claims` of it. */
export interface Caller {
  /** `anon`, `authenticated`, `service_role`, or a role of the app's own. */
  readonly role: string
  /** Whom the token is about, its claim `sub`; null for keys, and for tokens without one. */
  readonly sub: string | null
  /** True when the caller proved who they are, rather than just sending the publishable key. */
  readonly signedIn: boolean
  /** What the caller's token says of them. */
  readonly claims: Readonly<Record<string, unknown>>
  /** What `before` of the configuration says of the request. */
  readonly values?: Readonly<Record<string, unknown>>
  /** The kind of key that came with the request. */
  readonly key: 'none' | 'publishable' | 'secret' | 'token'
}

/** Roles that every app has: of callers who have not signed in, who have, and of the secret key. */
export const builtInRoles = ['anon', 'authenticated', 'service_role'] as const

/** Who has the publishable key, and has not signed in. */
export const anonymousCaller: Caller = {
  role: 'anon',
  sub: null,
  signedIn: false,
  claims: {},
  key: 'publishable',
}

/** Who has the secret key, and may do everything. */
export const serviceCaller: Caller = {
  role: 'service_role',
  sub: null,
  signedIn: true,
  claims: {},
  key: 'secret',
}

/** The claim `sub`. It is text (RFC 7519, 4.1.2), but some who make tokens write a number. */
export function subjectOf({ sub }: Caller['claims']): string | null {
  return typeof sub === 'string' ? sub : typeof sub === 'number' ? String(sub) : null
}

/** Whom a caller's token is about, by issuer and subject; null for callers whom nothing tells apart. */
export function identityOf({ sub, claims: { iss } }: Caller): string | null {
  return sub === null || sub === '' ? null : `${typeof iss === 'string' ? iss : ''}\n${sub}`
}
