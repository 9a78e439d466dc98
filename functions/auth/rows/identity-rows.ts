/**
 * By what somebody else knows a user: an address, or an account at a provider.
 * @module
 */
import type { BoundStatement, Row } from '../../../db/sql/statement.ts'
import { insertRow, numberIn, objectIn, textIn } from './json-row.ts'

export interface IdentityRow {
  readonly user_id: string
  readonly id: string
  readonly provider: string
  readonly provider_id: string
  readonly email: string | null
  readonly identity_data: Readonly<Record<string, unknown>>
  readonly last_sign_in_at: number | null
  readonly created_at: number
  readonly updated_at: number
}

export function identityOf(row: Row): IdentityRow {
  return {
    user_id: row.user_id as string,
    id: row.id as string,
    provider: row.provider as string,
    provider_id: row.provider_id as string,
    email: textIn(row.email),
    identity_data: objectIn(row.identity_data),
    last_sign_in_at: numberIn(row.last_sign_in_at),
    created_at: Number(row.created_at),
    updated_at: Number(row.updated_at),
  }
}

/** What is unique over all shards; null for addresses, which are unique as the user's. */
export function providerKey({
  provider,
  provider_id,
}: Pick<IdentityRow, 'provider' | 'provider_id'>): string | null {
  return provider === 'email' || provider === 'phone' ? null : `${provider}:${provider_id}`
}

/** An identity that is new. E-mail and phone have the user's id in the place of the provider's. */
export function newIdentity(
  userId: string,
  provider: string,
  providerId: string,
  data: Readonly<Record<string, unknown>>,
  now: number,
): IdentityRow {
  const email = typeof data.email === 'string' ? data.email : null
  return {
    user_id: userId,
    id: crypto.randomUUID(),
    provider,
    provider_id: providerId,
    email,
    identity_data: { ...data, sub: providerId },
    last_sign_in_at: now,
    created_at: now,
    updated_at: now,
  }
}

/** Its key must be reserved. */
export function insertIdentity(identity: IdentityRow): BoundStatement {
  return insertRow('auth_identities', { ...identity, provider_key: providerKey(identity) })
}

/** An identity as clients are shown it. */
export function shownIdentity(identity: IdentityRow) {
  return {
    identity_id: identity.id,
    id: identity.provider_id,
    user_id: identity.user_id,
    identity_data: identity.identity_data,
    provider: identity.provider,
    last_sign_in_at: new Date(identity.last_sign_in_at ?? identity.created_at).toISOString(),
    created_at: new Date(identity.created_at).toISOString(),
    updated_at: new Date(identity.updated_at).toISOString(),
    email: identity.email ?? undefined,
  }
}
