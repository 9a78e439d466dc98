/**
 * Takes a conversion a step further: all slots come to the primary database, where tables change in place; then slots go back. Each step can be
 * made again, and what is noted after it says where to go on. `README.md` says why this way.
 * @module
 */
import { buildCatalog } from '../catalog/build-catalog.ts'
import type { Catalog } from '../catalog/catalog.ts'
import {
  askNoted,
  changingPlacement,
  declaredAsNoted,
  type NotedPlacements,
  pendingPlacements,
} from '../catalog/noted-placements.ts'
import { placementsOf } from '../catalog/placements.ts'
import { readMap } from '../doors/read-map.ts'
import { MigrationError } from '../errors/migration-error.ts'
import { settleCluster } from '../migrate/settle-cluster.ts'
import { keepLogFromEnd } from '../moves/read-rows.ts'
import { ownersIn, type ShardMap, slotsOwned } from '../slots/shard-map.ts'
import { slotCount } from '../slots/slots.ts'
import { gathered, gatherFrom, spreadBack, spreadFromPrimary, stopGathering } from './bring-slots.ts'
import { problemOfRows } from './check-rows.ts'
import { type Conversion, isOpen, type Outcome, readConversion, writeConversion } from './conversion.ts'
import { type ConversionWorld, primaryOf, run } from './conversion-world.ts'
import { enteredColumns, fillChanged, fillNext, fromTheFirst, noteFilled } from './fill-entries.ts'
import { takeCopiesAway } from './take-copies-away.ts'

/** What a step has left to do: more at once, more when slots have moved, or nothing. */
export type Left = 'at once' | 'later' | 'nothing'

/** What rows are, and trying again does not change. */
class CannotConvert extends Error {}

/** The conversion's hold on the change log, which is not cut off behind it. */
const cursorOf = ({ id }: Conversion) => `move:${id}`

/**
 * Makes the next step of the conversion that is open.
 *
 * @throws whatever databases say, after which the step is made again
 */
export async function convertStep(world: ConversionWorld): Promise<Left> {
  const conversion = await readConversion(primaryOf(world))
  if (conversion === null || !isOpen(conversion)) return 'nothing'
  try {
    return await stepOf(world, conversion)
  } catch (error) {
    if (!(error instanceof CannotConvert)) {
      await note(world, conversion, { error: textOf(error) })
      throw error
    }
    await giveUp(world, conversion, 'failed', error.message)
    return 'at once'
  }
}

async function stepOf(world: ConversionWorld, conversion: Conversion): Promise<Left> {
  const { state } = conversion
  if (state === 'spreading') return spread(world, conversion)
  const begun = await isChanging(world, conversion)
  if (conversion.isCancelled && !begun) {
    await giveUp(world, conversion, 'cancelled', null)
    return 'at once'
  }
  if (!isWanted(world, conversion, begun ? null : await askNoted(primaryOf(world)))) {
    if (begun) await settleAsBefore(world, conversion)
    throw new CannotConvert('the tables are declared otherwise by now')
  }
  if (state === 'gathering') return gather(world, conversion)
  if (state === 'filling') return fill(world, conversion)
  return change(world, conversion)
}

const textOf = (error: unknown) => (error instanceof Error ? error.message : String(error))
const namesOf = ({ tables }: Conversion) => tables.map(({ table }) => table)

async function note(
  world: ConversionWorld,
  before: Conversion,
  changes: Partial<Conversion>,
): Promise<boolean> {
  return writeConversion(primaryOf(world), before, {
    ...before,
    error: null,
    ...changes,
    updated: world.now(),
  })
}

/** Whether nobody may ask for the tables now: a mover has died in the middle of changing them. */
async function isChanging(world: ConversionWorld, { tables }: Conversion): Promise<boolean> {
  const noted = await askNoted(primaryOf(world))
  return tables.some(({ table }) => noted.get(table)?.placement === changingPlacement)
}

