/**
 * The catalog with tables where their rows lie: one that has rows and is declared to lie elsewhere stays where it is until it is
 * converted (`db/conversions/`).
 * @module
 */
import { buildCatalog, SchemaError } from '../catalog/build-catalog.ts'
import type { Catalog } from '../catalog/catalog.ts'
import type { TableDeclarations } from '../catalog/declarations.ts'
import { changingPlacement, declaredAsNoted, pendingPlacements } from '../catalog/noted-placements.ts'
import { MigrationError } from '../errors/migration-error.ts'
import { quoteName } from '../sql/quote.ts'
import type { Look } from './look.ts'
import type { ClusterDatabases } from './settle-cluster.ts'

/** A table that stays where it is, though it is declared to lie elsewhere. */
export interface Staying {
  readonly table: string
  /** As `placementText` says them. */
  readonly from: string
  readonly to: string
}

/**
 * @param declared what the catalog was made of; left out: nothing stays
 * @throws MigrationError when a table is just being converted, or tables that stay cannot be served beside the others
 */
export async function asRowsLie(
  databases: ClusterDatabases,
  catalog: Catalog,
  looks: ReadonlyMap<string, Look>,
  declared: TableDeclarations | undefined,
): Promise<{ readonly catalog: Catalog; readonly staying: readonly Staying[] }> {
  const noted = looks.get('DB')?.placements ?? new Map()
  const changed = pendingPlacements(catalog, noted)
  const busy = changed.find(({ from }) => from === changingPlacement)
  if (busy)
    throw new MigrationError(`${busy.table} is being converted at this moment`, {
      remedy: 'Run it again in a moment; npm run shards -- convert status tells how far it is.',
    })
  const isAsked = declared !== undefined && databases.size > 1
  if (!isAsked || !(await haveRows(databases, changed))) return { catalog, staying: [] }
  const names = new Set(changed.map(({ table }) => table))
  const staying = new Map([...noted].filter(([name]) => names.has(name)))
  try {
    return { catalog: buildCatalog(declaredAsNoted(declared, staying)), staying: changed }
  } catch (error) {
    if (!(error instanceof SchemaError)) throw error
    throw new MigrationError(
      `${[...names].join(', ')} cannot be served where the rows are, beside the rest of the schema:\n${error.problems.map((problem) => `    ${problem}`).join('\n')}`,
      {
        remedy:
          'Change where tables lie in a release of its own, convert them (npm run shards -- convert), and bring what needs it in the next one.',
      },
      error,
    )
  }
}

/** Whether one of the tables has a row anywhere, of those that are or will be spread. */
async function haveRows(databases: ClusterDatabases, changed: readonly Staying[]): Promise<boolean> {
  const spread = changed.filter(({ from, to }) => `${from} ${to}`.includes('distributed by'))
  for (const { table } of spread)
    for (const database of databases.values()) {
      const { results } = await database.prepare(`SELECT 1 AS n FROM ${quoteName(table)} LIMIT 1`).all()
      if (results.length > 0) return true
    }
  return false
}

/** What is said of a table that stays. */
export function stayingText({ table, from, to }: Staying): string {
  return `${table} stays ${from}; npm run shards -- convert makes it ${to} while it is used`
}
