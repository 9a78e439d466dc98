/**
 * Lays a shard's copies of reference tables anew, as a whole: after a restore the log does not say what they lack, or what they have too much.
 * A row that the primary database does not have, and that rows on the shard refer to, comes back there first: else they would refer to nothing,
 * or to another row that is given the same id. Where another row has its unique value by now, it comes back with one of its own.
 * @module
 */
import { type Catalog, type Table, writtenColumns } from '../catalog/catalog.ts'
import { parentsFirst } from '../catalog/parents-first.ts'
import { layCopies } from '../cluster/lay-copies.ts'
import type { ClusterSession } from '../cluster/session.ts'
import { staleCopyMark } from '../errors/constraint-error.ts'
import { quoteName } from '../sql/quote.ts'
import type { BoundStatement, Row } from '../sql/statement.ts'
import { copyText, rowArray } from '../system/copy-reference-tables.ts'
import { permitted } from '../system/permits.ts'
import { referenceTables } from '../system/reference-triggers.ts'
import { noteConflict } from './conflicts.ts'
import type { RepairNote } from './repair-note.ts'

const rowsPerRead = 1000
/** Characters of rows in one parameter. */
const maxChunk = 250_000
/** Times that it begins again when others lay copies meanwhile. */
const maxTries = 5

/** A row of the shard that the primary database does not have. */
interface Surplus {
  readonly table: Table
  /** JSON array of its primary key; of its values, as `copyText` takes them. */
  readonly key: string
  readonly row: string
  /** Whether a distributed row refers to it. */
  readonly isReferred: boolean
  /** Keys of rows that it refers to itself, by table, as JSON arrays of the columns that are referred to. */
  readonly parents: readonly { readonly table: string; readonly columns: string; readonly values: string }[]
}

export async function layAnew(
  session: ClusterSession,
  shard: string,
  catalog: Catalog,
  tell: (note: RepairNote) => void,
): Promise<void> {
  const tables = parentsFirst(referenceTables(catalog))
  if (tables.length === 0) return
  for (let tries = 1; ; tries++) {
    // Whatever changes while rows are read is in the log from here on, and is applied again.
    const [[log] = []] = await session.primary([
      {
        text: "SELECT ifnull((SELECT seq FROM sqlite_sequence WHERE name = '_atoll_reference_log'), 0) AS n",
        parameters: [],
      },
    ])
    const rows = await rowsOfPrimary(session, tables)
    const surplus = await surplusOn(session, shard, tables, rows, catalog)
    const needed = closure(surplus)
    const refused = needed.length === 0 ? [] : await bringBack(session, needed, tables)
    if (needed.length > 0) {
      tellOf(needed, refused, shard, tell)
      for (const { table, key, row } of refused) {
        await noteConflict(session, shard, 'row', table.name, key, { row })
      }
      // What has come back is laid with everything else.
      if (refused.length < needed.length) continue
    }
    const statements = [
      isNoFurther(Number(log?.n ?? 0)),
      { text: 'PRAGMA defer_foreign_keys = ON', parameters: [] },
      ...[...tables].reverse().map((table) => {
        const kept = refused.filter((one) => one.table === table).map(({ key }) => ({ k: key }))
        return removal(table, [...(rows.get(table) ?? []), ...kept], catalog)
      }),
      ...tables.flatMap((table) =>
        chunksOf((rows.get(table) ?? []).map(({ r }) => r as string)).map(
          (chunk): BoundStatement => ({ text: copyText(table), parameters: [chunk] }),
        ),
      ),
      {
        text: 'UPDATE _atoll_shard SET reference_sequence = CAST(?1 AS INTEGER)',
        parameters: [String(Number(log?.n ?? 0))],
      },
    ]
    const laid = await layCopies(shard, statements, session, catalog)
    if (laid !== null) {
      tell({
        kind: 'copies',
        database: shard,
        rows: [...rows.values()].reduce((sum, own) => sum + own.length, 0),
      })
      return
    }
    // What the shard must keep is in the way of what it should have: that is listed, and everything else goes on.
    if (refused.length > 0) return
    if (tries >= maxTries) throw new Error(`the copies on ${shard} could not be laid`)
  }
}

/** Copies that know more of the log than what was read for these are left alone. */
function isNoFurther(sequence: number): BoundStatement {
  return {
    text: `SELECT CASE WHEN reference_sequence <= CAST(?1 AS INTEGER) THEN 1 ELSE json_extract('{}','${staleCopyMark}') END FROM _atoll_shard`,
    parameters: [String(sequence)],
  }
}

