/**
 * Lays changed reference rows over a shard's copies, in one transaction. Rows are put before others are taken away, so that what refers to
 * a row that stays is never taken along by the action of a foreign key.
 * @module
 */

import type { Catalog } from '../catalog/catalog.ts'
import { ConstraintError } from '../errors/constraint-error.ts'
import type { Outcome } from '../slots/parts.ts'
import { quoteName } from '../sql/quote.ts'
import type { BoundStatement } from '../sql/statement.ts'
import { permitted } from '../system/permits.ts'
import { referenceTables } from '../system/reference-triggers.ts'
import type { ClusterSession } from './session.ts'
import { tracked } from './track-changes.ts'

/**
 * @param statements the whole of what a chunk of the log does to a shard
 * @returns what came of it; null when it failed, and the shard stays behind
 */
export async function layCopies(
  shard: string,
  statements: readonly BoundStatement[],
  session: ClusterSession,
  catalog: Catalog,
): Promise<Outcome | null> {
  const lay = async (own: readonly BoundStatement[]): Promise<Outcome> => {
    const results = await session.on(shard, tracked(permitted(own)))
    return { part: { database: shard, slots: null }, results }
  }
  try {
    return await lay(statements)
  } catch (error) {
    if (!(error instanceof ConstraintError)) return null
    return layOtherwise(error, statements, lay, shard, session, catalog).catch((failure) => {
      session.cluster.copyFailed(shard, failure)
      return null
    })
  }
}

/**
 * Between two states of the primary database lie others, in which unique values had been handed on: those are passed without unique
 * indexes, which come back at the end and hold again. A row that was deleted while a shard began to refer to it stays on that shard, and
 * everything else follows: its foreign keys hold, and the copy is repaired when the row is written again or nothing refers to it any more.
 */
async function layOtherwise(
  error: ConstraintError,
  statements: readonly BoundStatement[],
  lay: (own: readonly BoundStatement[]) => Promise<Outcome>,
  shard: string,
  session: ClusterSession,
  catalog: Catalog,
): Promise<Outcome> {
  const isUnique = error.kind === 'unique'
  const without = isUnique ? await withoutUniqueIndexes(statements, shard, session, catalog) : statements
  try {
    if (isUnique) return await lay(without)
  } catch (next) {
    if (!(next instanceof ConstraintError)) throw next
  }
  session.cluster.copyFailed(shard, error)
  return lay(without.filter(({ text }) => !text.startsWith('DELETE')))
}

async function withoutUniqueIndexes(
  statements: readonly BoundStatement[],
  shard: string,
  session: ClusterSession,
  catalog: Catalog,
): Promise<readonly BoundStatement[]> {
  const tables = JSON.stringify(referenceTables(catalog).map(({ name }) => name))
  const [found = []] = await session.on(shard, [
    {
      text: "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql LIKE 'CREATE UNIQUE INDEX%' AND tbl_name IN (SELECT value FROM json_each(?1))",
      parameters: [tables],
    },
  ])
  const plain = (text: string): BoundStatement => ({ text, parameters: [] })
  return [
    ...found.map(({ name }) => plain(`DROP INDEX ${quoteName(name as string)}`)),
    ...statements,
    ...found.map(({ sql }) => plain(sql as string)),
  ]
}
