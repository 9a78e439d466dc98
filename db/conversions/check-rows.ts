/**
 * Whether the rows that are there can lie where they are declared to: asked of all rows while they are written, and then once more, in the moment
 * in which nobody writes, of those that have changed since.
 * @module
 */
import type { Catalog, Table } from '../catalog/catalog.ts'
import { isUnrouted } from '../migrate/route-ids.ts'
import type { MigrationDatabase } from '../sql/migration-database.ts'
import { quoteName, quoteText } from '../sql/quote.ts'

interface Check {
  /** Whose rows are asked, and what they go by. */
  readonly of: Table
  readonly as: 't' | 'p'
  readonly from: string
  /** What must hold of none. */
  readonly where: string
  /** Whether it is worked out for each row, so that so many are asked at once. */
  readonly rowsAtOnce: number | null
  readonly says: string
}

const byOf = ({ placement }: Table) => (placement.kind === 'distributed' ? placement.by : null)

function checksOf(catalog: Catalog, converted: readonly string[]): Check[] {
  const spread = [...catalog.tables.values()].filter(
    (table) => table.kind === 'table' && byOf(table) !== null,
  )
  return spread.flatMap((table) => [
    ...(converted.includes(table.name) ? ownChecks(table) : []),
    ...parentChecks(table, spread, converted),
  ])
}

function ownChecks(table: Table): Check[] {
  const by = byOf(table) as string
  const asked = { of: table, as: 't', from: `${quoteName(table.name)} AS t` } as const
  const unrouted = isUnrouted(table)
  const lacking: Check = {
    ...asked,
    where: `t.${quoteName(by)} IS NULL`,
    rowsAtOnce: null,
    says: `rows of ${table.name} have no ${by}, so that they would lie nowhere`,
  }
  if (unrouted === null) return [lacking]
  const says = `ids of ${table.name} do not carry the slots of their rows: say ids: 'free' in db/app/tables.ts, or have them made anew by a migration (npm run db:generate -- --route-ids ${table.name})`
  return [lacking, { ...asked, where: unrouted, rowsAtOnce: 50_000, says }]
}

/** A row lies beside the row that it refers to. */
function parentChecks(table: Table, spread: readonly Table[], converted: readonly string[]): Check[] {
  return table.relations.flatMap(({ forward, junction, to, on }): Check[] => {
    const parent = spread.find(({ name }) => name === to)
    const isConverted = converted.includes(table.name) || converted.includes(to)
    if (!parent || !forward || junction !== null || !isConverted) return []
    const [own, its] = [byOf(table) as string, byOf(parent) as string]
    // The key itself says it.
    if (on.some(([here, there]) => here === own && there === its)) return []
    const pairs = on.map(([here, there]) => `p.${quoteName(there)} = t.${quoteName(here)}`).join(' AND ')
    const [child, other] = [`${quoteName(table.name)} AS t`, `${quoteName(to)} AS p`]
    const asked = {
      where: `CAST(p.${quoteName(its)} AS TEXT) IS NOT CAST(t.${quoteName(own)} AS TEXT)`,
      rowsAtOnce: null,
      says: `rows of ${table.name} refer to rows of ${to} whose ${its} is not their ${own}: they would not lie beside them`,
    }
    // Whichever of the two has changed.
    return [
      { ...asked, of: table, as: 't', from: `${child} JOIN ${other} ON ${pairs}` },
      { ...asked, of: parent, as: 'p', from: `${other} JOIN ${child} ON ${pairs}` },
    ]
  })
}

/**
 * @param since of rows that have changed behind this position of the change log alone; null: of all
 * @returns what is in the way, in words; null: nothing
 */
export async function problemOfRows(
  database: MigrationDatabase,
  catalog: Catalog,
  converted: readonly string[],
  since: number | null,
): Promise<string | null> {
  for (const check of checksOf(catalog, converted)) {
    const found =
      since === null ? await isBroken(database, check) : await isBrokenSince(database, check, since)
    if (found) return check.says
  }
  return null
}

async function isBrokenSince(database: MigrationDatabase, check: Check, since: number): Promise<boolean> {
  const { of, as, from, where } = check
  return hasRow(database, `${from} WHERE (${where}) AND ${as}.rowid IN (${changedRowids(of, since)})`)
}

async function isBroken(database: MigrationDatabase, check: Check): Promise<boolean> {
  const { of, from, where, rowsAtOnce } = check
  if (rowsAtOnce === null) return hasRow(database, `${from} WHERE ${where}`)
  for (let after = '-9223372036854775808'; ; ) {
    const { results } = await database
      .prepare(
        `SELECT CAST(max(n) AS TEXT) AS n FROM (SELECT rowid AS n FROM ${quoteName(of.name)} WHERE rowid > CAST(? AS INTEGER) ORDER BY rowid LIMIT ${rowsAtOnce})`,
      )
      .bind(after)
      .all<{ n: string | null }>()
    const last = results[0]?.n ?? null
    if (last === null) return false
    if (await hasRow(database, `${from} WHERE t.rowid > ${after} AND t.rowid <= ${last} AND (${where})`))
      return true
    after = last
  }
}

async function hasRow(database: MigrationDatabase, rest: string): Promise<boolean> {
  return (await database.prepare(`SELECT 1 AS n FROM ${rest} LIMIT 1`).all()).results.length > 0
}

/** Row ids of a table's rows that have changed behind a position of the change log. */
export function changedRowids(table: Table, since: number): string {
  const key = table.primaryKey.map((name) => ({ name, isBlob: table.columns.get(name)?.type === 'blob' }))
  const pairs = (key.length > 0 ? key : [{ name: 'rowid', isBlob: false }]).map(
    ({ name, isBlob }, i) =>
      `r.${name === 'rowid' ? name : quoteName(name)} = ${isBlob ? `unhex(c.key ->> ${i})` : `c.key ->> ${i}`}`,
  )
  const keys = `SELECT DISTINCT key FROM _atoll_changes WHERE sequence > ${since} AND name = ${quoteText(table.name)}`
  return `SELECT r.rowid FROM (${keys}) AS c CROSS JOIN ${quoteName(table.name)} AS r ON ${pairs.join(' AND ')}`
}