async function rowsOfPrimary(
  session: ClusterSession,
  tables: readonly Table[],
): Promise<ReadonlyMap<Table, readonly Row[]>> {
  const found = new Map<Table, readonly Row[]>()
  for (const table of tables) {
    const rows: Row[] = []
    const key = table.primaryKey.map(quoteName).join(', ')
    for (;;) {
      const [more = []] = await session.primary([
        {
          text: `SELECT ${rowArray(table)} AS r, ${keyArray(table)} AS k FROM ${quoteName(table.name)} ORDER BY ${key} LIMIT ${rowsPerRead} OFFSET ${rows.length}`,
          parameters: [],
        },
      ])
      rows.push(...more)
      if (more.length < rowsPerRead) break
    }
    found.set(table, rows)
  }
  return found
}

const keyArray = ({ primaryKey }: Table, of = '') =>
  `json_array(${primaryKey.map((name) => `${of}${quoteName(name)}`).join(', ')})`

/** That a row's key is in none of the lists, each a parameter from a number on. */
function isGone(table: Table, lists: number): string {
  const names = table.primaryKey.map(quoteName)
  const listed = table.primaryKey.map((_, i) => `value->>${i}`).join(', ')
  return Array.from(
    { length: lists },
    (_, i) =>
      `${names.length === 1 ? names[0] : `(${names.join(', ')})`} NOT IN (SELECT ${listed} FROM json_each(?${i + 1}))`,
  ).join(' AND ')
}

/** That a distributed row refers to a row of a table. */
function isReferred(table: Table, catalog: Catalog): string {
  const by = table.relations.flatMap(({ forward, junction, to, on }) => {
    const child = catalog.tables.get(to)
    if (forward || junction !== null || child?.kind !== 'table' || child.placement.kind !== 'distributed')
      return []
    const equal = on.map(
      ([here, there]) => `c.${quoteName(there)} = ${quoteName(table.name)}.${quoteName(here)}`,
    )
    return [`EXISTS (SELECT 1 FROM ${quoteName(to)} AS c WHERE ${equal.join(' AND ')})`]
  })
  return by.length === 0 ? '0' : `(${by.join(' OR ')})`
}

/** Takes away what the primary database does not have and nothing refers to. */
function removal(table: Table, rows: readonly Row[], catalog: Catalog): BoundStatement {
  const lists = keyLists(rows)
  return {
    text: `DELETE FROM ${quoteName(table.name)} WHERE ${isGone(table, lists.length)} AND NOT ${isReferred(table, catalog)}`,
    parameters: lists,
  }
}

/** Keys as lists that fit into a parameter each; one at least. */
function keyLists(rows: readonly Row[]): string[] {
  return rows.length === 0 ? ['[]'] : chunksOf(rows.map(({ k }) => k as string))
}

async function surplusOn(
  session: ClusterSession,
  shard: string,
  tables: readonly Table[],
  rows: ReadonlyMap<Table, readonly Row[]>,
  catalog: Catalog,
): Promise<Surplus[]> {
  const found: Surplus[] = []
  for (const table of tables) {
    const lists = keyLists(rows.get(table) ?? [])
    const parents = table.relations.filter(
      ({ forward, junction, to }) => forward && junction === null && tables.some(({ name }) => name === to),
    )
    const values = parents.map(
      ({ on }, i) => `json_array(${on.map(([here]) => quoteName(here)).join(', ')}) AS p${i}`,
    )
    const [surplus = []] = await session.on(shard, [
      {
        text: `SELECT ${[`${rowArray(table)} AS r`, `${keyArray(table)} AS k`, `${isReferred(table, catalog)} AS referred`, ...values].join(', ')} FROM ${quoteName(table.name)} WHERE ${isGone(table, lists.length)}`,
        parameters: lists,
      },
    ])
    for (const row of surplus) {
      found.push({
        table,
        key: row.k as string,
        row: row.r as string,
        isReferred: Number(row.referred) === 1,
        parents: parents.map(({ to, on }, i) => ({
          table: to,
          columns: JSON.stringify(on.map(([, there]) => there)),
          values: row[`p${i}`] as string,
        })),
      })
    }
  }
  return found
}

