import type { BoundStatement } from '../../db/sql/statement.ts'
import type { Duty } from '../core/duty.ts'
import type { Engine, Services } from './services.ts'

/** Rows of a table that one round takes away. */
const atOnce = 500
const dayMs = 86_400_000

/** What relays look after for accounts. */
export function duties(): readonly Duty<Services, Engine>[] {
  return [
    {
      name: 'what of sign-ins is over',
      when: 'repair',
      async run({ engine, session, database }) {
        const { auth, catalog } = engine
        if (auth === null || !catalog.tables.has('auth_users')) return null
        const now = Date.now()
        const { inactivitySeconds } = auth.sessions
        const results = await session.on(database, [
          over('auth_one_time_tokens', 'expires_at', now),
          over('auth_challenges', 'expires_at', now),
          over('auth_flow_states', 'expires_at', now),
          over('auth_attempts', 'until', now),
          ...(inactivitySeconds === null
            ? []
            : [over('auth_sessions', 'refreshed_at', now - inactivitySeconds * 1000)]),
          ...(auth.auditDays === null ? [] : [over('auth_audit_log', 'at', now - auth.auditDays * dayMs)]),
        ])
        return results.some((rows) => rows.length === atOnce) ? Date.now() : null
      },
    },
    {
      name: 'signing keys',
      when: 'repair',
      onPrimary: true,
      async run({ engine: { auth, catalog }, services: { signingKeys } }) {
        if (auth === null || !catalog.tables.has('auth_signing_keys')) return null
        const { rotateKeysDays, algorithm, accessSeconds } = auth.tokens
        if (rotateKeysDays === null || algorithm !== 'ES256') return null
        const age = await signingKeys.age()
        if (age !== null && age > rotateKeysDays * dayMs) await signingKeys.rotate(accessSeconds * 1000)
        return null
      },
    },
  ]
}

/** Takes away some rows whose time was before a moment, by the index of that column. */
function over(table: string, column: string, before: number): BoundStatement {
  return {
    text: `DELETE FROM ${table} WHERE rowid IN (SELECT rowid FROM ${table} WHERE ${column} < CAST(?1 AS INTEGER) LIMIT ${atOnce}) RETURNING 1`,
    parameters: [String(before)],
  }
}
