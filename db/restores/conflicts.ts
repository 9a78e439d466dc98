/**
 * What a restore has left that cannot be decided by itself. Each lies on the database where it is met, and is looked at again until it is gone.
 *
 * | kind | name, key | on | is gone when |
 * | --- | --- | --- | --- |
 * | value | `table.column`, the value | the home of the value | at most one row has it |
 * | slots | shards, `first-last` | `DB` | exactly one database owns them |
 * | row | table, the key | the shard that refers to the row | nothing refers to it, or `DB` has it |
 * @module
 */

import { rowsOf } from '../cluster/rows-of.ts'
import type { ClusterSession } from '../cluster/session.ts'
import type { Site } from '../slots/parts.ts'

export type ConflictKind = 'value' | 'slots' | 'row'

export interface Conflict {
  readonly database: string
  readonly kind: ConflictKind
  readonly name: string
  readonly key: string
  readonly details: string
}

/** Notes a conflict on every database of a site. */
export async function noteConflict(
  session: ClusterSession,
  site: Site | string,
  kind: ConflictKind,
  name: string,
  key: string,
  details: object,
): Promise<void> {
  const statement = {
    text: "INSERT OR REPLACE INTO _atoll_conflicts VALUES (?1, ?2, ?3, ?4, CAST(unixepoch('subsec') * 1000 AS INTEGER))",
    parameters: [kind, name, key, JSON.stringify(details)],
  }
  if (typeof site === 'string') {
    await session.on(site, [statement])
    return
  }
  for (const outcome of await session.run(site, () => [statement])) rowsOf(outcome)
}

/** Conflicts on a database, some of them when there are many. */
export async function conflictsOn(session: ClusterSession, database: string): Promise<Conflict[]> {
  const [rows = []] = await session.on(database, [
    { text: 'SELECT kind, name, key, details FROM _atoll_conflicts LIMIT 100', parameters: [] },
  ])
  return rows.map((row) => ({
    database,
    kind: row.kind as ConflictKind,
    name: row.name as string,
    key: row.key as string,
    details: row.details as string,
  }))
}

export async function endConflict(
  session: ClusterSession,
  { database, kind, name, key }: Conflict,
): Promise<void> {
  await session.on(database, [
    {
      text: 'DELETE FROM _atoll_conflicts WHERE kind = ?1 AND name = ?2 AND key = ?3',
      parameters: [kind, name, key],
    },
  ])
}
