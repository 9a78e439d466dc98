/**
 * Moves as they are asked for: checked against the map before anything is noted.
 * @module
 */
import type { Catalog } from '../../db/catalog/catalog.ts'
import type { ClusterSession } from '../../db/cluster/session.ts'
import { openJobs } from '../../db/moves/beside-rows.ts'
import { distributedTables, readManifest } from '../../db/moves/cargo.ts'
import { lookForStrays, noLook, type StrayLook } from '../../db/moves/look-at.ts'
import { insertMove, listMoves, type Move, type Slots } from '../../db/moves/moves.ts'
import { both, slotsIn } from '../../db/moves/pieces.ts'
import { type Bearing, type PlannedMove, rangesOf } from '../../db/moves/plan-moves.ts'
import { readMapRow, slotsOf } from '../../db/moves/slot-states.ts'
import { ownerOf, parseMap, type ShardMap } from '../../db/slots/shard-map.ts'
import { byShard } from '../../db/slots/shard-names.ts'
import { makeUlid } from '../../db/slots/slots.ts'
import { databaseSizes } from '../databases/area.ts'
import { familyOf, labelsOf } from '../meter/area.ts'
import { errors } from './errors.ts'
import { openConversion } from './run-conversion.ts'
import type { Services } from './services.ts'
import { shownSlots } from './shown.ts'

/** The map as the primary database has it. @throws 409 where there is but one database */
export async function readShardMap({ cluster }: Services, session: ClusterSession): Promise<ShardMap> {
  const map = cluster.sharded ? parseMap(await readMapRow(session)) : null
  if (map === null)
    throw errors.cannotMove('There is one database.', 'Add another one with npm run shards -- add NAME.')
  return map
}

/** The map as the primary database has it by now, and not as this isolate remembers it: for who looks at it. */
export async function mapByNow({ cluster }: Services, session: ClusterSession): Promise<ShardMap> {
  const map = cluster.sharded ? parseMap(await readMapRow(session)) : null
  return map ?? cluster.currentMap(session)
}

/** What databases are to bear alike: what they hold, how long they were busy in the last hour, or both alike. */
export type By = 'bytes' | 'load' | 'both'

/** Bytes of the databases, all of them or some. @throws 409 when one does not answer */
export async function bytesOf(
  services: Services,
  only: readonly string[] | null,
): Promise<ReadonlyMap<string, number>> {
  const unknown = only?.find((database) => !services.bindings.has(database))
  if (unknown) throw errors.cannotMove(`There is no database ${unknown}.`)
  const sizes = (await databaseSizes(services)).filter(
    ({ database }) => only === null || only.includes(database),
  )
  const silent = sizes.find(({ bytes }) => bytes === null)
  if (silent) throw errors.cannotMove(`The database ${silent.database} does not answer.`)
  return new Map(sizes.map(({ database, bytes }) => [database, bytes ?? 0]))
}

/** What each of them bears. */
export async function bearingsOf(
  services: Services,
  bytes: ReadonlyMap<string, number>,
  by: By,
): Promise<Bearing[]> {
  const busy = by === 'bytes' ? new Map<string, number>() : await busyTimes(services)
  const part = (of: ReadonlyMap<string, number>, database: string) => {
    const all = [...bytes.keys()].reduce((sum, name) => sum + (of.get(name) ?? 0), 0)
    return all === 0 ? 0 : (of.get(database) ?? 0) / all
  }
  return [...bytes.keys()].sort(byShard).map((database) => ({
    database,
    weight: (by === 'load' ? 0 : part(bytes, database)) + (by === 'bytes' ? 0 : part(busy, database)),
  }))
}

