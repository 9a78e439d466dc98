/**
 * Time Travel of D1: moments of databases that are remembered, and the way back to them. What is remembered is all that a database holds, by
 * the bookmark that it gives itself then.
 * @module
 */
import { restoreSnapshot, type Snapshot, takeSnapshot } from '../restore-database.ts'
import { databaseOf } from './d1-routes.ts'
import type { D1Store, StoredDatabase } from './d1-store.ts'
import { Refusal, type Route } from './routes.ts'

interface Moment {
  readonly at: number
  readonly bookmark: string
  readonly snapshot: Snapshot
}

export interface TimeTravelStore {
  readonly routes: Route[]
  /** Remembers all databases as they are now; nothing else is there to go back to. @returns when, in milliseconds since 1970 */
  remember(): Promise<number>
}

export function createTimeTravel(store: D1Store): TimeTravelStore {
  const moments = new Map<string, Moment[]>()
  const base = '/accounts/:account/d1/database/:id/time_travel'

  const remember = async ({ uuid, door, place }: StoredDatabase): Promise<Moment> => {
    // The door has no sessions, and so no bookmarks.
    const bound = await store.miniflare.getD1Database(place)
    const session = bound.withSession('first-primary')
    await session.prepare('SELECT 1').all()
    const bookmark = session.getBookmark()
    if (bookmark === null) throw new Error('a database gave no bookmark')
    const moment = { at: Date.now(), bookmark, snapshot: await takeSnapshot(door) }
    moments.set(uuid, [...(moments.get(uuid) ?? []), moment])
    return moment
  }
  const last = ({ uuid }: StoredDatabase, fits: (moment: Moment) => boolean): Moment => {
    const found = (moments.get(uuid) ?? []).filter(fits).at(-1)
    if (!found) throw new Refusal(400, 7400, 'The request is malformed: no bookmark is as old as that')
    return found
  }
  const wanted = (database: StoredDatabase, query: URLSearchParams): Moment => {
    const [bookmark, timestamp] = [query.get('bookmark'), query.get('timestamp')]
    if (bookmark !== null) return last(database, (moment) => moment.bookmark <= bookmark)
    const at = Date.parse(timestamp ?? '')
    if (Number.isNaN(at))
      throw new Refusal(400, 7400, 'The request is malformed: neither bookmark nor timestamp')
    return last(database, (moment) => moment.at <= at)
  }

  return {
    async remember() {
      for (const database of store.list()) await remember(database)
      return Date.now()
    },
    routes: [
      {
        method: 'GET',
        path: `${base}/bookmark`,
        async handle({ query }, { id }) {
          const database = databaseOf(store, id)
          const { bookmark } = query.has('timestamp') ? wanted(database, query) : await remember(database)
          return { result: { bookmark } }
        },
      },
      {
        method: 'POST',
        path: `${base}/restore`,
        async handle({ query }, { id }) {
          const database = databaseOf(store, id)
          const { snapshot } = wanted(database, query)
          const { bookmark: previous_bookmark } = await remember(database)
          await restoreSnapshot(database.door, snapshot)
          const { bookmark } = await remember(database)
          return { result: { bookmark, previous_bookmark, message: `Restored ${database.name}` } }
        },
      },
    ],
  }
}
