/**
 * The tables of `/auth/v1`: accounts, and all by which people prove who they are. They are Drizzle tables like the app's own, which takes
 * them into its schema (`export * from '../auth/schema.ts'` in `db/app/schema.ts`), so that they are migrated, sharded, moved, backed up and
 * watched as those are, and the app's tables may refer to `authUsers` and be distributed by its id.
 *
 * Whatever belongs to a user lies with the user: it is distributed by the user's id. No secret lies here as it was given out: passwords, codes and
 * links as hashes, what must be read again sealed.
 * @module
 */
import { sql } from 'drizzle-orm'
import { index, integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core'

/** Milliseconds since 1970. */
const moment = (name: string) => integer(name, { mode: 'timestamp_ms' })

type Json = Readonly<Record<string, unknown>>
const json = (name: string) => text(name, { mode: 'json' }).$type<Json>()

export const authUsers = sqliteTable(
  'auth_users',
  {
    /** A UUID: supabase-js takes nothing else. */
    id: text('id').primaryKey(),
    /** What tokens say as `role`. */
    role: text('role').notNull().default('authenticated'),
    /** As `emailOf` makes it of what was typed: one account, however it is written. */
    email: text('email').unique(),
    emailConfirmedAt: moment('email_confirmed_at'),
    /** Digits alone, with the country's code. */
    phone: text('phone').unique(),
    phoneConfirmedAt: moment('phone_confirmed_at'),
    /** With its algorithm and parameters; null: there is no password. */
    passwordHash: text('password_hash'),
    /** Addresses that are to take the place of the others when they are confirmed. */
    newEmail: text('new_email'),
    newPhone: text('new_phone'),
    /** Of an e-mail's change, which of the two addresses has confirmed it: `current` or `new`; null: none. */
    newEmailHalf: text('new_email_half'),
    invitedAt: moment('invited_at'),
    confirmationSentAt: moment('confirmation_sent_at'),
    recoverySentAt: moment('recovery_sent_at'),
    emailChangeSentAt: moment('email_change_sent_at'),
    phoneChangeSentAt: moment('phone_change_sent_at'),
    reauthenticationSentAt: moment('reauthentication_sent_at'),
    lastSignInAt: moment('last_sign_in_at'),
    /** What only the secret key may change: `provider`, `providers`, and what the app puts there. */
    appMetadata: json('app_metadata').notNull().default(sql`'{}'`),
    /** What the user may change. */
    userMetadata: json('user_metadata').notNull().default(sql`'{}'`),
    isAnonymous: integer('is_anonymous', { mode: 'boolean' }).notNull().default(false),
    isSsoUser: integer('is_sso_user', { mode: 'boolean' }).notNull().default(false),
    bannedUntil: moment('banned_until'),
    createdAt: moment('created_at').notNull(),
    updatedAt: moment('updated_at').notNull(),
    /** Of accounts that were deleted softly: nothing is left of them but the id. */
    deletedAt: moment('deleted_at'),
  },
  (table) => [
    index('auth_users_created_at_idx').on(table.createdAt),
    index('auth_users_new_email_idx').on(table.newEmail),
    index('auth_users_new_phone_idx').on(table.newPhone),
  ],
)

/** Whose something is. */
const owner = () =>
  text('user_id')
    .notNull()
    .references(() => authUsers.id, { onDelete: 'cascade' })

/** By what somebody else knows the user. */
export const authIdentities = sqliteTable(
  'auth_identities',
  {
    userId: owner(),
    id: text('id').notNull(),
    /** `email`, `phone`, or a provider's name. */
    provider: text('provider').notNull(),
    providerId: text('provider_id').notNull(),
    /** Both, as `<provider>:<provider_id>`, for one is one account's only over all shards; null for addresses, which the user's row has. */
    providerKey: text('provider_key').unique(),
    email: text('email'),
    identityData: json('identity_data').notNull().default(sql`'{}'`),
    lastSignInAt: moment('last_sign_in_at'),
    createdAt: moment('created_at').notNull(),
    updatedAt: moment('updated_at').notNull(),
  },
  (table) => [primaryKey({ name: 'auth_identities_pkey', columns: [table.userId, table.id] })],
)

/** A device that is signed in. Its refresh tokens are worked out of it: the latest has the number `counter`. */
export const authSessions = sqliteTable(
  'auth_sessions',
  {
    userId: owner(),
    id: text('id').notNull(),
    /** Random; what its refresh tokens are signed with is made of it and the project's secret. */
    salt: text('salt').notNull(),
    counter: integer('counter').notNull().default(0),
    /** `aal1` or `aal2`. */
    aal: text('aal').notNull().default('aal1'),
    /** By what the user has proved who they are, `[{ method, timestamp }]`, the latest first. */
    amr: text('amr', { mode: 'json' }).$type<readonly { method: string; timestamp: number }[]>().notNull(),
    factorId: text('factor_id'),
    ip: text('ip'),
    userAgent: text('user_agent'),
    createdAt: moment('created_at').notNull(),
    refreshedAt: moment('refreshed_at').notNull(),
    /** When it ends, whatever is done with it. */
    notAfter: moment('not_after'),
  },
  (table) => [
    primaryKey({ name: 'auth_sessions_pkey', columns: [table.userId, table.id] }),
    index('auth_sessions_refreshed_at_idx').on(table.refreshedAt),
  ],
)

/** Links and codes that were sent, one of each kind for a user: a new one is in the place of the one before. */
export const authOneTimeTokens = sqliteTable(
  'auth_one_time_tokens',
  {
    userId: owner(),
    kind: text('kind').notNull(),
    /** Of what stands in a link. */
    linkHash: text('link_hash').notNull(),
    /** Of the digits. */
    codeHash: text('code_hash').notNull(),
    /** The address that it was sent to. */
    sentTo: text('sent_to').notNull(),
    /** Codes that were tried. */
    tries: integer('tries').notNull().default(0),
    /** What whoever asked for it must prove to be given a session by the link (PKCE). */
    codeChallenge: text('code_challenge'),
    codeChallengeMethod: text('code_challenge_method'),
    createdAt: moment('created_at').notNull(),
    expiresAt: moment('expires_at').notNull(),
  },
  (table) => [
    primaryKey({ name: 'auth_one_time_tokens_pkey', columns: [table.userId, table.kind] }),
    index('auth_one_time_tokens_expires_at_idx').on(table.expiresAt),
  ],
)

/** Second factors and passkeys. */
export const authFactors = sqliteTable(
  'auth_factors',
  {
    userId: owner(),
    id: text('id').notNull(),
    /** `totp`, `phone`, `webauthn`. */
    factorType: text('factor_type').notNull(),
    friendlyName: text('friendly_name'),
    /** `unverified` or `verified`. */
    status: text('status').notNull().default('unverified'),
    /** Sealed. */
    secret: text('secret'),
    phone: text('phone'),
    /** What else its type keeps: of a passkey the credential, of a time-based code the last step that was used. */
    data: json('data').notNull().default(sql`'{}'`),
    lastChallengedAt: moment('last_challenged_at'),
    createdAt: moment('created_at').notNull(),
    updatedAt: moment('updated_at').notNull(),
  },
  (table) => [primaryKey({ name: 'auth_factors_pkey', columns: [table.userId, table.id] })],
)

/** What a factor is asked. */
export const authChallenges = sqliteTable(
  'auth_challenges',
  {
    userId: owner(),
    id: text('id').notNull(),
    factorId: text('factor_id').notNull(),
    /** The session that asked: no other may answer. */
    sessionId: text('session_id'),
    ip: text('ip'),
    tries: integer('tries').notNull().default(0),
    data: json('data').notNull().default(sql`'{}'`),
    createdAt: moment('created_at').notNull(),
    expiresAt: moment('expires_at').notNull(),
  },
  (table) => [
    primaryKey({ name: 'auth_challenges_pkey', columns: [table.userId, table.id] }),
    index('auth_challenges_expires_at_idx').on(table.expiresAt),
  ],
)

/** Sign-ins that are under way in a browser, by the hash of what it will bring back. */
export const authFlowStates = sqliteTable(
  'auth_flow_states',
  {
    id: text('id').primaryKey(),
    /** `code`: a session is given for it; and what providers need. */
    kind: text('kind').notNull(),
    userId: text('user_id'),
    data: json('data').notNull().default(sql`'{}'`),
    createdAt: moment('created_at').notNull(),
    expiresAt: moment('expires_at').notNull(),
  },
  (table) => [index('auth_flow_states_expires_at_idx').on(table.expiresAt)],
)

/** How often something was tried in a period. */
export const authAttempts = sqliteTable(
  'auth_attempts',
  {
    /** What is counted, a hash: `<kind>` and the account or address. */
    id: text('id').primaryKey(),
    count: integer('count').notNull(),
    /** When counting begins anew. */
    until: moment('until').notNull(),
  },
  (table) => [index('auth_attempts_until_idx').on(table.until)],
)

/** What happened to accounts, and who did it. */
export const authAuditLog = sqliteTable(
  'auth_audit_log',
  {
    /** The user's id; of accounts that are none, a hash of what was typed. */
    subject: text('subject').notNull(),
    /** A ULID. */
    id: text('id').notNull(),
    action: text('action').notNull(),
    /** Who did it: an id, `service_role`, or null for somebody who has not signed in. */
    actor: text('actor'),
    ip: text('ip'),
    data: json('data').notNull().default(sql`'{}'`),
    at: moment('at').notNull(),
  },
  (table) => [
    primaryKey({ name: 'auth_audit_log_pkey', columns: [table.subject, table.id] }),
    index('auth_audit_log_at_idx').on(table.at),
  ],
)

/** Keys that sign access tokens. */
export const authSigningKeys = sqliteTable('auth_signing_keys', {
  /** Its `kid`. */
  id: text('id').primaryKey(),
  publicJwk: json('public_jwk').notNull(),
  /** Sealed; null once it signs no more. */
  privateJwk: text('private_jwk'),
  createdAt: moment('created_at').notNull(),
  /** From when it signs: until then everybody learns of it. */
  activeAt: moment('active_at').notNull(),
  /** Until when tokens of it are taken; null: it has no successor. */
  endsAt: moment('ends_at'),
})
