import { pause } from '../cluster/pause.ts'
import { parseMap, readMapText, type ShardMap } from '../slots/shard-map.ts'
import type { MigrationDatabase } from '../sql/migration-database.ts'
import { UsageError } from './usage-error.ts'

/** How often it is read at most when the database does not answer, and how long it is left alone between, in milliseconds. */
const [tries, pauseMs] = [3, 300]

/**
 * The shard map, for scripts.
 *
 * @throws UsageError when the database was never migrated; what the database says when it does not answer
 */
export async function readMap(databases: ReadonlyMap<string, MigrationDatabase>): Promise<ShardMap> {
  const map = parseMap((await readRows(databases.get('DB')))[0])
  if (!map) throw new UsageError('there is no shard map yet; run npm run db:migrate')
  return map
}

async function readRows(
  database: MigrationDatabase | undefined,
): Promise<readonly Record<string, unknown>[]> {
  for (let i = 1; ; i++) {
    try {
      return (await database?.prepare(readMapText).all<Record<string, unknown>>())?.results ?? []
    } catch (error) {
      if (String(error).includes('no such table')) return []
      if (i === tries) throw error
      await pause(pauseMs)
    }
  }
}
