/**
 * Where databases note that rows lie, beside where the app says that they do: as long as the two differ, a table is served where its rows are.
 * @module
 */
import { getTableColumns, getTableName } from 'drizzle-orm'
import type { MigrationDatabase } from '../sql/migration-database.ts'
import type { Catalog } from './catalog.ts'
import {
  distributed,
  local,
  reference,
  type TableDeclaration,
  type TableDeclarations,
} from './declarations.ts'
import { placementsOf } from './placements.ts'

/** In the place of a placement: the table is being converted at this moment, and nobody may ask for it. */
export const changingPlacement = 'changing'

/** How databases note that the rows of a table lie, by the table's name in SQL. */
export type NotedPlacements = ReadonlyMap<string, NotedPlacement>

/** How the rows of one table are noted to lie. */
export interface NotedPlacement {
  /** As `placementText` says it, or `changing`. */
  readonly placement: string
  /** Of a distributed table, what its keys say of where rows lie; null: by their type. */
  readonly ids: 'routed' | 'free' | null
  /** Of a distributed table, SQL names of columns whose values are unique over all shards, but for a free key. */
  readonly uniqueAcrossShards: readonly string[]
}

/** What is noted beside the placement of distributed tables, as one JSON text. */
export function notedDetails(catalog: Catalog): string {
  const tables = [...catalog.tables.values()].filter(({ placement }) => placement.kind === 'distributed')
  return JSON.stringify(
    Object.fromEntries(
      tables.map(({ name, ids, uniqueAcrossShards }) => [name, { ids, uniqueAcrossShards }]),
    ),
  )
}

/** Reads placements, and beside them what `notedDetails` has written, if anything. */
export function readNoted(
  placements: readonly (readonly [name: string, placement: string])[],
  details: string | null,
): NotedPlacements {
  const known = JSON.parse(details ?? '{}') as Record<string, Omit<NotedPlacement, 'placement'> | undefined>
  return new Map(
    placements.map(([name, placement]) => {
      const { ids = null, uniqueAcrossShards = [] } = known[name] ?? {}
      return [name, { placement, ids, uniqueAcrossShards }]
    }),
  )
}

const notedText = `SELECT (SELECT json_group_array(json_array(name, placement)) FROM _atoll_placements) AS placements, (SELECT value FROM _atoll_state WHERE key = 'placed') AS details`

/** Asks a database what it notes. */
export async function askNoted(database: Pick<MigrationDatabase, 'prepare'>): Promise<NotedPlacements> {
  const { results } = await database.prepare(notedText).all<{ placements: string; details: string | null }>()
  const { placements = '[]', details = null } = results[0] ?? {}
  return readNoted(JSON.parse(placements) as [string, string][], details)
}

/** Tables that are declared to lie elsewhere than is noted, with both. */
export function pendingPlacements(
  catalog: Catalog,
  noted: NotedPlacements,
): { readonly table: string; readonly from: string; readonly to: string }[] {
  return [...placementsOf(catalog)].flatMap(([table, to]) => {
    const from = noted.get(table)?.placement
    return from === undefined || from === to ? [] : [{ table, from, to }]
  })
}

/** The app's declarations with tables where databases note that they lie; those of which nothing is noted are as they are. */
export function declaredAsNoted(declarations: TableDeclarations, noted: NotedPlacements): TableDeclarations {
  return Object.fromEntries(
    Object.entries(declarations).map(([key, declaration]) => [key, declaredAs(declaration, noted)]),
  )
}

function declaredAs(declaration: TableDeclaration, noted: NotedPlacements): TableDeclaration {
  if (declaration.kind === 'view') return declaration
  const found = noted.get(getTableName(declaration.table))
  if (found === undefined) return declaration
  const { table, options } = declaration
  if (found.placement === 'local') return local(table, options as never)
  if (found.placement === 'reference') return reference(table, options as never)
  const [, name] = /^distributed by (.+)$/s.exec(found.placement) ?? []
  const columns = Object.entries(getTableColumns(table))
  const keyOf = (wanted: string | undefined) => columns.find(([, column]) => column.name === wanted)?.[0]
  const by = keyOf(name)
  // Of a column that the code does not know, nothing can be said: databases refuse what follows.
  if (by === undefined) return declaration
  const primary = columns.filter(([, column]) => column.primary).map(([key]) => key)
  const ids = primary.length === 1 && primary[0] !== by ? found.ids : null
  const unique = found.uniqueAcrossShards.flatMap((column) => keyOf(column) ?? [])
  return distributed(table, {
    ...(options as object),
    by: by as never,
    ...(ids === null ? {} : { ids }),
    uniqueAcrossShards: unique.filter((key) => ids !== 'free' || key !== primary[0]) as never,
  })
}
