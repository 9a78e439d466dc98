import { loggedChangeOf } from '../../db/changes/change-log.ts'
import { advance, cursorIsAt, foundLost, lostChanges, readCursor } from '../../db/cluster/consumers.ts'
import { isStill } from '../../db/restores/notice-restores.ts'
import type { Duty } from '../core/duty.ts'
import { logBounds, nextChanges } from './change-source.ts'
import type { Engine, Services } from './services.ts'

/** Transactions in one round: other work of the relay waits meanwhile. */
const roundsAtOnce = 25

/** What relays look after for realtime: changes reach the object that tells them, and only then the cursor goes on. */
export const duties = (): readonly Duty<Services, Engine>[] => [
  {
    name: 'changes told',
    when: 'always',
    async run({ services: { hub, followed, cluster }, engine: { catalog }, session, database, seen }) {
      if (hub === null || followed.size === 0) return null
      // Not before it was looked at: else the relay comes back.
      if (!seen) return null
      for (let round = 0; round < roundsAtOnce; round++) {
        const [cursor = [], bounds = [], lost = [], rows = []] = await session.on(database, [
          readCursor('realtime'),
          logBounds,
          lostChanges('realtime'),
          nextChanges,
        ])
        const at = Number(cursor[0]?.sequence)
        const hasGap = lost.length > 0
        if (rows.length === 0 && !hasGap) return null
        // Asked after the log was read: who subscribes later is told of what comes later.
        const tables = new Set(await hub.followed())
        const upTo = Number(tables.size === 0 ? bounds[0]?.last : (rows.at(-1)?.sequence ?? at))
        const changes = rows.map(loggedChangeOf).filter(({ table }) => {
          // A copy that was brought up is no change: the primary database has told it.
          const isCopy =
            database !== cluster.primary && catalog.tables.get(table)?.placement.kind !== 'distributed'
          return tables.has(table) && !isCopy
        })
        if (changes.length > 0 || hasGap) {
          const last = Number(bounds[0]?.last)
          await hub.tell({ database, changes, upTo, last, hasGap, seen: [...session.bookmarks] })
        }
        await session.on(database, [
          isStill(seen),
          cursorIsAt('realtime', at),
          advance('realtime', upTo),
          ...(hasGap ? [foundLost('realtime', Number(lost[0]?.sequence))] : []),
        ])
      }
      return Date.now()
    },
  },
]
