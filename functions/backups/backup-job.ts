/**
 * The jobs of the schedule: ask for a backup, unless one is being made.
 * @module
 */
import { insertRun, openRuns, type Run } from '../../db/backups/backups.ts'
import type { ClusterView } from '../../db/cluster/session.ts'
import { makeUlid } from '../../db/slots/slots.ts'
import type { EngineJob } from '../jobs/area.ts'
import type { BackupsConfig } from './config.ts'

export function backupJobs({ backups }: BackupsConfig): readonly EngineJob[] {
  if (backups === null) return []
  const { cron, timeZone, increments } = backups
  const job = (
    name: string,
    kind: 'full' | 'increment',
    at: string,
    unless: readonly Run['kind'][],
  ): EngineJob => ({
    name,
    cron: at,
    ...(timeZone === undefined ? {} : { timeZone }),
    async run(_context, { cluster, relay }) {
      await askUnlessOpen(cluster, kind, unless)
      await relay?.backUp()
    },
  })
  return [
    job('atoll:backup', 'full', cron, ['full']),
    ...(increments === undefined
      ? []
      : [job('atoll:backup-increment', 'increment', increments.cron, ['full', 'increment'])]),
  ]
}

/** A job may run twice. */
async function askUnlessOpen(
  cluster: ClusterView,
  kind: 'full' | 'increment',
  unless: readonly Run['kind'][],
): Promise<void> {
  const session = cluster.open({ reads: false, seen: new Map() })
  if ((await openRuns(session, unless)) > 0) return
  await session.primary([insertRun(makeUlid(Date.now()), kind, {}, Date.now())])
}
