/**
 * Advice as it is shown: in Drizzle's words and in SQL, with what it saves and what it costs.
 * @module
 */
import type { Catalog } from '../../db/catalog/catalog.ts'
import type { ShapeCost, ShapeDelta } from '../meter/area.ts'
import type { Candidate } from './advise/candidates.ts'
import type { Advice, ExistingIndex } from './advise/find-advice.ts'
import type { MonitorConfig } from './config.ts'
import type { ShownAdvice, ShownIndex } from './shown.ts'

/** What rows cost: https://developers.cloudflare.com/d1/platform/pricing/ */
export function priceOf(
  { rowsRead, rowsWritten }: Pick<ShapeCost, 'rowsRead' | 'rowsWritten'>,
  config: MonitorConfig,
): number {
  const { d1DollarsPerMillionRead: read, d1DollarsPerMillionWritten: written } = config
  return (rowsRead * read + rowsWritten * written) / 1_000_000
}

export function shownAdvice(
  { indexes, unused, untried }: Advice,
  shapes: readonly ShapeDelta[],
  catalog: Catalog,
  config: MonitorConfig,
): ShownAdvice {
  const shown = indexes.map(({ candidate, name, sql, shapes: helped }): ShownIndex => {
    const before = helped.reduce((sum, { shape }) => sum + shape.rowsRead, 0)
    const after = helped.reduce(
      (sum, one) => sum + Math.round((one.shape.rowsRead * one.after) / Math.max(1, one.before)),
      0,
    )
    const rowsWrittenMore = shapes
      .filter(({ table, method }) => table === candidate.table && method !== 'GET' && method !== 'HEAD')
      .reduce((sum, { calls }) => sum + calls, 0)
    return {
      name,
      table: candidate.table,
      sql,
      drizzle: drizzleOf(candidate, name, catalog),
      rowsRead: { before, after },
      savedDollars: priceOf({ rowsRead: before - after, rowsWritten: 0 }, config),
      rowsWrittenMore,
      costDollars: priceOf({ rowsRead: 0, rowsWritten: rowsWrittenMore }, config),
      shapes: helped.map(({ shape: { method, table, shape, calls }, before, after }) => ({
        method,
        table,
        shape,
        calls,
        before,
        after,
      })),
    }
  })
  return {
    // What costs more to write than it saves to read is no good advice.
    indexes: shown.filter(({ savedDollars, costDollars }) => savedDollars > costDollars),
    unused: unused
      .filter((index) => !servesForeignKey(index, catalog))
      .map(({ name, table, columns }) => ({ name, table, columns })),
    untried,
    dollars: shapes.reduce((sum, shape) => sum + priceOf(shape, config), 0),
  }
}

/** Without one, deleting a parent looks through all children. */
function servesForeignKey({ table, columns }: ExistingIndex, catalog: Catalog): boolean {
  const relations = catalog.tables.get(table)?.relations ?? []
  return relations.some(
    ({ forward, on }) => forward && on.length > 0 && on.every(([here], i) => columns[i] === here),
  )
}

function drizzleOf({ table, columns }: Candidate, name: string, catalog: Catalog): string {
  const known = catalog.tables.get(table)?.columns
  const terms = columns.map(({ column, descending }) => {
    const reference = `table.${known?.get(column)?.key ?? column}`
    return descending ? `desc(${reference})` : reference
  })
  return `index('${name}').on(${terms.join(', ')})`
}
