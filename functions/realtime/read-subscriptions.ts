/**
 * What a join says of `postgres_changes`: https://supabase.com/docs/guides/realtime/protocol
 * @module
 */
import type { Table } from '../../db/catalog/catalog.ts'
import { Rights } from '../access/area.ts'
import type { Caller } from '../core/caller.ts'
import { readFilters } from './change-filter.ts'
import type { ChangeEvent, Subscription } from './channel.ts'
import type { Engine } from './services.ts'

/** What is answered to a subscription: what was sent, and the id by which messages name it. */
export type Answered = Readonly<Record<string, unknown>> & { readonly id: number }

export interface ReadSubscriptions {
  readonly answered: readonly Answered[]
  readonly subscriptions: readonly Subscription[]
  /** What is wrong with one of them; null: nothing. */
  readonly problem: string | null
  /** Where it left off, as it says; undefined when it does not ask for positions. */
  readonly since: string | null | undefined
}

export function readSubscriptions(sent: unknown, caller: Caller, engine: Engine): ReadSubscriptions {
  const list = Array.isArray(sent) ? sent.filter(isObject) : []
  const answered = list.map((params, i) => ({ ...params, id: idOf(params, i) }))
  const subscriptions: Subscription[] = []
  let problem: string | null = null
  for (const params of answered) {
    const read = readOne(params, caller, engine)
    if (typeof read === 'string') problem ??= read
    else subscriptions.push(read)
  }
  const since = list.find((params) => 'since' in params)?.since
  return {
    answered,
    subscriptions: problem === null ? subscriptions : [],
    problem,
    since: typeof since === 'string' || since === undefined ? since : null,
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** As Supabase's: a number, other for other parameters of one channel (FNV-1a). */
function idOf(params: object, place: number): number {
  let hash = 0x811c9dc5 ^ place
  for (const char of JSON.stringify(params)) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193)
  return hash >>> 5
}

function readOne({ id, ...params }: Answered, caller: Caller, engine: Engine): Subscription | string {
  const { schema = 'public', table = '*', filter, select } = params
  const event = eventOf(params.event)
  const rights = new Rights(engine.catalog, caller)
  const tables = engine.schemas
    .filter(({ name }) => schema === '*' || name === schema)
    .flatMap((served) => [...served.tables].map(([name, one]) => ({ name, one })))
    .filter(({ name, one }) => (table === '*' || name === table) && isToldTo(one, rights, engine))
    .map(({ one }) => rights.seen(one))
  const said = `[event: ${event}, schema: ${schema}, table: ${table}, filters: ${filter ?? '[]'}]`
  if (tables.length === 0) {
    return `Unable to subscribe to changes with given parameters. Please check Realtime is enabled for the given connect parameters: ${said}`
  }
  const columns = Array.isArray(select) ? select.filter((name) => typeof name === 'string') : []
  if (table === '*' && (columns.length > 0 || (filter ?? '') !== '')) {
    return 'Column selection and filters are not supported for wildcard subscriptions. Provide an explicit schema and table name.'
  }
  for (const one of tables) {
    const filters = readFilters(filter, one)
    const unknown = columns.find((name) => !one.columns.has(name))
    if (typeof filters === 'string' || unknown !== undefined) {
      const why = typeof filters === 'string' ? filters : `invalid column for select ${unknown}`
      return `Unable to subscribe to changes with given parameters. An exception happened so please check your connect parameters: ${said}. Exception: ${why}`
    }
  }
  return {
    id,
    event,
    schema: String(schema),
    tables: tables.map(({ name }) => name),
    filter: typeof filter === 'string' && filter !== '' ? filter : null,
    select: columns.length > 0 ? columns : null,
  }
}

function eventOf(event: unknown): ChangeEvent | '*' {
  const upper = String(event).toUpperCase()
  return upper === 'INSERT' || upper === 'UPDATE' || upper === 'DELETE' ? upper : '*'
}

/** Rows must have a key that the caller sees, and that is told apart as text. */
export function isToldTo(table: Table, rights: Rights, { realtime: { tables } }: Engine): boolean {
  if (!tables.has(table.name) || !rights.has(table, 'select')) return false
  const { columns } = rights.seen(table)
  return (
    table.primaryKey.length > 0 &&
    table.primaryKey.every((name) => {
      const column = columns.get(name)
      return column?.form === null && (column.type === 'integer' || column.type === 'text')
    })
  )
}
