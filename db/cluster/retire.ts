/**
 * How a row of a reference table goes that rows on shards may refer to: its foreign keys are kept by databases that do not know of each
 * other. First every shard learns which rows are about to go, under a token, and lets no row begin to refer to them from then on; then each
 * tries whether anything refers to them already; then the primary database takes them away, in a transaction that shows the token. Copies
 * follow as ever, and with them goes the knowledge of a token that the primary database no longer has. It has it no longer when its
 * transaction is through, when the writer gives up, or when the relay gives the writer up; and without it there the rows cannot go.
 * @module
 */

import type { Catalog, Table } from '../catalog/catalog.ts'
import { parentsFirst } from '../catalog/parents-first.ts'
import {
  ConstraintError,
  PolicyViolation,
  type RetiringError,
  RolledBack,
  rollbackPrefix,
} from '../errors/constraint-error.ts'
import { errors } from '../errors/errors.ts'
import type { Part } from '../slots/parts.ts'
import { quoteName, quoteText } from '../sql/quote.ts'
import type { BoundStatement } from '../sql/statement.ts'
import { endPermits, permitAll, permitRetired } from '../system/permits.ts'
import { referenceTables } from '../system/reference-triggers.ts'
import { referredColumns, referrersOf } from '../system/referrers.ts'
import { pause } from './pause.ts'
import { deleteCopiesText, followReferences } from './reference-copies.ts'
import { rowsOf } from './rows-of.ts'
import type { ClusterSession } from './session.ts'
import { pieces } from './unique-values.ts'

/** A row that goes, or of which something changes that others refer to. */
interface Leaving {
  readonly name: string
  /** JSON array of its primary key. */
  readonly key: string
  /** What rows refer to, as it will be, a JSON array; null when the row goes. */
  readonly values: string | null
}

/** Rows that all shards know are about to go. */
export interface Retirement {
  /** Goes around the statements of the transaction that takes them away. */
  readonly before: readonly BoundStatement[]
  readonly after: readonly BoundStatement[]
  readonly token: string
}

/** A database has refused it when it was tried: most often because rows still refer to what is to be deleted. */
export class StillReferredError extends Error {
  readonly part: Part
  readonly violation: ConstraintError | PolicyViolation

  constructor(part: Part, violation: ConstraintError | PolicyViolation) {
    super(`${part.database} refuses it`, { cause: violation })
    this.name = 'StillReferredError'
    this.part = part
    this.violation = violation
  }
}

/** Rows that one trial tells of, as they leave by the message of an error. */
const toldAtOnce = 5000
/** Without its transaction by then, a token is taken from its writer; no call to a database takes so long. */
const giveUpAfterMs = 60_000

/**
 * Prepares for what statements on the primary database take away.
 *
 * @param statements the transaction, for a trial
 * @returns null when nothing goes that shards may refer to
 * @throws StillReferredError; whatever else databases say
 */
export async function retire(
  statements: readonly BoundStatement[],
  session: ClusterSession,
  catalog: Catalog,
): Promise<Retirement | null> {
  const leaving = await leavingBy(statements, session, catalog)
  if (leaving.length === 0) return null
  const token = crypto.randomUUID()
  const known = intentOf(token, leaving)
  // The primary database first: whoever finds the token on a shard alone knows that it is over.
  await session.primary(known)
  try {
    const knowing = await session.onAll(session.cluster.shards, known)
    knowing.forEach(rowsOf)
    await tryOnCopies(leaving, session, catalog)
  } catch (error) {
    await giveUp(token, session, catalog)
    throw error
  }
  return {
    token,
    before: [permitRetired(token)],
    after: [withoutToken(token), endPermits],
  }
}

/**
 * Runs the transaction that takes the rows away, in what it needs around it.
 *
 * @throws what `retire` and the transaction throw
 */
