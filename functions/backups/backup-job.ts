/**
 * The job of the schedule: asks for a backup, unless one is being made.
 * @module
 */
import { insertRun, openRuns } from '../../db/backups/backups.ts'
import type { ClusterView } from '../../db/cluster/session.ts'
import { makeUlid } from '../../db/slots/slots.ts'
import type { EngineJob } from '../jobs/area.ts'
import type { BackupsConfig } from './config.ts'

export const backupJobs = ({ backups }: BackupsConfig): readonly EngineJob[] =>
  backups === null
    ? []
    : [
        {
          name: 'atoll:backup',
          cron: backups.cron,
          ...(backups.timeZone === undefined ? {} : { timeZone: backups.timeZone }),
          async run(_context, { cluster, relay }) {
            await askUnlessOpen(cluster)
            await relay?.backUp()
          },
        },
      ]

/** A job may run twice. */
async function askUnlessOpen(cluster: ClusterView): Promise<void> {
  const session = cluster.open({ reads: false, seen: new Map() })
  if ((await openRuns(session, 'full')) > 0) return
  await session.primary([insertRun(makeUlid(Date.now()), 'full', {}, Date.now())])
}
