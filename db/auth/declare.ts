/**
 * Where the tables of `/auth/v1` lie.
 * @module
 */
import { distributed, local, type TableDeclarations, type TableOptions } from '../catalog/declarations.ts'
import * as schema from './schema.ts'

/** No caller of the data API knows of them, and what is made of them is not kept: they change with every sign-in. */
const own = { schemas: [], cache: false } as const satisfies TableOptions<never>

/**
 * The tables of `/auth/v1`, for `db/app/tables.ts`. They are in no schema of the data API: only the engine, and the app's own code by Drizzle,
 * read and write them. Policies may ask `authUsers`.
 *
 * @example export default defineTables({ ...authTables, profiles: distributed(schema.profiles, { by: 'userId' }) })
 */
export const authTables = {
  authUsers: distributed(schema.authUsers, {
    by: 'id',
    uniqueAcrossShards: ['email', 'phone'],
    schemas: [],
    comment: 'Who has an account.',
    // Rows of the app's may belong to any user, as with Supabase. That there is one of an id tells nobody anything: nobody guesses a UUID.
    access: { authenticated: { refer: true } },
  }),
  authIdentities: distributed(schema.authIdentities, {
    ...own,
    by: 'userId',
    uniqueAcrossShards: ['providerKey'],
  }),
  authSessions: distributed(schema.authSessions, { ...own, by: 'userId' }),
  authOneTimeTokens: distributed(schema.authOneTimeTokens, { ...own, by: 'userId' }),
  authFactors: distributed(schema.authFactors, { ...own, by: 'userId' }),
  authChallenges: distributed(schema.authChallenges, { ...own, by: 'userId' }),
  authFlowStates: distributed(schema.authFlowStates, { ...own, by: 'id' }),
  authAttempts: distributed(schema.authAttempts, { ...own, by: 'id' }),
  authAuditLog: distributed(schema.authAuditLog, { ...own, by: 'subject' }),
  authSigningKeys: local(schema.authSigningKeys, own),
} satisfies TableDeclarations
