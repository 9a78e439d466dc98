import type { Table } from '../../db/catalog/catalog.ts'
import { type Consumer, pruneChanges } from '../../db/cluster/consumers.ts'
import { followReferences } from '../../db/cluster/reference-copies.ts'
import { giveUpOld } from '../../db/cluster/retire.ts'
import type { ClusterSession } from '../../db/cluster/session.ts'
import { sweepOrphans } from '../../db/cluster/sweep-orphans.ts'
import type { Seen } from '../../db/restores/positions.ts'
import type { Duty, RelayMemory } from '../core/duty.ts'
import type { CoreEngine } from '../core/engine.ts'
import type { DatabasesConfig } from './config.ts'
import { emit } from './events.ts'
import { lookAfterRestores, type RestoreMemory } from './restores.ts'
import type { Followed, Services } from './services.ts'

/** What relays look after for the databases themselves. */
export const duties = (): readonly Duty<Services & Followed, CoreEngine<DatabasesConfig>>[] => [
  {
    name: 'restores',
    when: 'first',
    async run(round) {
      const { services, engine, session, database, repairs } = round
      // Changes of a database that went back must not be taken for those that had their numbers before.
      if (!repairs && services.registry.subscriptions.size === 0 && services.followed.size === 0) return
      const memory = restoreMemory(round.memory)
      const { isLeft, now } = await lookAfterRestores(services, engine, session, database, memory, repairs)
      round.seen = now
      return isLeft ? 'repair' : null
    },
  },
  {
    name: 'reference copies',
    when: 'repair',
    onPrimary: true,
    async run({ session, engine }) {
      await giveUpOld(session)
      await followReferences(session, engine.catalog)
    },
  },
  {
    name: 'log',
    when: 'repair',
    async run({ services: { cache, registry, followed }, engine: { config }, session, database }) {
      const consumers: Consumer[] = [
        ...(cache ? (['cache'] as const) : []),
        ...(registry.subscriptions.size > 0 ? (['jobs'] as const) : []),
        ...(followed.size > 0 ? (['realtime'] as const) : []),
      ]
      const bounds = {
        keepMs: followed.size > 0 ? config.changeLogKeepSeconds * 1000 : 0,
        maxAgeMs: config.changeLogMaxAgeSeconds * 1000,
        maxRows: config.changeLogMaxRows,
      }
      for (const { consumer, upTo } of await pruneChanges(session, database, consumers, bounds)) {
        emit({ kind: 'changes-dropped', database, consumer, upTo })
      }
    },
  },
  {
    name: 'unique values',
    when: 'repair',
    async run({ services: { cluster }, engine: { catalog }, session, database, memory }) {
      const unique = [...catalog.tables.values()].filter((table) => table.uniqueAcrossShards.length > 0)
      if (unique.length > 0 && cluster.sharded) await sweepUnique(session, database, unique, memory)
    },
  },
]

async function sweepUnique(
  session: ClusterSession,
  database: string,
  unique: readonly Table[],
  memory: RelayMemory,
): Promise<void> {
  const after = (await memory.get<string>('unique')) ?? null
  const swept = await sweepOrphans(session, database, unique, after)
  await memory.put('unique', swept.after)
}

/** Says that requests have found the database to be older than it was; it is looked at in the next round. */
export async function noteWentBack(memory: RelayMemory): Promise<void> {
  await memory.put('wentBack', true)
}

function restoreMemory(memory: RelayMemory): RestoreMemory {
  return {
    get: async () => (await memory.get<Seen>('seen')) ?? null,
    put: (seen) => memory.put('seen', seen),
    isKnown: async () => (await memory.get<boolean>('wentBack')) === true,
    forgetKnown: async () => void (await memory.delete('wentBack')),
  }
}
