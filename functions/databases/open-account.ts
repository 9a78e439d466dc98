import { Account } from '../../db/cluster/account.ts'
import { callerNetwork } from '../access/area.ts'
import { type Caller, identityOf } from '../core/caller.ts'
import type { DatabasesConfig } from './config.ts'

/** Opens the account of a request from outside: who it is for, as rate limits tell callers apart, and what it may take. */
export function openAccount(
  { databaseShare, maxStatementsPerRequest: maxStatements, maxRowsReadPerRequest }: DatabasesConfig,
  caller: Caller,
  address: string | null,
): Account {
  const { role } = caller
  const isServer = role === 'service_role'
  const share = Object.hasOwn(databaseShare, role) ? databaseShare[role] : databaseShare.authenticated
  const identity = identityOf(caller)
  const name = identity === null ? `ip:${callerNetwork(address)}` : `sub:${identity}`
  const payer = isServer || !share ? null : { caller: name, role, share }
  return new Account(payer, { maxStatements, maxRowsRead: isServer ? null : maxRowsReadPerRequest })
}
