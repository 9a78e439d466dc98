/**
 * `npm run shards -- list | status`: which databases there are and what they hold. With `--remote`, where they are deployed.
 * @module
 */
import { parseArgs } from 'node:util'
import type { Catalog } from '../catalog/catalog.ts'
import { type OpenDatabases, openDatabases } from '../doors/open-databases.ts'
import { readMap } from '../doors/read-map.ts'
import { UsageError } from '../doors/usage-error.ts'
import { checkDrift, pendingOf } from '../migrate/drift.ts'
import { type Applied, lookAt } from '../migrate/look.ts'
import type { Migration } from '../migrate/migration.ts'
import { appMigrations, readMigrations } from '../migrate/migration-files.ts'
import { slotsOwned } from '../slots/shard-map.ts'
import type { MigrationDatabase } from '../sql/migration-database.ts'
import { quoteName } from '../sql/quote.ts'
import { readAppTables } from './app-tables.ts'
import { runCommand } from './run-command.ts'

const usage = 'npm run shards -- list | status [--remote] [--env NAME] [--persist-to DIR]'

function readArguments() {
  return parseArgs({
    allowPositionals: true,
    options: {
      'persist-to': { type: 'string' },
      remote: { type: 'boolean', default: false },
      env: { type: 'string' },
    },
  })
}

type Where = ReturnType<typeof readArguments>['values']

/** Opens the databases for some work, and closes them whatever becomes of it. */
async function withDatabases(
  where: Where,
  work: (databases: OpenDatabases['databases']) => Promise<void>,
): Promise<void> {
  const { databases, close } = await openDatabases({
    remote: where.remote,
    persistTo: where['persist-to'],
    env: where.env,
  })
  try {
    await work(databases)
  } finally {
    await close()
  }
}

await runCommand(usage, async () => {
  const { values, positionals } = readArguments()
  const [command] = positionals
  if (command === 'list') await withDatabases(values, list)
  else if (command === 'status') await withDatabases(values, status)
  else throw new UsageError(usage)
})

async function list(databases: OpenDatabases['databases']): Promise<void> {
  const map = await readMap(databases)
  console.log(`epoch ${map.epoch}`)
  for (const database of databases.keys()) {
    const ranges = map.ranges.filter(({ shard }) => shard === database)
    const slots = slotsOwned(map, database)
    const shown = ranges.map(({ first, last }) => `${first}-${last}`).join(', ') || 'none'
    console.log(row(database, `${slots} slots`, shown))
  }
}

async function status(databases: OpenDatabases['databases']): Promise<void> {
  const { catalog } = await readAppTables()
  const migrations = readMigrations(appMigrations)
  const map = await readMap(databases)
  console.log(row('database', 'slots', 'rows', 'size', 'epoch', 'last migration', '', 'state'))
  for (const [database, binding] of databases) {
    const slots = slotsOwned(map, database)
    const [{ epoch = 0 } = {}] = await ask<{ epoch: number }>(binding, 'SELECT epoch FROM _atoll_shard')
    const { applied } = await lookAt(binding)
    const last =
      applied
        .map(({ name }) => name)
        .sort()
        .at(-1) ?? 'none'
    const rows = await rowsIn(binding, catalog)
    const state = stateOf(database, applied, migrations)
    console.log(
      row(
        database,
        String(slots),
        String(rows),
        await sizeOf(binding),
        String(epoch),
        last.padEnd(28),
        state,
      ),
    )
  }
}

/** Whether a database has the migrations of the files, in a few words. */
function stateOf(database: string, applied: readonly Applied[], migrations: readonly Migration[]): string {
  try {
    checkDrift(database, applied, migrations)
  } catch (error) {
    return `differs: ${(error as Error).message.split('\n')[0]}`
  }
  const lacking = pendingOf(applied, migrations)
  return lacking.length === 0 ? 'up to date' : `lacks ${lacking.map(({ name }) => name).join(', ')}`
}

/** Rows of distributed tables, as far as they are there. */
async function rowsIn(database: MigrationDatabase, catalog: Catalog): Promise<number> {
  let rows = 0
  for (const { name: table, kind, placement } of catalog.tables.values()) {
    if (kind !== 'table' || placement.kind !== 'distributed') continue
    const [found] = await ask<{ n: number }>(database, `SELECT count(*) AS n FROM ${quoteName(table)}`).catch(
      () => [],
    )
    rows += Number(found?.n ?? 0)
  }
  return rows
}

async function sizeOf(database: MigrationDatabase): Promise<string> {
  const { meta } = (await database.prepare('SELECT 1').all()) as { meta?: { size_after?: number } }
  return meta?.size_after === undefined ? '?' : `${(meta.size_after / 1_000_000).toFixed(1)} MB`
}

async function ask<Row>(database: MigrationDatabase, text: string): Promise<Row[]> {
  return (await database.prepare(text).all<Row>()).results
}

function row(...cells: string[]): string {
  return cells
    .map((cell) => cell.padEnd(14))
    .join('')
    .trimEnd()
}
