/**
 * What those who share the same rights may see of changed rows. The data API is asked, so that policies, columns and forms are its own; of
 * rows that are no more, the policy is asked of what the change log keeps of them.
 * @module
 */

import { type Column, isNumeric, type Table } from '../../db/catalog/catalog.ts'
import type { LoggedChange } from '../../db/changes/change-log.ts'
import { AtollError } from '../../db/errors/atoll-error.ts'
import type { Rights } from '../access/area.ts'
import type { Caller } from '../core/caller.ts'
import { createInnerSession } from '../core/inner-session.ts'
import { seenAmongLogged } from '../rest/area.ts'
import type { ShownRow } from './change-filter.ts'
import { emit } from './events.ts'
import type { Services } from './services.ts'
import { asText, keyText, parseRows } from './shown-key.ts'

/** Where the changes come from. */
export interface Source {
  readonly database: string
  /** The position of the database when they were read. */
  readonly seen: ReadonlyMap<string, string>
  readonly later: (work: Promise<unknown>) => void
}

/** Changed rows, as an audience may see them. */
export interface Seen {
  /** Rows as they are now, by `keyText`. */
  readonly rows: ReadonlyMap<string, ShownRow>
  /** Of rows that are no more, what is known of them, by their change's sequence. */
  readonly gone: ReadonlyMap<number, ShownRow>
  /** Whether old values may be told: no condition stands on any row. */
  readonly showsOld: boolean
}

const nothing: Seen = { rows: new Map(), gone: new Map(), showsOld: false }

/** Keys in one question. */
const keysAtOnce = 100

/**
 * @param schema where the table is called as it is
 * @throws what databases fail with: then it is to be tried again
 */
export async function seenRows(
  changes: readonly LoggedChange[],
  table: Table,
  schema: string,
  rights: Rights,
  source: Source,
  services: Services,
): Promise<Seen> {
  const { caller } = rights
  try {
    const showsOld = rights.rows(table, 'select').kind === 'all'
    const [rows, gone] = await Promise.all([
      readRows(changes, table, schema, caller, source, services),
      readGone(changes, table, rights, source, services),
    ])
    return { rows, gone, showsOld }
  } catch (error) {
    // What the database fails with passes by; what the app's condition or the data API says is said again.
    if (error instanceof AtollError ? error.status >= 500 : !isOfTheApp(error)) throw error
    emit({ kind: 'changes-not-told', table: table.name, role: caller.role, error })
    return nothing
  }
}

/** A condition's own failure: databases fail with errors that name them. */
function isOfTheApp(error: unknown): boolean {
  return (
    error instanceof Error && /no such column|policy of|is not a function|undefined|null/.test(error.message)
  )
}

async function readRows(
  changes: readonly LoggedChange[],
  table: Table,
  schema: string,
  caller: Caller,
  { database, seen, later }: Source,
  { serve }: Services,
): Promise<Map<string, ShownRow>> {
  const wanted = changes.filter(({ operation }) => operation !== 'delete')
  const byKey = new Map(wanted.map((change) => [keyOf(change), change]))
  const rows = new Map<string, ShownRow>()
  const all = [...byKey.values()]
  for (let from = 0; from < all.length; from += keysAtOnce) {
    const some = all.slice(from, from + keysAtOnce)
    const inner = createInnerSession({ depth: 1, seen, primary: true, account: null })
    const url = new URL(`http://atoll.internal/rest/v1/${encodeURIComponent(table.shownName)}`)
    askFor(some, table, url.searchParams)
    // The cache may not know yet of what was written past it.
    const raw = new Request(url, { headers: { 'Accept-Profile': schema, 'Cache-Control': 'no-store' } })
    const response = await serve({ raw, caller, later, inner })
    const text = await response.text()
    if (!response.ok) throw new Error(`changes of ${table.name} of ${database}: ${text}`)
    for (const row of parseRows(text) as ShownRow[]) {
      rows.set(keyText(table.primaryKey.map((name) => row[name])), row)
    }
  }
  return rows
}

