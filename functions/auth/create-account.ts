/**
 * New accounts.
 * @module
 */
import type { BoundStatement } from '../../db/sql/statement.ts'
import { domainOf } from './addresses.ts'
import type { UniqueValue } from './auth-database.ts'
import { errors } from './errors.ts'
import { type AuditAction, insertAudit } from './rows/audit-rows.ts'
import { type IdentityRow, insertIdentity, newIdentity, providerKey } from './rows/identity-rows.ts'
import { type Account, insertUser, type UserRow } from './rows/user-rows.ts'
import type { AuthVisit } from './visit.ts'

/** An account that is to be made. */
export interface NewAccount {
  /** `email`, `phone`, `anonymous`, `invite`, `admin`, or a provider's name. */
  readonly method: string
  readonly id?: string
  readonly email?: string | null
  readonly phone?: string | null
  readonly passwordHash?: string | null
  readonly isEmailConfirmed?: boolean
  readonly isPhoneConfirmed?: boolean
  readonly isAnonymous?: boolean
  readonly role?: string
  readonly appMetadata?: Readonly<Record<string, unknown>>
  readonly userMetadata?: Readonly<Record<string, unknown>>
  readonly bannedUntil?: number | null
  /** An identity at a provider, beside those of the addresses. */
  readonly identity?: {
    readonly provider: string
    readonly id: string
    readonly data: Readonly<Record<string, unknown>>
  }
  /** What else is set of the user. */
  readonly more?: Partial<UserRow>
  readonly action?: AuditAction
  /** What is written with it, in one transaction. */
  readonly statements?: (user: UserRow) => readonly BoundStatement[]
}

/**
 * Whether somebody may make an account by themselves.
 *
 * @throws 422 `signup_disabled`, `email_address_not_authorized`
 */
export function checkMayRegister(
  { terms: { signUp } }: Pick<AuthVisit, 'terms'>,
  email: string | null,
): void {
  if (signUp === 'open') return
  if (signUp === 'invited') throw errors.signUpDisabled()
  if (email === null || !signUp.domains.includes(domainOf(email))) throw errors.addressNotAuthorized()
}

/**
 * Makes an account with its identities, as one transaction.
 *
 * @throws TakenError when another one has an address or identity; what the app's hook refuses with
 */
export async function createAccount(visit: AuthVisit, made: NewAccount): Promise<Account> {
  const { terms, services, database, now, raw, ip, caller } = visit
  const { email = null, phone = null, isAnonymous = false } = made
  const hooked = await terms.hooks.beforeUserCreated?.({
    user: {
      email,
      phone,
      appMetadata: made.appMetadata ?? {},
      userMetadata: made.userMetadata ?? {},
      isAnonymous,
    },
    method: made.method,
    request: new Request(raw.url, { method: raw.method, headers: raw.headers }),
    env: services.env as never,
  })
  const id = made.id ?? crypto.randomUUID()
  const userMetadata = { ...made.userMetadata, ...hooked?.userMetadata }
  const identities = identitiesOf(id, made, userMetadata, now)
  const providers = [...new Set(identities.map(({ provider }) => provider))]
  const user: UserRow = {
    id,
    role: made.role ?? 'authenticated',
    email,
    email_confirmed_at: email !== null && made.isEmailConfirmed ? now : null,
    phone,
    phone_confirmed_at: phone !== null && made.isPhoneConfirmed ? now : null,
    password_hash: made.passwordHash ?? null,
    new_email: null,
    new_phone: null,
    new_email_half: null,
    invited_at: null,
    confirmation_sent_at: null,
    recovery_sent_at: null,
    email_change_sent_at: null,
    phone_change_sent_at: null,
    reauthentication_sent_at: null,
    last_sign_in_at: null,
    app_metadata: {
      ...(providers.length > 0 ? { provider: made.identity?.provider ?? providers[0], providers } : {}),
      ...made.appMetadata,
      ...hooked?.appMetadata,
    },
    user_metadata: userMetadata,
    is_anonymous: isAnonymous,
    is_sso_user: false,
    banned_until: made.bannedUntil ?? null,
    created_at: now,
    updated_at: now,
    deleted_at: null,
    ...made.more,
  }
  await database.write(
    id,
    [
      insertUser({ ...user }),
      ...identities.map(insertIdentity),
      ...(made.statements?.(user) ?? []),
      insertAudit(
        {
          subject: id,
          action: made.action ?? 'user_signedup',
          actor: caller.role === 'service_role' ? 'service_role' : id,
          ip,
          data: { provider: made.method },
        },
        now,
      ),
    ],
    valuesOf(user, identities),
  )
  return { user, identities, factors: [] }
}

/** What of an account nobody else may have. */
export function valuesOf(
  { email, phone }: Pick<UserRow, 'email' | 'phone'>,
  identities: readonly IdentityRow[],
): UniqueValue[] {
  return [
    ...(email === null ? [] : [{ column: 'email', value: email } as const]),
    ...(phone === null ? [] : [{ column: 'phone', value: phone } as const]),
    ...identities.flatMap((one) => {
      const value = providerKey(one)
      return value === null ? [] : [{ column: 'provider_key', value } as const]
    }),
  ]
}

function identitiesOf(
  id: string,
  { email = null, phone = null, identity, isEmailConfirmed = false, isPhoneConfirmed = false }: NewAccount,
  userMetadata: Readonly<Record<string, unknown>>,
  now: number,
): IdentityRow[] {
  const own = { email_verified: isEmailConfirmed, phone_verified: isPhoneConfirmed }
  if (identity) return [newIdentity(id, identity.provider, identity.id, identity.data, now)]
  return [
    ...(email === null ? [] : [newIdentity(id, 'email', id, { ...userMetadata, ...own, email }, now)]),
    ...(phone === null ? [] : [newIdentity(id, 'phone', id, { ...userMetadata, ...own, phone }, now)]),
  ]
}
