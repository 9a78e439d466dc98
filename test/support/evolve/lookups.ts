/**
 * The lookup entries of values that are unique over all shards: who writes rows by SQL must enter them, and a migration must
 * keep them under the names of now.
 * @module
 */
import type { Catalog } from '../../../db/catalog/catalog.ts'
import { readMap } from '../../../db/doors/read-map.ts'
import { evenRanges, ownerOf } from '../../../db/slots/shard-map.ts'
import { keySlot, slotOf } from '../../../db/slots/slots.ts'
import { quoteName, quoteText } from '../../../db/sql/quote.ts'
import { fillLookups } from '../../../db/system/fill-lookups.ts'
import { askOf, type Databases } from './compare.ts'
import { firstDifference } from './describe-schema.ts'

const uniquesOf = (catalog: Catalog) =>
  [...catalog.tables.values()].flatMap(({ name, placement, uniqueAcrossShards }) =>
    placement.kind === 'distributed'
      ? uniqueAcrossShards.map((column) => ({ name, column, by: placement.by }))
      : [],
  )

/** Makes all entries anew, as if each row had been written by the Worker. */
export async function enterLookups(databases: Databases, catalog: Catalog): Promise<void> {
  if (databases.size === 1 || uniquesOf(catalog).length === 0) return
  for (const database of databases.values()) await askOf(database)(['DELETE FROM _atoll_unique'])
  await fillLookups(databases, await readMap(databases), catalog, true)
}

export async function lookupDifference(databases: Databases, catalog: Catalog): Promise<string | null> {
  const uniques = uniquesOf(catalog)
  if (databases.size === 1) return null
  const ranges = { epoch: 1, ranges: evenRanges([...databases.keys()]), epochs: new Map<string, number>() }
  const wanted: string[] = []
  const got: string[] = []
  const line = (database: unknown, name: unknown, value: unknown, slot: unknown) =>
    `${database}: ${name} ${value} in slot ${slot}`
  for (const [database, own] of databases) {
    const [entries = [], ...rows] = await askOf(own)([
      'SELECT name, value, slot FROM _atoll_unique',
      ...uniques.map(
        ({ name, column, by }) =>
          `SELECT ${quoteText(`${name}.${column}`)} AS name, CAST(${quoteName(column)} AS TEXT) AS value, CAST(${quoteName(by)} AS TEXT) AS by FROM ${quoteName(name)} WHERE ${quoteName(column)} IS NOT NULL`,
      ),
    ])
    got.push(...entries.map(({ name, value, slot }) => line(database, name, value, slot)))
    for (const { name, value, by } of rows.flat()) {
      wanted.push(line(ownerOf(ranges, keySlot(String(value))), name, value, slotOf(String(by))))
    }
  }
  const difference = firstDifference(wanted, got)
  return difference === null ? null : `lookups of unique values differ\n${difference}`
}
