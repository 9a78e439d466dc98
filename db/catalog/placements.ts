import type { Catalog, Placement } from './catalog.ts'

/** A placement as databases note it. */
export function placementText(placement: Placement): string {
  return placement.kind === 'distributed' ? `distributed by ${placement.by}` : placement.kind
}

/** The app's tables with their placements, as databases note them. */
export function placementsOf(catalog: Catalog): Map<string, string> {
  const tables = [...catalog.tables.values()].filter(({ kind }) => kind === 'table')
  return new Map(tables.map(({ name, placement }) => [name, placementText(placement)]))
}