export async function whileRetired<Result>(
  statements: readonly BoundStatement[],
  session: ClusterSession,
  catalog: Catalog,
  run: (before: readonly BoundStatement[], after: readonly BoundStatement[]) => Promise<Result>,
): Promise<Result> {
  const retirement = await retire(statements, session, catalog)
  if (retirement === null) return run([], [])
  try {
    return await run(retirement.before, retirement.after)
  } catch (error) {
    await giveUp(retirement.token, session, catalog)
    throw error
  }
}

/**
 * The same for a transaction that undoes itself: nobody has to know of it.
 *
 * @returns what it begins with
 * @throws StillReferredError
 */
export async function retireNothing(
  statements: readonly BoundStatement[],
  session: ClusterSession,
  catalog: Catalog,
): Promise<readonly BoundStatement[]> {
  const leaving = await leavingBy(statements, session, catalog)
  if (leaving.length > 0) await tryOnCopies(leaving, session, catalog)
  return [permitRetired('*')]
}

/** Takes the token away, so that nothing can go under it any more; then shards may forget it. What fails of it is left to the relay. */
export async function giveUp(token: string, session: ClusterSession, catalog: Catalog): Promise<void> {
  const writing = session.writing()
  await writing.primary([withoutToken(token)]).catch(() => undefined)
  session.later(followReferences(writing, catalog))
}

/** Times that a writer waits for a row that may be about to go, and at most how long each time, in milliseconds. */
const maxWaits = 12
const longestWaitMs = 300

/** Waits before a row that is about to go is referred to again. @throws SHARD029 when that was tried so many times */
export async function waitForRetiring({ table }: RetiringError, tries: number): Promise<void> {
  if (tries >= maxWaits) throw errors.rowRetiring(table)
  await pause(Math.min(longestWaitMs, 20 * 2 ** tries))
}

/** Takes their tokens from writers that have had them for too long. */
export async function giveUpOld(session: ClusterSession, now = Date.now()): Promise<void> {
  await session.primary([
    {
      text: 'DELETE FROM _atoll_retiring WHERE at < CAST(?1 AS INTEGER)',
      parameters: [String(now - giveUpAfterMs)],
    },
  ])
}

function withoutToken(token: string): BoundStatement {
  return { text: 'DELETE FROM _atoll_retiring WHERE token = ?1', parameters: [token] }
}

function intentOf(token: string, leaving: readonly Leaving[]): BoundStatement[] {
  return pieces(leaving, ({ key }) => key.length).map((piece) => ({
    text: `INSERT OR IGNORE INTO _atoll_retiring (token, name, key, at) SELECT ?1, value->>0, value->>1, CAST(unixepoch('subsec') * 1000 AS INTEGER) FROM json_each(?2)`,
    parameters: [token, JSON.stringify(piece.map(({ name, key }) => [name, key]))],
  }))
}

/** Runs the statements and undoes them: what they, and the actions of foreign keys, take away is in the log by then. */
async function leavingBy(
  statements: readonly BoundStatement[],
  session: ClusterSession,
  catalog: Catalog,
): Promise<Leaving[]> {
  const tables = [...new Set(referrersOf(catalog).map(({ parent }) => parent))]
  if (tables.length === 0) return []
  const names = tables.map(({ name }) => quoteText(name)).join(', ')
  const leaving: Leaving[] = []
  for (;;) {
    const from = leaving.length
    const tell = `SELECT DISTINCT name, key, CASE name ${tables.map((table) => `WHEN ${quoteText(table.name)} THEN (${valuesNow(table, catalog)})`).join(' ')} END AS now FROM _atoll_reference_log WHERE sequence > (SELECT CAST(text AS INTEGER) FROM _atoll_undone WHERE kind = 'logged') AND name IN (${names}) ORDER BY name, key LIMIT ${toldAtOnce} OFFSET ${from}`
    try {
      await session.primary([
        permitAll,
        {
          text: `INSERT INTO _atoll_undone (kind, text) SELECT 'logged', ifnull(max(sequence), 0) FROM _atoll_reference_log`,
          parameters: [],
        },
        ...statements,
        {
          text: `INSERT INTO _atoll_guard SELECT '${rollbackPrefix}' || json_group_array(json_array(name, key, now || '')) FROM (${tell})`,
          parameters: [],
        },
      ])
    } catch (error) {
      if (error instanceof ConstraintError || error instanceof PolicyViolation) {
        throw new StillReferredError({ database: session.cluster.primary, slots: null }, error)
      }
      if (!(error instanceof RolledBack)) throw error
      const told = JSON.parse(error.notes) as [name: string, key: string, values: string | null][]
      leaving.push(...told.map(([name, key, values]) => ({ name, key, values })))
      if (told.length < toldAtOnce) return leaving
    }
  }
}