/** Writes a filter that leaves rows with these keys. */
function askFor(changes: readonly LoggedChange[], table: Table, query: URLSearchParams): void {
  const keys = changes.map(({ key }) => (parseRows(key) as unknown[]).map(asText))
  const [first] = table.primaryKey as [string]
  if (table.primaryKey.length === 1) {
    query.set(first, `in.(${keys.map(([value]) => quoted(value as string)).join(',')})`)
    return
  }
  const terms = keys.map(
    (values) =>
      `and(${table.primaryKey.map((name, i) => `${name}.eq.${quoted(values[i] as string)}`).join(',')})`,
  )
  query.set('or', `(${terms.join(',')})`)
}

const quoted = (text: string) => `"${text.replace(/[\\"]/g, '\\$&')}"`

async function readGone(
  changes: readonly LoggedChange[],
  table: Table,
  rights: Rights,
  { database }: Source,
  { cluster }: Services,
): Promise<Map<number, ShownRow>> {
  const gone = changes.filter(({ operation }) => operation === 'delete')
  if (gone.length === 0) return new Map()
  const found: number[] = []
  // Large rows are logged without their values.
  for (const some of [gone.filter(({ old }) => old !== null), gone.filter(({ old }) => old === null)]) {
    if (some.length === 0) continue
    const known = some.map((change) => storedOf(change, table))
    const names = new Set(Object.keys(known[0] ?? {}))
    const statement = seenAmongLogged(table, rights, JSON.stringify(known), names)
    if (statement === null) continue
    const [rows = []] = await cluster.open({ reads: false, seen: new Map() }).on(database, [statement])
    for (const { i } of rows) found.push((some[Number(i)] as LoggedChange).sequence)
  }
  const { columns } = rights.seen(table)
  const told = new Set(found)
  return new Map(
    gone
      .filter(({ sequence }) => told.has(sequence))
      .map((change) => [change.sequence, shownOf(storedOf(change, table), columns)]),
  )
}

/** What the log keeps of a row that is no more: values as they are stored. */
function storedOf({ key, value, old }: LoggedChange, table: Table): Record<string, unknown> {
  const values = parseRows(key) as unknown[]
  const by = table.placement.kind === 'distributed' && value !== null ? { [table.placement.by]: value } : {}
  return {
    ...by,
    ...(old === null ? {} : (parseRows(old) as object)),
    ...Object.fromEntries(table.primaryKey.map((name, i) => [name, values[i]])),
  }
}

/** Stored values as the data API shows them, of columns that are seen; without those whose form is made in SQL. */
export function shownOf(
  stored: Readonly<Record<string, unknown>>,
  columns: ReadonlyMap<string, Column>,
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(stored).flatMap(([name, value]) => {
      const column = columns.get(name)
      return column === undefined || column.form !== null ? [] : [[name, shown(value, column)] as const]
    }),
  )
}

function shown(value: unknown, { type }: Column): unknown {
  if (value === null) return null
  if (type === 'boolean') return value === 1
  if (type === 'timestamp' && typeof value === 'number') return new Date(value * 1000).toISOString()
  if (type === 'timestamp_ms' && typeof value === 'number') return new Date(value).toISOString()
  if (type === 'blob' && typeof value === 'string') return `\\x${value.toLowerCase()}`
  if (type === 'json' && typeof value === 'string') return parseRows(value)
  // A distribution value is logged as text.
  if (isNumeric(type) && typeof value === 'string') return parseRows(value)
  return value
}

/** The old values of a row that still is; null where they are not kept. */
export function oldOf(change: LoggedChange, columns: ReadonlyMap<string, Column>): ShownRow | null {
  return change.old === null ? null : shownOf(parseRows(change.old) as Record<string, unknown>, columns)
}

export function keyOf({ key }: LoggedChange): string {
  return keyText(parseRows(key) as unknown[])
}

/** The key as the message of a deleted row has it. */
export function shownKey(change: LoggedChange, table: Table): ShownRow {
  const values = parseRows(change.key) as unknown[]
  return Object.fromEntries(table.primaryKey.map((name, i) => [name, values[i]]))
}
