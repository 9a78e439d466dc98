/**
 * All rows of one distribution value, table by table, as lines of a backup have them.
 * @module
 */
import type { Catalog } from '../catalog/catalog.ts'
import { parentsFirst } from '../catalog/parents-first.ts'
import type { ClusterSession } from '../cluster/session.ts'
import { distributedTables, imageText, keyedOf, readShapes } from '../moves/cargo.ts'
import { beforeAll } from '../moves/look-at.ts'
import { quoteName } from '../sql/quote.ts'

/** Rows of one table. */
export interface ValueRows {
  readonly table: string
  readonly columns: readonly string[]
  /** JSON arrays of the columns' values. */
  readonly rows: readonly string[]
}

/** Rows, and bytes of rows, that are read together. */
const [rowsAtOnce, bytesAtOnce] = [500, 500_000]

/** Each table with rows comes once at least; what is written meanwhile may be among it or not. */
export async function* readValue(
  session: ClusterSession,
  catalog: Catalog,
  value: string,
): AsyncGenerator<ValueRows> {
  const tables = parentsFirst(distributedTables(catalog))
  const database = await session.cluster.ownerOf(value, session)
  const shapes = await readShapes(session, database, tables.map(keyedOf))
  for (const [i, { name, columns }] of shapes.entries()) {
    const { placement } = tables[i] as (typeof tables)[number]
    const by = quoteName(placement.kind === 'distributed' ? placement.by : '')
    for (let after = beforeAll; ; ) {
      const images = `SELECT rowid AS at, ${imageText({ columns })} AS image FROM ${quoteName(name)} WHERE ${by} = ?1 AND CAST(${by} AS TEXT) = ?1 AND rowid > CAST(?2 AS INTEGER) ORDER BY rowid LIMIT ${rowsAtOnce}`
      const [found = []] = await session.on(database, [
        {
          text: `SELECT CAST(at AS TEXT) AS at, image FROM (SELECT *, sum(octet_length(image)) OVER (ORDER BY at) - octet_length(image) AS before FROM (${images})) WHERE before <= ${bytesAtOnce}`,
          parameters: [value, after],
        },
      ])
      if (found.length === 0) break
      yield { table: name, columns, rows: found.map(({ image }) => image as string) }
      after = found.at(-1)?.at as string
    }
  }
}
