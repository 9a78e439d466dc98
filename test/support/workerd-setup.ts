import { reset } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { parseMap, readMapText } from '../../db/slots/shard-map.ts'
import { engineOf, servicesFor } from '../../functions/areas.ts'
import { app } from '../fixture-app/app.ts'
import storage from '../fixture-app/db/app/storage.ts'
import tables from '../fixture-app/db/app/tables.ts'
import { boundDatabases, setUpDatabases } from './set-up-databases.ts'

/** Whether every database has the slots that the map says, and at the same epoch. */
async function areWhole(): Promise<boolean> {
  const databases = boundDatabases()
  const row = await databases.get('DB')?.prepare(readMapText).first<Record<string, unknown>>()
  const map = parseMap(row ?? undefined)
  const said = await Promise.all(
    [...databases].map(async ([name, database]) => {
      const { results } = await database
        .prepare(
          'SELECT first, last, state, (SELECT epoch FROM _atoll_shard) AS epoch FROM _atoll_slots ORDER BY first',
        )
        .all()
      const wanted = map?.ranges
        .filter(({ shard }) => shard === name)
        .map(({ first, last }) => ({ first, last, state: 'open', epoch: map.epochs.get(name) }))
      return JSON.stringify(results) === JSON.stringify(wanted)
    }),
  )
  return said.every((isRight) => isRight)
}

// Files share an isolate, as starting one for each takes as long as they do; each finds databases, buckets and objects as after a seed,
// and a Worker that has kept nothing. What the file before has left under way may reach databases that are being made anew: whether they
// have the slots that the map says is looked at, and they are made once more if not.
for (let tries = 1; ; tries++) {
  await reset()
  await setUpDatabases(tables, storage)
  if (await areWhole()) break
  console.warn('databases that were made anew do not have the slots that their map says')
  if (tries === 5) throw new Error('the databases cannot be made anew')
  await new Promise((done) => setTimeout(done, 500))
}
const engine = engineOf(app)
Object.assign(servicesFor(engine)(env as never), servicesFor({ ...engine })(env as never))
