/**
 * Keys of writes on several databases at once: opened, looked up, left.
 * @module
 */

import { pause } from '../../../db/cluster/pause.ts'
import type { ClusterSession } from '../../../db/cluster/session.ts'
import { beforeWriting } from '../../../db/cluster/unknown-outcome.ts'
import {
  type KeyRow,
  keyRowOf,
  leaveKey,
  openKey,
  readKey,
  type WriteKey,
} from '../../../db/cluster/write-keys.ts'
import { AtollError } from '../../../db/errors/atoll-error.ts'
import type { Outcome } from '../../../db/slots/parts.ts'
import type { BoundStatement } from '../../../db/sql/statement.ts'
import { errors } from '../errors.ts'

/**
 * Opens a key for an attempt on databases. From then on no earlier attempt commits there.
 *
 * @param isWhole whether nothing is left to be done, so that it need not be open
 * @returns what of its write is done
 * @throws AtollError `IDEM002` when another attempt is under way, `IDEM003` when the key stands for another request, `SHARD002`
 */
export async function beginKey(
  key: WriteKey,
  databases: readonly string[],
  session: ClusterSession,
  isWhole: (rows: readonly KeyRow[]) => boolean,
): Promise<readonly KeyRow[]> {
  try {
    const rows = checked(key, await beforeWriting(ask(databases, openKey(key), session)))
    if (isWhole(rows)) return rows
    const opened = new Set(rows.filter(({ attempt }) => attempt === key.attempt).map((row) => row.database))
    if (databases.some((database) => !opened.has(database))) throw errors.keyBusy()
    return rows
  } catch (error) {
    await leaveKeys(key, databases, false, session)
    throw error
  }
}

/** What is known of a key. @throws AtollError `IDEM003` */
export async function lookUpKey(
  key: WriteKey,
  databases: readonly string[],
  session: ClusterSession,
): Promise<readonly KeyRow[]> {
  return checked(key, await ask(databases, [readKey(key)], session))
}

/** Leaves what an attempt has opened, as far as it can be reached: the rest is swept. */
export async function leaveKeys(
  key: WriteKey,
  databases: readonly string[],
  isUnknown: boolean,
  session: ClusterSession,
): Promise<void> {
  await onAllSurely(databases, [leaveKey(key, isUnknown)], session)
}

function checked(key: WriteKey, rows: readonly KeyRow[]): readonly KeyRow[] {
  if (rows.some(({ fingerprint }) => fingerprint !== key.fingerprint)) throw errors.keyReused()
  return rows
}

/** The rows of the last statement. */
async function ask(
  databases: readonly string[],
  statements: readonly BoundStatement[],
  session: ClusterSession,
): Promise<readonly KeyRow[]> {
  const outcomes = await onAllSurely(databases, statements, session)
  return outcomes.flatMap((outcome) => {
    if ('error' in outcome) throw outcome.error
    return (outcome.results.at(-1) ?? []).map((row) => keyRowOf(outcome.part.database, row))
  })
}

/** What a database did not answer at once is not asked again. */
const quickMs = 500
const maxTries = 3

/** These statements can be repeated without harm: a connection that breaks is no reason to give up, and to have the next attempt wait. */
async function onAllSurely(
  databases: readonly string[],
  statements: readonly BoundStatement[],
  session: ClusterSession,
): Promise<readonly Outcome[]> {
  const start = Date.now()
  const hasFailed = (outcome: Outcome) =>
    'error' in outcome &&
    outcome.error instanceof AtollError &&
    ['SHARD002', 'SHARD025'].includes(outcome.error.body.code)
  let outcomes: readonly Outcome[] = await session.onAll(databases, statements)
  for (let tries = 1; tries < maxTries; tries++) {
    const again = outcomes.filter(hasFailed).map(({ part }) => part.database)
    if (again.length === 0 || Date.now() - start > quickMs) break
    await pause(25 * 2 ** tries * (0.5 + Math.random()))
    outcomes = [...outcomes.filter((one) => !hasFailed(one)), ...(await session.onAll(again, statements))]
  }
  return outcomes
}
