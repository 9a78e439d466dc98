/**
 * Rows and the slots in which they belong, many at once: slots are worked out here, as SQL takes a tenth of a millisecond for each.
 * @module
 */
import type { ClusterSession } from '../cluster/session.ts'
import { slotOf } from '../slots/slots.ts'
import { quoteName } from '../sql/quote.ts'
import { type Cargo, keyText } from './cargo.ts'

/** A row that was looked at. */
export interface Looked {
  /** As text: integers of SQLite have 64 bits. */
  readonly rowid: string
  /** Null: it has no distribution value. */
  readonly slot: number | null
}

/** Rows that are looked at together, at most. */
export const mostLooked = 5000
/** Longest value that is told with all others, in bytes: so many of them, escaped, fit into one text. */
const longest = 60
/** Values that are longer, at once. */
const longAtOnce = 20
/** Below every rowid. */
export const beforeAll = '-9223372036854775808'

/** The next rows of a table in the order of rowids. @param after the rowid before the first */
export async function lookAt(
  session: ClusterSession,
  database: string,
  { name, by }: Pick<Cargo, 'name' | 'by'>,
  after: string,
  limit: number,
): Promise<Looked[]> {
  const value = `CAST(${quoteName(by)} AS TEXT)`
  // Zero characters do not pass through JSON.
  const isLong = `octet_length(value) > ${longest} OR instr(value, char(0)) > 0`
  const [[row] = []] = await session.on(database, [
    {
      text: `SELECT json_group_array(CAST(at AS TEXT)) AS rowids, json_group_array(iif(${isLong}, 0, value)) AS texts
        FROM (SELECT rowid AS at, ${value} AS value FROM ${quoteName(name)} WHERE rowid > CAST(?1 AS INTEGER) ORDER BY rowid LIMIT CAST(?2 AS INTEGER))`,
      parameters: [after, String(limit)],
    },
  ])
  const rowids = JSON.parse(row?.rowids as string) as string[]
  const values = JSON.parse(row?.texts as string) as (string | null | 0)[]
  const long = rowids.filter((_, i) => values[i] === 0)
  const longSlots = new Map<string, number>()
  for (let from = 0; from < long.length; from += longAtOnce) {
    const [rows = []] = await session.on(database, [
      {
        text: `SELECT CAST(rowid AS TEXT) AS at, ${value} AS value FROM ${quoteName(name)} WHERE rowid IN (SELECT CAST(value AS INTEGER) FROM json_each(?1))`,
        parameters: [JSON.stringify(long.slice(from, from + longAtOnce))],
      },
    ])
    for (const { at, value: text } of rows) longSlots.set(at as string, slotOf(text as string))
  }
  return rowids.map((rowid, i) => {
    const text = values[i]
    return { rowid, slot: typeof text === 'string' ? slotOf(text) : (longSlots.get(rowid) ?? null) }
  })
}

/** How far a database has been looked through for rows that lie where their slots are not. */
export interface StrayLook {
  /** Tables that are done, and the last rowid of the next one. */
  readonly tables: number
  readonly after: string
  readonly looked: number
  readonly found: number
  /** The first of them. */
  readonly shown: readonly { readonly table: string; readonly key: string; readonly slot: number }[]
}

/** Nothing is looked at yet. */
export const noLook: StrayLook = { tables: 0, after: beforeAll, looked: 0, found: 0, shown: [] }
const mostShown = 20

/** Looks at the next rows of a database. @param owned the slots that it has @returns how far it is by then */
export async function lookForStrays(
  session: ClusterSession,
  database: string,
  cargo: readonly Cargo[],
  owned: readonly (readonly [first: number, last: number])[],
  at: StrayLook,
): Promise<StrayLook> {
  const one = cargo[at.tables]
  if (one === undefined) return at
  const rows = await lookAt(session, database, one, at.after, mostLooked)
  const strays = rows.filter(
    ({ slot }) => slot !== null && !owned.some(([first, last]) => first <= slot && slot <= last),
  )
  const named = strays.slice(0, mostShown - at.shown.length)
  const [keys = []] =
    named.length === 0
      ? []
      : await session.on(database, [
          {
            text: `SELECT CAST(rowid AS TEXT) AS at, ${keyText(one)} AS key FROM ${quoteName(one.name)} WHERE rowid IN (SELECT CAST(value AS INTEGER) FROM json_each(?1))`,
            parameters: [JSON.stringify(named.map(({ rowid }) => rowid))],
          },
        ])
  const isDone = rows.length < mostLooked
  return {
    tables: at.tables + (isDone ? 1 : 0),
    after: isDone ? beforeAll : (rows.at(-1)?.rowid as string),
    looked: at.looked + rows.length,
    found: at.found + strays.length,
    shown: [
      ...at.shown,
      ...keys.map((row) => ({
        table: one.name,
        key: row.key as string,
        slot: named.find(({ rowid }) => rowid === row.at)?.slot as number,
      })),
    ],
  }
}