/** Those that are referred to, and those that they refer to in turn. Only keys are followed: nearly all foreign keys are to those. */
function closure(surplus: readonly Surplus[]): readonly Surplus[] {
  const byKey = new Map(
    surplus.map((one) => [`${one.table.name} ${JSON.stringify(one.table.primaryKey)} ${one.key}`, one]),
  )
  const needed = new Set<Surplus>()
  const open = surplus.filter((one) => one.isReferred)
  for (let one = open.pop(); one; one = open.pop()) {
    if (needed.has(one)) continue
    needed.add(one)
    for (const { table, columns, values } of one.parents) {
      const parent = byKey.get(`${table} ${columns} ${values}`)
      if (parent) open.push(parent)
    }
  }
  return surplus.filter((one) => needed.has(one))
}

/** @returns those that the primary database does not take: another row has their unique value by now, or what they refer to is gone */
async function bringBack(
  session: ClusterSession,
  needed: readonly Surplus[],
  tables: readonly Table[],
): Promise<Surplus[]> {
  const refused: Surplus[] = []
  const put = (rows: readonly Surplus[], table: Table) =>
    session.primary(
      permitted([
        { text: 'PRAGMA defer_foreign_keys = ON', parameters: [] },
        ...chunksOf(rows.map(({ row }) => row)).map((chunk) => ({
          text: copyText(table).replace(/ ON CONFLICT .*$/, ' ON CONFLICT DO NOTHING'),
          parameters: [chunk],
        })),
      ]),
    )
  for (const table of tables) {
    const own = needed.filter((one) => one.table === table)
    if (own.length === 0) continue
    await put(own, table).catch(() => undefined)
    const isThere = `SELECT json_array(${table.primaryKey.map(quoteName).join(', ')}) AS k FROM ${quoteName(table.name)} WHERE NOT (${isGone(table, 1)})`
    const missing = async () => {
      const there = new Set<string>()
      for (const list of chunksOf(own.map(({ key }) => key))) {
        const [rows = []] = await session.primary([{ text: isThere, parameters: [list] }])
        for (const { k } of rows) there.add(k as string)
      }
      return own.filter(({ key }) => !there.has(key))
    }
    // One that is refused must not keep the others away.
    for (const one of await missing()) await put([one], table).catch(() => undefined)
    for (const one of await missing()) await put([renamed(one)], table).catch(() => undefined)
    refused.push(...(await missing()))
  }
  return refused
}

const { rawJSON } = JSON as unknown as { readonly rawJSON: (text: string) => unknown }

/** A row whose unique values others may have by now, under values of its own: what refers to it must find it. */
function renamed(one: Surplus): Surplus {
  const { table, key } = one
  // Numbers keep all their digits.
  const exact = (_: string, value: unknown, { source = '' }: { readonly source?: string } = {}) =>
    typeof value === 'number' ? rawJSON(source) : value
  const values = JSON.parse(one.row, exact as (key: string, value: unknown) => unknown) as unknown[]
  const names = writtenColumns(table).map(({ name }) => name)
  const unique = table.uniques
    .flatMap(({ columns }) => columns)
    .filter((name) => !table.primaryKey.includes(name))
  for (const name of unique) {
    const i = names.indexOf(name)
    if (typeof values[i] === 'string') values[i] = `${values[i]} (restored ${key})`
    else if (table.columns.get(name)?.nullable) values[i] = null
  }
  return { ...one, row: JSON.stringify(values) }
}

function tellOf(
  needed: readonly Surplus[],
  refused: readonly Surplus[],
  database: string,
  tell: (note: RepairNote) => void,
): void {
  for (const [table, own] of Map.groupBy(needed, (one) => one.table.name)) {
    const kept = own.filter((one) => refused.includes(one)).map(({ key }) => key)
    const back = own.filter((one) => !refused.includes(one)).map(({ key }) => key)
    if (back.length > 0) tell({ kind: 'came-back', table, keys: back })
    if (kept.length > 0) tell({ kind: 'kept', table, database, keys: kept })
  }
}

/** JSON texts as JSON arrays, none of them longer than fits into a parameter. */
function chunksOf(items: readonly string[]): string[] {
  const chunks: string[] = []
  let chunk: string[] = []
  let length = 0
  for (const item of items) {
    if (chunk.length > 0 && length + item.length > maxChunk) {
      chunks.push(`[${chunk.join(',')}]`)
      chunk = []
      length = 0
    }
    chunk.push(item)
    length += item.length
  }
  if (chunk.length > 0) chunks.push(`[${chunk.join(',')}]`)
  return chunks
}
