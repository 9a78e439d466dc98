/**
 * What makes one whole of databases that were put back to one moment: each begins another life behind all that was given out, epochs go above all
 * that were, and then what they know of each other is repaired as after a restore of one of them. Every step can be made again.
 * @module
 */
import type { ClusterSession } from '../cluster/session.ts'
import { keyedOf, readShapes } from '../moves/cargo.ts'
import { readMapRow } from '../moves/slot-states.ts'
import { noticeRestore } from '../restores/notice-restores.ts'
import { readSeen, seenOf } from '../restores/positions.ts'
import { repairRestored, repairSteps } from '../restores/repair-restored.ts'
import { parseMap, wholeMap } from '../slots/shard-map.ts'
import type { BackupWorld } from './backup-world.ts'
import { checkTravel } from './check-travel.ts'
import { checkTable, checkWhole, type Finding } from './check-whole.ts'
import { noteKept } from './keep.ts'
import { noteTravel, type Travel } from './travel.ts'

/** Notes what must never come again, when nobody is let in any more. */
export async function closeTravel(world: BackupWorld, travel: Travel): Promise<Travel> {
  const { session } = world
  const databases = await Promise.all(
    travel.databases.map(async (database) => {
      const [[row] = []] = await session.on(database.name, [
        readSeen(database.name === session.cluster.primary),
      ])
      if (!row) throw new Error(`${database.name} does not know itself: run npm run db:migrate`)
      return { ...database, seen: seenOf(row) }
    }),
  )
  return noteTravel(world, travel, { phase: 'closed', databases })
}

/** Notes that a database was put back. */
export async function noteRestored(
  world: BackupWorld,
  travel: Travel,
  name: string,
  previous: string | null,
): Promise<Travel> {
  const databases = travel.databases.map((database) =>
    database.name === name
      ? { ...database, previous: database.previous ?? previous, isRestored: true }
      : database,
  )
  const isAll = databases.every(({ isRestored }) => isRestored)
  return noteTravel(world, travel, { databases, ...(isAll ? { phase: 'restored' as const } : {}) })
}

/** Does the next step between `restored` and `checked`. */
export async function mendTravel(world: BackupWorld, travel: Travel): Promise<Travel> {
  if (travel.phase === 'restored') return beginLives(world, travel)
  if (travel.phase === 'living') return mend(world, travel)
  if (travel.phase === 'mended') return look(world, travel)
  return travel
}

async function beginLives(world: BackupWorld, travel: Travel): Promise<Travel> {
  const { session, catalog } = world
  const { primary, sharded } = session.cluster
  // The primary database's repair is one of all shards: lookups and copies need no other.
  for (const { name, seen, isLiving } of travel.databases) {
    if (isLiving) continue
    const memory = { get: async () => seen, put: async () => undefined }
    const steps = () => (name === primary ? repairSteps(session, name, catalog) : ['forget'])
    await noticeRestore(session, name, memory, steps, { isCertain: true })
    const databases = travel.databases.map((one) => (one.name === name ? { ...one, isLiving: true } : one))
    return noteTravel(world, travel, { databases })
  }
  const epoch = sharded ? await raiseEpochs(session, travel) : null
  await session.primary([
    // What was being made or restored at that moment is not what the databases are now.
    {
      text: "UPDATE _atoll_backups SET state = 'cancelled', step = step + 1, updated = CAST(?1 AS INTEGER) WHERE state IN ('waiting', 'running')",
      parameters: [String(world.now())],
    },
  ])
  await noteKept(world)
  return noteTravel(world, travel, { phase: 'living', epoch })
}

/** No isolate, and nothing that is kept anywhere, takes a map of the time that was taken back for one of now. */
async function raiseEpochs(session: ClusterSession, travel: Travel): Promise<number> {
  const { databases } = session.cluster
  const known = travel.databases.flatMap(({ seen }) =>
    seen ? [seen.positions.epoch, seen.positions.map] : [],
  )
  const [[own] = []] = await session.primary([
    {
      text: 'SELECT max((SELECT epoch FROM _atoll_shard), ifnull((SELECT epoch FROM _atoll_cluster), 0)) AS n',
      parameters: [],
    },
  ])
  const epoch = Math.max(...known, Number(own?.n)) + 1
  for (const database of databases)
    await session.on(database, [
      {
        text: 'UPDATE _atoll_shard SET epoch = max(epoch, CAST(?1 AS INTEGER))',
        parameters: [String(epoch)],
      },
    ])
  await session.primary([
    // Those at -1 are not to be asked at all.
    {
      text: 'UPDATE _atoll_shards SET epoch = CAST(?1 AS INTEGER) WHERE epoch >= 0',
      parameters: [String(epoch)],
    },
    { text: 'UPDATE _atoll_cluster SET epoch = CAST(?1 AS INTEGER)', parameters: [String(epoch)] },
  ])
  return epoch
}

async function mend(world: BackupWorld, travel: Travel): Promise<Travel> {
  const { session, catalog, forget } = world
  const nothing = { get: async () => null, put: async () => undefined }
  const notes: Finding[] = []
  for (const { name } of travel.databases) {
    const { repair } = await noticeRestore(session, name, nothing, () => [], { asks: false })
    if (repair === null) continue
    const tools = { catalog, forget: (database: string) => forget([database]) }
    await repairRestored(session, name, repair, tools, (note) => {
      if (note.kind === 'came-back')
        notes.push({
          check: `rows of ${note.table}`,
          isRight: true,
          says: `came back: ${note.keys.join(', ')}`,
        })
    })
    return noteTravel(world, travel, { findings: [...travel.findings, ...notes] })
  }
  await forget(session.cluster.databases)
  return noteTravel(world, travel, { phase: 'mended' })
}

/** Looks at the rows of one table after the other, then at all of it. */
async function look(world: BackupWorld, travel: Travel): Promise<Travel> {
  const { session, catalog } = world
  const { sharded, primary } = session.cluster
  const tables = [...catalog.tables.values()].filter(({ placement }) => placement.kind === 'distributed')
  const table = sharded ? tables[travel.looked.tables] : undefined
  if (table === undefined) {
    const findings = [...travel.findings, ...(await checkWhole(world)), ...(await checkTravel(world, travel))]
    return noteTravel(world, travel, { phase: 'checked', findings })
  }
  const map = parseMap(await readMapRow(session)) ?? wholeMap(primary)
  const [shape] = await readShapes(session, primary, [keyedOf(table)])
  const by = table.placement.kind === 'distributed' ? table.placement.by : null
  const laid = {
    table: {
      name: table.name,
      placement: table.placement.kind,
      by,
      columns: shape?.columns ?? [],
      key: keyedOf(table).key,
    },
    isRouted: true,
  }
  const looked = await checkTable(world, laid, map, null, travel.looked.place)
  return 'place' in looked
    ? noteTravel(world, travel, { looked: { ...travel.looked, place: looked.place } })
    : noteTravel(world, travel, {
        looked: { tables: travel.looked.tables + 1, place: null },
        findings: [...travel.findings, ...looked.findings],
      })
}