/** How long each database was busy in the last hour, in milliseconds. @throws 409 when nobody counts */
async function busyTimes({ metrics }: Services): Promise<ReadonlyMap<string, number>> {
  if (metrics === null)
    throw errors.cannotMove('Nobody counts how busy databases are.', 'Bind METRICS, or plan by bytes.')
  const now = Math.floor(Date.now() / 1000)
  const minutes = await metrics().points(60, now - 3600, ['database_seconds'])
  // The current minute is not made yet: it is in the points of ten seconds.
  const last = minutes.at(-1)?.at ?? 0
  const tens = (await metrics().points(10, now - 3600, ['database_seconds'])).filter(
    ({ at }) => at >= last + 60,
  )
  const busy = new Map<string, number>()
  for (const { measures } of [...minutes, ...tens]) {
    for (const [series, { sum }] of Object.entries(measures.histograms)) {
      const database =
        familyOf(series) === 'database_seconds' ? /database="(\w+)"/.exec(labelsOf(series))?.[1] : undefined
      if (database !== undefined) busy.set(database, (busy.get(database) ?? 0) + sum)
    }
  }
  return busy
}

/** Splits slots by the databases that own them, without those that are where they are to go. */
export function movesTo(map: ShardMap, slots: readonly Slots[], target: string): PlannedMove[] {
  const sources = [...new Set(map.ranges.map(({ shard }) => shard))].filter((shard) => shard !== target)
  return sources.flatMap((source) => {
    const ranges = both(slots, rangesOf(map, source))
    return ranges.length === 0 ? [] : [{ source, target, ranges, weight: 0 }]
  })
}

/** Whether a move has not ended. */
export const isUnderWay = ({ state }: Move) => ['waiting', 'running', 'paused', 'cancelling'].includes(state)

/**
 * Notes moves and wakes the mover.
 *
 * @throws 409 when slots are on the move already, or the tables cannot be moved
 */
export async function askFor(
  services: Services,
  session: ClusterSession,
  catalog: Catalog,
  planned: readonly PlannedMove[],
): Promise<Move[]> {
  const { relay, bindings } = services
  if (relay === null) throw errors.noMover()
  if (await openConversion({ databases: bindings }))
    throw errors.cannotMove(
      'Tables are being converted.',
      'Wait until that is over: npm run shards -- convert status tells how far it is.',
    )
  await checkTables(session, catalog)
  const open = (await listMoves(session)).filter(isUnderWay)
  for (const { source, target, ranges } of planned) {
    for (const name of [source, target])
      if (!bindings.has(name)) throw errors.cannotMove(`There is no database ${name}.`)
    const taken = open.find((other) => slotsIn(both(ranges, other.ranges)) > 0)
    if (taken)
      throw errors.cannotMove(
        `Slots ${shownSlots(both(ranges, taken.ranges))} are on the move already.`,
        `Wait for ${taken.id}, or cancel it.`,
      )
  }
  const now = Date.now()
  const ids = planned.map((_, i) => makeUlid(now + i))
  await session.primary(
    planned.map(({ source, target, ranges }, i) =>
      insertMove({ id: ids[i] as string, source, target, ranges, created: now + i }),
    ),
  )
  await relay.move()
  return (await listMoves(session)).filter(({ id }) => ids.includes(id)).reverse()
}

/** What would stop a move in its middle is refused before it begins. */
export async function checkTables(session: ClusterSession, catalog: Catalog): Promise<void> {
  const tables = distributedTables(catalog)
  const names = JSON.stringify(tables.map(({ name }) => name))
  for (const { name, placement, columns } of tables) {
    const type = placement.kind === 'distributed' ? columns.get(placement.by)?.type : undefined
    if (!['text', 'integer', 'timestamp', 'timestamp_ms'].includes(type ?? ''))
      throw errors.cannotMove(`Rows of ${name} are distributed by a column of type ${type}.`)
  }
  const [restricted = [], without = []] = await session.primary([
    {
      text: `SELECT DISTINCT t.value AS name FROM json_each(?1) AS t, pragma_foreign_key_list(t.value) AS f WHERE f."table" = t.value AND f.on_delete = 'RESTRICT'`,
      parameters: [names],
    },
    {
      text: 'SELECT l.name FROM pragma_table_list AS l WHERE l.wr = 1 AND l.name IN (SELECT value FROM json_each(?1))',
      parameters: [names],
    },
  ])
  if (restricted[0])
    throw errors.cannotMove(
      `${restricted[0].name} refers to itself with ON DELETE RESTRICT, which refuses to take its rows away together.`,
      'Use NO ACTION, which is asked at the end of a statement.',
    )
  if (without[0])
    throw errors.cannotMove(`${without[0].name} is WITHOUT ROWID; rows are copied in the order of theirs.`)
  const circle = circleAmong(catalog)
  if (circle) throw errors.cannotMove(`${circle.join(' and ')} refer to each other in a circle.`)
}