/** What rows refer to of a row of the log, as it is now: a JSON array; null when the row is gone. */
function valuesNow(table: Table, catalog: Catalog): string {
  const values = referredColumns(catalog, table).map(quoteName).join(', ')
  const key = table.primaryKey.map((name, i) => `${quoteName(name)} = key->>${i}`).join(' AND ')
  return `SELECT json_array(${values}) FROM ${quoteName(table.name)} WHERE ${key}`
}

/** Every shard takes the rows away, and undoes it: its foreign keys may refuse. */
async function tryOnCopies(
  leaving: readonly Leaving[],
  session: ClusterSession,
  catalog: Catalog,
): Promise<void> {
  const deletes = parentsFirst(referenceTables(catalog))
    .reverse()
    .flatMap((table) => {
      const gone = leaving.filter(({ name, values }) => name === table.name && values === null)
      return pieces(gone, ({ key }) => key.length).map(
        (piece): BoundStatement => ({
          text: deleteCopiesText(table),
          parameters: [`[${piece.map(({ key }) => key).join(',')}]`],
        }),
      )
    })
  const attempt = [
    permitAll,
    ...updatedReferences(leaving, catalog),
    ...deletes,
    { text: `INSERT INTO _atoll_guard VALUES ('${rollbackPrefix}{}')`, parameters: [] },
  ]
  for (const outcome of await session.onAll(session.cluster.shards, attempt)) {
    if (!('error' in outcome) || outcome.error instanceof RolledBack) continue
    if (outcome.error instanceof ConstraintError) throw new StillReferredError(outcome.part, outcome.error)
    throw outcome.error
  }
}

/** Fails as a foreign key would: when a row refers to what changes in the row that it refers to, and does not follow. */
function updatedReferences(leaving: readonly Leaving[], catalog: Catalog): BoundStatement[] {
  return referrersOf(catalog).flatMap(({ child, parent, on }) => {
    const columns = referredColumns(catalog, parent)
    const kept = leaving.filter(({ name, values }) => name === parent.name && values !== null)
    if (kept.length === 0 || on.every(([, column]) => parent.primaryKey.includes(column))) return []
    const isRow = parent.primaryKey.map((name, i) => `p.${quoteName(name)} = v.value->0->>${i}`).join(' AND ')
    const refers = on.map(([here, there]) => `c.${quoteName(here)} = p.${quoteName(there)}`).join(' AND ')
    const changes = on
      .map(([, there]) => `p.${quoteName(there)} IS NOT v.value->1->>${columns.indexOf(there)}`)
      .join(' OR ')
    const follows = `EXISTS (SELECT 1 FROM pragma_foreign_key_list(${quoteText(child.name)}) AS f WHERE f."table" = ${quoteText(parent.name)} AND f."from" = ${quoteText((on[0] as readonly string[])[0] as string)} AND f.on_update IN ('CASCADE', 'SET NULL', 'SET DEFAULT'))`
    return pieces(kept, ({ key }) => key.length).map(
      (piece): BoundStatement => ({
        text: `INSERT INTO _atoll_guard SELECT 'FOREIGN KEY constraint failed: SQLITE_CONSTRAINT' FROM json_each(?1) AS v, ${quoteName(parent.name)} AS p, ${quoteName(child.name)} AS c WHERE ${isRow} AND ${refers} AND (${changes}) AND NOT ${follows} LIMIT 1`,
        parameters: [`[${piece.map(({ key, values }) => `[${key},${values}]`).join(',')}]`],
      }),
    )
  })
}