/** Whether what this code declares is what the conversion was asked for. @param noted null: the tables have begun to change */
function isWanted(
  { declared }: ConversionWorld,
  { tables }: Conversion,
  noted: NotedPlacements | null,
): boolean {
  const placements = placementsOf(declared)
  const isSame = tables.every(({ table, to }) => placements.get(table) === to)
  if (noted === null || !isSame) return isSame
  const pending = pendingPlacements(declared, noted).map(({ table, from }) => `${table} ${from}`)
  const asked = tables.map(({ table, from }) => `${table} ${from}`)
  return JSON.stringify(pending.sort()) === JSON.stringify(asked.sort())
}

// --- slots come to the primary database ------------------------------------------------------------------------------

async function gather(world: ConversionWorld, conversion: Conversion): Promise<Left> {
  const map = await readMap(world.databases)
  const others = ownersIn(map).filter((name) => name !== 'DB')
  if (others.length > 0) {
    const { count, haveEnded, stopped } = await gathered(world, conversion)
    if (stopped !== null) throw new CannotConvert(`slots did not come together: ${stopped}`)
    if (count === 0) await gatherFrom(world, conversion, map, others)
    else if (haveEnded) throw new CannotConvert('slots have gone to shards again meanwhile')
    return 'later'
  }
  await run(primaryOf(world), [keepLogFromEnd(cursorOf(conversion))])
  const position = await keptFrom(world, conversion)
  await checkRows(world, conversion, null)
  await note(world, conversion, { state: 'filling', position, filled: fromTheFirst })
  return 'at once'
}

/** From where the primary database keeps its change log for the conversion. */
async function keptFrom(world: ConversionWorld, conversion: Conversion): Promise<number> {
  const { results } = await primaryOf(world)
    .prepare('SELECT sequence AS n FROM _atoll_cursors WHERE consumer = ?')
    .bind(cursorOf(conversion))
    .all<{ n: number }>()
  return Number(results[0]?.n ?? 0)
}

async function isCutOff(world: ConversionWorld, conversion: Conversion): Promise<boolean> {
  const { results } = await primaryOf(world)
    .prepare('SELECT 1 AS n FROM _atoll_cursors WHERE consumer = ? AND sequence > ?')
    .bind(`${cursorOf(conversion)}:lost`, conversion.position ?? 0)
    .all()
  return results.length > 0
}

async function checkRows(
  world: ConversionWorld,
  { tables }: Conversion,
  since: number | null,
): Promise<void> {
  const names = tables.map(({ table }) => table)
  const problem = await problemOfRows(primaryOf(world), world.declared, names, since)
  if (problem !== null) throw new CannotConvert(problem)
}

// --- tables change ---------------------------------------------------------------------------------------------------

async function fill(world: ConversionWorld, conversion: Conversion): Promise<Left> {
  const columns = enteredColumns(world.declared, namesOf(conversion))
  const filled = await fillNext(primaryOf(world), columns, conversion.filled)
  await note(world, conversion, filled === null ? { state: 'changing' } : { filled })
  return 'at once'
}

/** In this moment nobody asks: what is under way has ended or is refused, and requests wait for what is noted in the end. */
async function change(world: ConversionWorld, conversion: Conversion): Promise<Left> {
  if (world.now() < conversion.notBefore) return 'later'
  if (await isCutOff(world, conversion)) {
    await note(world, conversion, { state: 'gathering', position: null })
    return 'at once'
  }
  const primary = primaryOf(world)
  const names = JSON.stringify(namesOf(conversion))
  const began = world.now()
  await run(primary, [
    {
      text: `UPDATE _atoll_placements SET placement = '${changingPlacement}' WHERE name IN (SELECT value FROM json_each(?1))`,
      parameters: [names],
    },
  ])
  const map = await readMap(world.databases)
  try {
    if (!(await isWhole(world, map))) throw new CannotConvert('slots have gone to shards again meanwhile')
    await checkRows(world, conversion, conversion.position)
    const columns = enteredColumns(world.declared, namesOf(conversion))
    await fillChanged(primary, columns, conversion.position ?? 0)
    await noteFilled(primary, columns)
    await noteRouted(world, conversion)
    await takeCopiesAway(world, conversion)
    await settleCluster(world.databases, world.declared, world.storage)
  } catch (error) {
    // Whatever it was, requests do not wait for it.
    await settleAsBefore(world, conversion)
    if (error instanceof MigrationError) throw new CannotConvert(error.message)
    if (error instanceof CannotConvert) throw error
    await note(world, conversion, { state: 'gathering', position: null, error: textOf(error) })
    throw error
  }
  await world.renew(map.epoch)
  const pausedMs = world.now() - began
  await note(world, conversion, { state: 'spreading', outcome: 'done', pausedMs })
  return 'at once'
}