/** Tables that refer to each other in a circle of more than one: of those, none can be taken away before the other. */
function circleAmong(catalog: Catalog): readonly string[] | null {
  const tables = distributedTables(catalog)
  const parents = new Map(
    tables.map((table) => [
      table.name,
      table.relations
        .filter(({ forward, junction, to }) => forward && junction === null && to !== table.name)
        .map(({ to }) => to)
        .filter((to) => tables.some(({ name }) => name === to)),
    ]),
  )
  let left = tables.map(({ name }) => name)
  for (;;) {
    const next = left.filter((name) => parents.get(name)?.some((parent) => left.includes(parent)))
    if (next.length === left.length) return left.length === 0 ? null : left
    left = next
  }
}

/** Looks that one request takes; of thousands of rows each. */
const looksAtOnce = 20

/** Rows on a database whose slots it does not have. */
export interface RowsAstray {
  readonly looked: number
  readonly found: number
  /** The first of them: their key, and who has their slot. */
  readonly rows: readonly {
    readonly table: string
    readonly key: unknown
    readonly slot: number
    readonly owner: string
  }[]
  /** Where the next request goes on; null when all is looked at. */
  readonly next: string | null
}

/** Looks through a database, as far as one request may. */
export async function lookForRowsAstray(
  services: Services,
  session: ClusterSession,
  catalog: Catalog,
  database: string,
  from: Pick<StrayLook, 'tables' | 'after'> = noLook,
): Promise<RowsAstray> {
  const map = await mapByNow(services, session)
  const [{ cargo }, { slots }] = await Promise.all([
    readManifest(session, database, catalog),
    slotsOf(session, database),
  ])
  let at: StrayLook = { ...noLook, ...from }
  for (let i = 0; i < looksAtOnce && at.tables < cargo.length; i++)
    at = await lookForStrays(session, database, cargo, slots, at)
  const { looked, found, shown, tables, after } = at
  const rows = shown.map(({ table, key, slot }) => ({
    table,
    key: JSON.parse(key) as unknown,
    slot,
    owner: ownerOf(map, slot),
  }))
  return { looked, found, rows, next: tables < cargo.length ? `${tables}:${after}` : null }
}

/** What is left on a database that is to be removed, in words; none when nothing is. */
export async function leftOn(
  services: Services,
  session: ClusterSession,
  catalog: Catalog,
  database: string,
): Promise<string[]> {
  const map = await readShardMap(services, session)
  const slots = slotsIn(rangesOf(map, database))
  const jobs = await openJobs(session, database)
  const counts = await session.on(
    database,
    distributedTables(catalog).map(({ name }) => ({
      text: `SELECT count(*) AS n FROM "${name.replaceAll('"', '""')}"`,
      parameters: [],
    })),
  )
  const [[dead] = []] = await session.on(database, [
    { text: 'SELECT count(*) AS n FROM _atoll_dead_letters', parameters: [] },
  ])
  const rows = counts.reduce((sum, [row]) => sum + Number(row?.n), 0)
  const found: readonly (readonly [number, string])[] = [
    [slots, 'slots: drain it first'],
    [
      rows,
      slots === 0
        ? 'rows whose slots are elsewhere: see npm run shards -- check'
        : 'rows of distributed tables',
    ],
    [jobs, 'jobs that are not over: wait for them, or cancel them'],
    [Number(dead?.n), 'dead letters: retry or discard them'],
  ]
  return found.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`)
}
