/**
 * Conversions as they are asked for: what is declared beside what is noted, and whether that can be, before anything is noted.
 * @module
 */
import { askNoted, pendingPlacements } from '../../db/catalog/noted-placements.ts'
import type { ClusterSession } from '../../db/cluster/session.ts'
import { type Conversion, isOpen, readConversion, writeConversion } from '../../db/conversions/conversion.ts'
import { fromTheFirst } from '../../db/conversions/fill-entries.ts'
import { listMoves } from '../../db/moves/moves.ts'
import { rangesOf } from '../../db/moves/plan-moves.ts'
import { ownersIn, slotsOwned } from '../../db/slots/shard-map.ts'
import { makeUlid } from '../../db/slots/slots.ts'
import type { MigrationDatabase } from '../../db/sql/migration-database.ts'
import { quoteName } from '../../db/sql/quote.ts'
import { bytesOf, checkTables, isUnderWay, readShardMap } from './ask-moves.ts'
import { errors } from './errors.ts'
import type { Engine, Services } from './services.ts'
import {
  type ConversionStatus,
  type PlannedConversion,
  type ShownConversion,
  shownConversion,
  shownPlan,
} from './shown.ts'

/** Most bytes that come together on the primary database: of D1's 10 GB, some are left to what is written meanwhile. */
const mostBytes = 9_000_000_000

function primaryOf({ bindings }: Services): MigrationDatabase {
  return bindings.get('DB') as MigrationDatabase
}

async function pendingOf(services: Services, { declared }: Engine) {
  const noted = await askNoted(primaryOf(services))
  return pendingPlacements(declared, noted).map((pending) => ({
    ...pending,
    noted: noted.get(pending.table) as NonNullable<ReturnType<typeof noted.get>>,
  }))
}

/** @param isCounted whether rows of tables that wait are counted, which reads all of them */
export async function conversionStatus(
  services: Services,
  engine: Engine,
  isCounted: boolean,
): Promise<ConversionStatus> {
  const conversion = await readConversion(primaryOf(services))
  const pending = await pendingOf(services, engine)
  return {
    conversion: conversion && shownConversion(conversion),
    pending: isCounted
      ? await counted(services, pending)
      : pending.map(({ table, from, to }) => ({ table, from, to, rows: null })),
  }
}

async function counted(
  { bindings }: Services,
  pending: readonly { readonly table: string; readonly from: string; readonly to: string }[],
): Promise<PlannedConversion['tables']> {
  return Promise.all(
    pending.map(async ({ table, from, to }) => {
      const databases = from.startsWith('distributed by ') ? [...bindings] : [...bindings].slice(0, 1)
      const counts = await Promise.all(
        databases.map(([, database]) =>
          database.prepare(`SELECT count(*) AS n FROM ${quoteName(table)}`).all<{ n: number }>(),
        ),
      )
      return { table, from, to, rows: counts.reduce((sum, { results }) => sum + (results[0]?.n ?? 0), 0) }
    }),
  )
}

/** @throws 409 when there is nothing to convert, or it cannot be */
export async function planConversion(
  services: Services,
  engine: Engine,
  session: ClusterSession,
): Promise<PlannedConversion> {
  const pending = await pendingOf(services, engine)
  if (pending.length === 0)
    throw errors.cannotConvert(
      'Every table lies where the code says.',
      'Declare in db/app/tables.ts where tables are to lie, run npm run db:migrate, and deploy.',
    )
  const map = await readShardMap(services, session)
  for (const catalog of [engine.catalog, engine.declared]) await checkTables(session, catalog)
  const bytes = await bytesOf(services, null)
  const all = [...bytes.values()].reduce((sum, own) => sum + own, 0)
  if (all > mostBytes)
    throw errors.cannotConvert(
      `All rows come together on DB, and are ${Math.round(all / 1e6)} MB: more than one database holds.`,
      'Fill a new table from the old one, by jobs of yours.',
    )
  const before = await listMoves(session)
  const last = await readConversion(primaryOf(services))
  const moves = ownersIn(map)
    .filter((name) => name !== 'DB')
    .map((source) =>
      shownPlan(
        { source, target: 'DB', ranges: rangesOf(map, source), weight: 0 },
        (bytes.get(source) ?? 0) / Math.max(1, slotsOwned(map, source)),
        before,
      ),
    )
  return { tables: await counted(services, pending), moves, bytes: all, pausedMs: last?.pausedMs ?? null }
}

/**
 * Begins to convert all tables that are declared to lie elsewhere than they do.
 *
 * @param waitSeconds how long tables stay as they are at least: by then no isolate has code that knows nothing of it
 * @throws 409 when it cannot be, or slots are on the move
 */
export async function askToConvert(
  services: Services,
  engine: Engine,
  session: ClusterSession,
  waitSeconds: number,
): Promise<ShownConversion> {
  const { relay } = services
  if (relay === null) throw errors.noMover()
  await planConversion(services, engine, session)
  const last = await readConversion(primaryOf(services))
  if (last !== null && isOpen(last)) throw errors.cannotConvert('A conversion is under way already.')
  if ((await listMoves(session)).some(isUnderWay))
    throw errors.cannotConvert(
      'Slots are on the move.',
      'Wait until they have come to rest, or cancel their moves.',
    )
  const map = await readShardMap(services, session)
  const now = Date.now()
  const conversion: Conversion = {
    id: makeUlid(now),
    tables: await pendingOf(services, engine),
    state: 'gathering',
    ranges: map.ranges.filter(({ shard }) => shard !== 'DB'),
    notBefore: now + waitSeconds * 1000,
    position: null,
    filled: fromTheFirst,
    outcome: null,
    isCancelled: false,
    error: null,
    pausedMs: null,
    created: now,
    updated: now,
  }
  if (!(await writeConversion(primaryOf(services), last, conversion)))
    throw errors.cannotConvert('A conversion is under way already.')
  await relay.move()
  return shownConversion(conversion)
}

/** Lets slots go back and tables stay, if they have not begun to change. @throws 409 when they have, or nothing is under way */
export async function cancelConversion(services: Services): Promise<ShownConversion> {
  for (;;) {
    const conversion = await readConversion(primaryOf(services))
    if (conversion === null || !isOpen(conversion)) throw errors.cannotConvert('No conversion is under way.')
    if (conversion.state === 'spreading')
      throw errors.cannotConvert(
        conversion.outcome === 'done' ? 'The tables have changed already.' : 'Slots go back already.',
      )
    const next = { ...conversion, isCancelled: true, updated: Date.now() }
    if (!(await writeConversion(primaryOf(services), conversion, next))) continue
    await services.relay?.move()
    return shownConversion(next)
  }
}
