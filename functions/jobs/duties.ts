import type { ClusterSession } from '../../db/cluster/session.ts'
import { isStill } from '../../db/restores/notice-restores.ts'
import type { Duty } from '../core/duty.ts'
import { cleanUp } from './clean-up.ts'
import { dispatch, type Refusals } from './dispatch.ts'
import { runSchedules } from './schedules.ts'
import type { Engine, Services } from './services.ts'
import { startFromChanges } from './start-from-changes.ts'

/** What relays look after for jobs. */
export function duties(): readonly Duty<Services, Engine>[] {
  const refusals: Refusals = { inARow: 0, until: 0 }
  return [
    {
      name: 'schedules',
      when: 'always',
      onPrimary: true,
      run: ({ services, session }) => runSchedules(services, session),
    },
    {
      name: 'jobs from changes',
      when: 'always',
      async run({ services, engine, session, database, seen }) {
        // Not before it was looked at: else the relay comes back.
        if (!seen) return null
        const isLeft = await startFromChanges(services, engine.catalog, session, database, [isStill(seen)])
        return isLeft ? Date.now() : null
      },
    },
    {
      name: 'jobs',
      when: 'always',
      async run({ services, engine, session, database, repairs }) {
        const names = new Set(services.registry.byName.keys())
        // Jobs that the app no longer has must come to an end as well.
        if (repairs) for (const row of await namesOf(session, database)) names.add(row)
        return dispatch(services, engine.config, session, database, [...names], refusals)
      },
    },
    {
      name: 'ended jobs',
      when: 'repair',
      async run({ services, engine, session, database, memory }) {
        const after = (await memory.get<string>('payloads')) ?? null
        await memory.put('payloads', await cleanUp(services, engine.config, session, database, after))
      },
    },
  ]
}

/** Names of jobs that are due some time; each is looked up in the index, however many jobs have it. */
const namesText = `WITH RECURSIVE n(name) AS (SELECT min(name) FROM _atoll_jobs WHERE due IS NOT NULL UNION ALL
  SELECT (SELECT min(name) FROM _atoll_jobs WHERE due IS NOT NULL AND name > n.name) FROM n WHERE n.name IS NOT NULL)
  SELECT name FROM n WHERE name IS NOT NULL`

async function namesOf(session: ClusterSession, database: string): Promise<string[]> {
  const [rows = []] = await session.on(database, [{ text: namesText, parameters: [] }])
  return rows.map(({ name }) => name as string)
}
