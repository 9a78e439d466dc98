/**
 * The relay's duty towards databases that were put back in time: each is looked at in every round; what a restore has left wrong is repaired
 * step by step, over as many rounds as it takes. `db/restores/README.md` tells how.
 * @module
 */

import type { ClusterSession } from '../../db/cluster/session.ts'
import { type Memory, noticeRestore, type Repair } from '../../db/restores/notice-restores.ts'
import type { Seen } from '../../db/restores/positions.ts'
import { repairRestored, repairSteps } from '../../db/restores/repair-restored.ts'
import { sweepConflicts } from '../../db/restores/sweep-conflicts.ts'
import { invalidate, renewalOfMap } from '../cache/area.ts'
import { errors } from './errors.ts'
import { emit } from './events.ts'
import { neededMigrations } from './needed-migrations.ts'
import type { Engine, Services } from './services.ts'

/** What a relay has in its storage. */
export interface RestoreMemory extends Memory {
  /** Whether a request has found that the database went back, which is forgotten when it is noticed. */
  isKnown(): Promise<boolean>
  forgetKnown(): Promise<void>
}

/**
 * @param asks whether other databases are asked what they know; before every look at the change log its relay's own memory is enough
 * @returns whether there is more to be done at once; and the database as it was then
 */
export async function lookAfterRestores(
  { cluster, cache, setting }: Pick<Services, 'cluster' | 'cache' | 'setting'>,
  { catalog, migrations }: Pick<Engine, 'catalog' | 'migrations'>,
  session: ClusterSession,
  database: string,
  memory: RestoreMemory,
  asks = true,
): Promise<{ readonly isLeft: boolean; readonly now: Seen }> {
  const isCertain = await memory.isKnown()
  const steps = () => repairSteps(session, database, catalog)
  const { restore, repair, now } = await noticeRestore(session, database, memory, steps, { asks, isCertain })
  if (isCertain) await memory.forgetKnown()
  if (restore) {
    const { before, found, incarnation } = restore
    const from = { at: new Date(before.at).toISOString(), ...before.positions }
    emit({ kind: 'database-went-back', database, incarnation, from, to: found.positions })
  }
  if (repair) await refuseOlder(session, database, neededMigrations(migrations, setting))
  // What was decided meanwhile may be what the repair waits for.
  if (asks) await sweepConflicts(session, database, catalog)
  const left = repair && (await carryOn(repair))
  return { isLeft: left !== null, now }

  async function carryOn(repair: Repair): Promise<Repair | null> {
    const left = await repairRestored(session, database, repair, { catalog, forget }, (note) =>
      emit({ kind: 'restore-repair', database, note }),
    )
    if (left === null) emit({ kind: 'restore-repaired', database })
    return left
  }

  /** What was read on a shard was joined with copies, which the primary database's tags stand for. */
  async function forget(name: string): Promise<void> {
    if (cache === null) return
    const tables = [...catalog.tables.keys()]
    const sets = [...new Set([name, cluster.primary])].map((database) => ({
      database,
      changes: [],
      upTo: 0,
      tables,
    }))
    await invalidate(cache, sets, session.bookmarks, [renewalOfMap(cache.prefix, session.bookmarks)])
  }
}

/** A database from before a migration cannot be repaired before it has it again: the copies have other columns. */
async function refuseOlder(
  session: ClusterSession,
  database: string,
  migrations: readonly string[],
): Promise<void> {
  const [rows = []] = await session.on(database, [
    {
      text: 'SELECT value AS name FROM json_each(?1) WHERE value NOT IN (SELECT name FROM d1_migrations) LIMIT 1',
      parameters: [JSON.stringify(migrations)],
    },
  ])
  if (rows[0]) throw errors.notMigrated(database, rows[0].name as string)
}
