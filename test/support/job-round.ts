/**
 * What a relay does for jobs and what a queue does with them, at a test's word.
 * @module
 */
import type { Engine, Services } from '../../functions/areas.ts'
import { dispatch } from '../../functions/jobs/dispatch.ts'
import type { JobMessage } from '../../functions/jobs/services.ts'
import { startFromChanges } from '../../functions/jobs/start-from-changes.ts'

/** A queue that only tells which jobs it is sent. */
export function toldQueue(tell: (id: string) => void): Queue<JobMessage> {
  return {
    sendBatch: async (messages: Iterable<{ body: JobMessage }>) => {
      for (const { body } of messages) tell(body.id)
    },
  } as unknown as Queue<JobMessage>
}

/** Makes jobs of a database's changes, and sends those that are due. */
export async function relayJobs({ catalog, config, registry }: Engine, services: Services, database: string) {
  const session = () => services.cluster.open({ reads: false, seen: new Map() })
  const names = [...registry.byName.keys()]
  await startFromChanges(services, catalog, session(), database)
  await dispatch(services, config, session(), database, names, { inARow: 0, until: 0 })
}