/** Whether the primary database has all slots, and says so itself. */
async function isWhole(world: ConversionWorld, map: ShardMap): Promise<boolean> {
  const { results } = await primaryOf(world)
    .prepare("SELECT ifnull(sum(last - first + 1), 0) AS n FROM _atoll_slots WHERE state = 'open'")
    .all<{ n: number }>()
  return slotsOwned(map, 'DB') === slotCount && Number(results[0]?.n) === slotCount
}

/** Ids that carry their slots have been looked at; those that did not would have been told. */
async function noteRouted(world: ConversionWorld, { tables }: Conversion): Promise<void> {
  const routed = tables.filter(({ table }) => world.declared.tables.get(table)?.ids === 'routed')
  await run(
    primaryOf(world),
    routed.map(({ table }) => ({
      text: "INSERT OR REPLACE INTO _atoll_state (key, value) VALUES (?1, 'done')",
      parameters: [`routed:${table}`],
    })),
  )
}

/** Everything as it was before the tables began to change. */
async function settleAsBefore(world: ConversionWorld, { tables }: Conversion): Promise<void> {
  const replaced = tables.flatMap(({ table, from, noted }) =>
    from.startsWith('distributed by ')
      ? [`routed:${table}`, ...noted.uniqueAcrossShards.map((column) => `unique:${table}.${column}`)]
      : [],
  )
  await run(primaryOf(world), [
    {
      text: 'DELETE FROM _atoll_state WHERE key IN (SELECT value FROM json_each(?1))',
      parameters: [JSON.stringify(replaced)],
    },
    {
      text: 'DELETE FROM _atoll_unique WHERE name IN (SELECT substr(value, 8) FROM json_each(?1))',
      parameters: [JSON.stringify(replaced)],
    },
  ])
  await settleCluster(world.databases, catalogBefore(world, tables), world.storage)
}

/** The tables as they were noted before. */
function catalogBefore({ declarations }: ConversionWorld, tables: Conversion['tables']): Catalog {
  return buildCatalog(
    declaredAsNoted(declarations, new Map(tables.map(({ table, noted }) => [table, noted]))),
  )
}

/** Slots go back to where they were, and tables stay what they are. */
async function giveUp(
  world: ConversionWorld,
  conversion: Conversion,
  outcome: Outcome,
  error: string | null,
): Promise<void> {
  await stopGathering(world, conversion)
  await note(world, conversion, { state: 'spreading', outcome, error, filled: fromTheFirst })
}

async function spread(world: ConversionWorld, conversion: Conversion): Promise<Left> {
  if (!(await gathered(world, conversion)).haveEnded) return 'later'
  if (conversion.outcome !== 'done') {
    // Before slots part, entries say again where rows lie.
    const columns = enteredColumns(catalogBefore(world, conversion.tables), namesOf(conversion))
    const filled = await fillNext(primaryOf(world), columns, conversion.filled)
    if (filled !== null) {
      await note(world, conversion, { filled, error: conversion.error })
      return 'at once'
    }
  }
  const { count, haveEnded, stopped } = await spreadBack(world, conversion)
  if (count === 0 && (await spreadFromPrimary(world, conversion))) return 'later'
  if (!haveEnded) return 'later'
  const { outcome, error } = conversion
  await run(primaryOf(world), [
    {
      text: 'DELETE FROM _atoll_cursors WHERE consumer IN (?1, ?2)',
      parameters: [cursorOf(conversion), `${cursorOf(conversion)}:lost`],
    },
  ])
  await note(world, conversion, {
    state: outcome ?? 'done',
    error: error ?? (stopped === null ? null : `slots did not all go back: ${stopped}; rebalance them`),
  })
  return 'nothing'
}
