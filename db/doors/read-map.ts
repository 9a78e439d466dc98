import { parseMap, readMapText, type ShardMap } from '../slots/shard-map.ts'
import type { MigrationDatabase } from '../sql/migration-database.ts'
import { UsageError } from './usage-error.ts'

/** The shard map, for scripts. */
export async function readMap(databases: ReadonlyMap<string, MigrationDatabase>): Promise<ShardMap> {
  const statement = databases.get('DB')?.prepare(readMapText)
  const rows = (await statement?.all<Record<string, unknown>>().catch(() => null))?.results ?? []
  const map = parseMap(rows[0])
  if (!map) throw new UsageError('there is no shard map yet; run npm run db:migrate')
  return map
}
