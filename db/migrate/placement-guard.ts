/**
 * Where rows lie, compared with where the app says that they do: what would hide rows is refused.
 * @module
 */
import type { Catalog, Placement } from '../catalog/catalog.ts'
import { placementText } from '../catalog/placements.ts'
import { MigrationError } from '../errors/migration-error.ts'
import { ownerOf, type ShardMap } from '../slots/shard-map.ts'
import { slotOf } from '../slots/slots.ts'
import type { MigrationDatabase } from '../sql/migration-database.ts'
import { quoteName, quoteText } from '../sql/quote.ts'
import { formerNames, type Rename } from './rename.ts'

/**
 * @param map null when none has been made yet
 * @throws MigrationError when a database that owns slots is not among those that are bound
 */
export function checkShards(map: ShardMap | null, databases: readonly string[]): void {
  const missing = [...new Set(map?.ranges.map(({ shard }) => shard))].filter(
    (shard) => !databases.includes(shard),
  )
  if (missing.length === 0) return
  throw new MigrationError(
    `${missing.join(', ')} ${missing.length > 1 ? 'hold' : 'holds'} rows and ${missing.length > 1 ? 'are' : 'is'} not in wrangler.toml: they would be hidden`,
    {
      remedy:
        'Put it back. Locally, npm run dev -- --reset starts over with the databases that wrangler.toml names.',
    },
  )
}

/**
 * @param noted the placements that the primary database knows
 * @param renames what pending migrations will have renamed
 * @throws MigrationError when rows lie where nobody would look for them
 */
export async function checkPlacements(
  databases: ReadonlyMap<string, MigrationDatabase>,
  catalog: Catalog,
  map: ShardMap | null,
  noted: ReadonlyMap<string, string>,
  renames: readonly Rename[],
): Promise<void> {
  if (databases.size < 2 || !map) return
  for (const table of catalog.tables.values()) {
    if (table.kind !== 'table') continue
    const { placement } = table
    const by = placement.kind === 'distributed' ? placement.by : ''
    const former = formerNames(renames, table.name, by)
    const known = noted.get(former.table)
    const wanted =
      by === '' ? placementText(placement) : placementText({ ...placement, by: former.column } as Placement)
    if (known === wanted) continue
    const hidden = await hiddenRows(databases, former, placement.kind, map, known)
    if (hidden === null) continue
    throw new MigrationError(
      `${table.name} is ${placementText(table.placement)} now${known === undefined ? '' : ` and was ${known}`}; rows of it in ${hidden} would be hidden`,
      { database: hidden, remedy: remedyFor(known) },
    )
  }
}

function remedyFor(known: string | undefined): string {
  const back = known === undefined ? 'Declare it as it was' : `Declare it ${known} again`
  return `${back} in db/app/tables.ts, migrate, and let npm run shards -- convert bring it to where it is to lie. Locally, npm run dev -- --reset starts over.`
}

/** The database in which rows lie that would not be found there; null when there is none. */
async function hiddenRows(
  databases: ReadonlyMap<string, MigrationDatabase>,
  { table, column }: { readonly table: string; readonly column: string },
  kind: Placement['kind'],
  map: ShardMap,
  known: string | undefined,
): Promise<string | null> {
  for (const [name, database] of databases) {
    if (kind === 'distributed') {
      if (await hasMisplaced(database, table, column, (value) => ownerOf(map, slotOf(value)) === name))
        return name
    } else if (name !== 'DB' && known?.startsWith('distributed')) {
      if ((await valuesOf(database, `SELECT 1 AS v FROM ${quoteName(table)} LIMIT 1`)).length > 0) return name
    }
  }
  return null
}

/** Distinct values that are looked at, of tables whose placement has changed. */
const maxValues = 20_000

async function hasMisplaced(
  database: MigrationDatabase,
  table: string,
  by: string,
  isHere: (value: string) => boolean,
): Promise<boolean> {
  const columns = await valuesOf(database, `SELECT name AS v FROM pragma_table_info(${quoteText(table)})`)
  if (columns.length === 0) return false
  // A column that is not there yet says nothing of the rows that are.
  const text = columns.includes(by)
    ? `SELECT DISTINCT CAST(${quoteName(by)} AS TEXT) AS v FROM ${quoteName(table)} LIMIT ${maxValues}`
    : `SELECT NULL AS v FROM ${quoteName(table)} LIMIT 1`
  return (await valuesOf(database, text)).some((value) => value === null || !isHere(value))
}

async function valuesOf(database: MigrationDatabase, text: string): Promise<(string | null)[]> {
  try {
    return (await database.prepare(text).all<{ v: string | null }>()).results.map(({ v }) => v)
  } catch (error) {
    if (/no such table/i.test((error as Error).message)) return []
    throw error
  }
}
