/** Who is calling. */
export interface Caller {
  /** `anon`, `authenticated`, `service_role`, or a role of the app's own. */
  readonly role: string
  /** True when the caller proved who they are, rather than just sending the publishable key. */
  readonly signedIn: boolean
  /** What the caller's token says of them. */
  readonly claims: Readonly<Record<string, unknown>>
  /** The kind of key that came with the request. */
  readonly key: 'none' | 'publishable' | 'secret' | 'token'
}

/** Whom a caller's token is about, by issuer and subject; null for callers whom nothing tells apart. */
export function identityOf({ claims: { iss, sub } }: Caller): string | null {
  return typeof sub === 'string' && sub !== '' ? `${typeof iss === 'string' ? iss : ''}\n${sub}` : null
}
