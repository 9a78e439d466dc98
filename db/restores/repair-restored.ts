/**
 * Repairs what a restore of one database has left wrong, step by step: each can be repeated, and what is left is noted in the database itself.
 * @module
 */
import type { Catalog } from '../catalog/catalog.ts'
import type { ClusterSession } from '../cluster/session.ts'
import { uniqueColumnsOf } from '../cluster/unique-columns.ts'
import { nameOf } from '../cluster/unique-values.ts'
import { layAnew } from './lay-anew.ts'
import type { Repair } from './notice-restores.ts'
import { passNumbers } from './pass-numbers.ts'
import { repairKey } from './positions.ts'
import { refillLookup } from './refill-lookup.ts'
import type { RepairNote } from './repair-note.ts'
import { settleOwners } from './settle-owners.ts'

/** What a repair asks of those above. */
export interface RepairTools {
  readonly catalog: Catalog
  /** Replaces the generations of everything that was read on a database; of reference tables, too, when it is no shard's own. */
  forget(database: string): Promise<void>
}

/** The steps of a database's repair, in their order; what others read goes out of the caches first and last. */
export function repairSteps(session: ClusterSession, database: string, catalog: Catalog): string[] {
  const { cluster } = session
  if (!cluster.sharded) return ['forget']
  const isPrimary = database === cluster.primary
  const unique = [...catalog.tables.values()].flatMap((table) =>
    table.uniqueAcrossShards.map((column) => `lookup:${table.name}.${column}`),
  )
  const shards = isPrimary ? cluster.shards : [database]
  return [
    'forget',
    'owners',
    ...(isPrimary ? ['numbers'] : []),
    ...shards.map((shard) => `copies:${shard}`),
    ...unique,
    'forget',
  ]
}

/**
 * Does the next steps of a repair, as many as fit into a round.
 *
 * @returns what is left; null when it is over
 */
export async function repairRestored(
  session: ClusterSession,
  database: string,
  repair: Repair,
  tools: RepairTools,
  tell: (note: RepairNote) => void,
): Promise<Repair | null> {
  const writing = session.writing()
  let left: Repair | null = repair
  for (let done = 0; left !== null && done < stepsAtOnce; done++) {
    const at = await runStep(writing, database, left, tools, tell)
    left = at === null ? next(left) : { ...left, at }
    await note(writing, database, left)
  }
  return left
}

/** Lookups of large tables take many rounds; in between the relay does its other work. */
const stepsAtOnce = 20

function next({ steps: [, ...steps] }: Repair): Repair | null {
  return steps.length === 0 ? null : { steps, at: null }
}

async function note(session: ClusterSession, database: string, left: Repair | null): Promise<void> {
  await session.on(database, [
    left === null
      ? { text: 'DELETE FROM _atoll_state WHERE key = ?1', parameters: [repairKey] }
      : {
          text: 'INSERT OR REPLACE INTO _atoll_state VALUES (?1, ?2)',
          parameters: [repairKey, JSON.stringify(left)],
        },
  ])
}

/** @returns where the step has come to; null when it is done */
async function runStep(
  session: ClusterSession,
  database: string,
  { steps: [step = 'forget'], at }: Repair,
  { catalog, forget }: RepairTools,
  tell: (note: RepairNote) => void,
): Promise<string | null> {
  const colon = step.indexOf(':')
  const [kind, about] = colon < 0 ? [step, ''] : [step.slice(0, colon), step.slice(colon + 1)]
  switch (kind) {
    case 'owners':
      await settleOwners(session, database, tell)
      return null
    case 'numbers':
      await passNumbers(session, catalog, tell)
      return null
    case 'copies':
      await layAnew(session, about, catalog, tell)
      return null
    case 'lookup': {
      const column = [...catalog.tables.values()]
        .flatMap(uniqueColumnsOf)
        .find((claim) => nameOf(claim) === about)
      // A column that is not declared any more needs none.
      return column ? refillLookup(session, column, at, tell) : null
    }
    default:
      await forget(database)
      return null
  }
}
