/**
 * Makes of changes what each channel is to be told. Who share a role, and what policies decide for them, share the questions and the texts: a
 * thousand subscribers of one role cost one question.
 * @module
 */

import type { Column, Table } from '../../db/catalog/catalog.ts'
import type { LoggedChange } from '../../db/changes/change-log.ts'
import { Rights } from '../access/area.ts'
import type { Caller } from '../core/caller.ts'
import { type ChangeFilter, passes, readFilters, type ShownRow } from './change-filter.ts'
import type { ChangeEvent, Subscription } from './channel.ts'
import { emit } from './events.ts'
import { isToldTo } from './read-subscriptions.ts'
import { keyOf, oldOf, type Seen, type Source, seenRows, shownKey } from './seen-rows.ts'
import type { Engine, Services } from './services.ts'
import type { Member } from './sockets.ts'

/** A change for one channel. */
export interface Told {
  readonly member: Member
  readonly sequence: number
  /** `"ids":[…],"data":{…}`: JSON without its braces. */
  readonly body: string
}

/** What one role sees of one table, with what policies decide for the caller. */
interface Audience {
  readonly rights: Rights
  readonly table: Table
  readonly schema: string
  readonly columns: ReadonlyMap<string, Column>
  seen: Seen | null
}

interface Wish {
  readonly subscription: Subscription
  readonly audience: Audience
  readonly filters: readonly ChangeFilter[]
}

/** @throws what databases fail with: then nothing was told, and all is to be tried again */
export async function tellChanges(
  changes: readonly LoggedChange[],
  members: Iterable<Member>,
  source: Source,
  engine: Engine,
  services: Services,
): Promise<Told[]> {
  const changed = new Map<string, LoggedChange[]>()
  for (const change of changes) {
    const own = changed.get(change.table) ?? []
    own.push(change)
    changed.set(change.table, own)
  }
  const audiences = new Audiences(engine)
  /** By table: who wishes what. */
  const wishes = new Map<string, Map<Member, Wish[]>>()
  for (const member of members) {
    for (const subscription of member.channel.subscriptions) {
      for (const name of subscription.tables) {
        if (!changed.has(name)) continue
        const wish = audiences.wishOf(subscription, name, member.channel.caller)
        if (wish === null) continue
        const byMember = wishes.get(name) ?? new Map<Member, Wish[]>()
        byMember.set(member, [...(byMember.get(member) ?? []), wish])
        wishes.set(name, byMember)
      }
    }
  }
  await Promise.all(
    audiences.all.map(async (audience) => {
      const { table, schema, rights } = audience
      const own = changed.get(table.name) ?? []
      audience.seen = await seenRows(own, table, schema, rights, source, services)
    }),
  )
  const told: Told[] = []
  for (const change of changes) {
    const texts = new Map<string, string>()
    for (const [member, own] of wishes.get(change.table) ?? []) {
      for (const body of bodiesFor(change, own, texts)) told.push({ member, sequence: change.sequence, body })
    }
  }
  return told
}

class Audiences {
  readonly #engine: Engine
  readonly #byKey = new Map<string, Audience>()
  /** What is the same for callers of whom the same is said; null: they are not told. */
  readonly #byCaller = new Map<string, Audience | null>()
  readonly #callers = new WeakMap<Caller, string>()
  readonly #filters = new Map<string, readonly ChangeFilter[] | null>()

  constructor(engine: Engine) {
    this.#engine = engine
  }

  get all(): readonly Audience[] {
    return [...this.#byKey.values()]
  }

  wishOf(subscription: Subscription, name: string, caller: Caller): Wish | null {
    const table = this.#engine.catalog.tables.get(name)
    if (!table) return null
    const said = this.#callers.get(caller) ?? JSON.stringify([caller.role, caller.sub, caller.claims])
    this.#callers.set(caller, said)
    const asked = `${name}\n${subscription.schema}\n${said}`
    const known = this.#byCaller.get(asked)
    const audience = known === undefined ? this.#open(table, subscription.schema, caller) : known
    this.#byCaller.set(asked, audience)
    if (audience === null) return null
    const filters = this.#filtersOf(subscription, audience, caller.role)
    return filters === null ? null : { subscription, audience, filters }
  }

  #open(table: Table, schema: string, caller: Caller): Audience | null {
    const { catalog, schemas } = this.#engine
    const rights = new Rights(catalog, caller)
    try {
      if (!isToldTo(table, rights, this.#engine)) return null
      rights.rows(table, 'select')
      const key = JSON.stringify([table.name, schema, caller.role, rights.decisions()])
      const same = this.#byKey.get(key)
      if (same) return same
      const where =
        schema === '*'
          ? (schemas.find(({ tables }) => tables.get(table.shownName) === table)?.name ?? '')
          : schema
      const { columns } = rights.seen(table)
      const audience: Audience = { rights, table, schema: where, columns, seen: null }
      this.#byKey.set(key, audience)
      return audience
    } catch (error) {
      emit({ kind: 'changes-not-told', table: table.name, role: caller.role, error })
      return null
    }
  }

  /** Null when they ask for what the role does not see, as it may be another than that which subscribed. */
  #filtersOf(
    { filter }: Subscription,
    { table, columns }: Audience,
    role: string,
  ): readonly ChangeFilter[] | null {
    if (filter === null) return none
    const key = `${table.name}\n${role}\n${filter}`
    const known = this.#filters.get(key)
    if (known !== undefined) return known
    const read = readFilters(filter, { ...table, columns })
    const filters = typeof read === 'string' ? null : read
    this.#filters.set(key, filters)
    return filters
  }
}

const none: readonly ChangeFilter[] = []
const events = { insert: 'INSERT', update: 'UPDATE', delete: 'DELETE' } as const

/** What one channel is told of a change: once for each choice of columns. */
function bodiesFor(change: LoggedChange, wishes: readonly Wish[], texts: Map<string, string>): string[] {
  const type = events[change.operation]
  const ids = new Map<string, { readonly wish: Wish; readonly ids: number[] }>()
  for (const wish of wishes) {
    const { subscription, audience, filters } = wish
    if (subscription.event !== '*' && subscription.event !== type) continue
    const row = rowOf(change, audience)
    // A filter that is on what nobody knows of a row that is no more leaves it out for nobody.
    const passed = row === null ? false : (passes(filters, row, audience.table) ?? type === 'DELETE')
    if (!passed) continue
    const choice = JSON.stringify(subscription.select)
    const own = ids.get(choice) ?? { wish, ids: [] }
    own.ids.push(subscription.id)
    ids.set(choice, own)
  }
  return [...ids.values()].map(
    ({ wish, ids }) => `"ids":[${ids}],"data":${dataOf(change, type, wish, texts)}`,
  )
}

/** The row that filters are asked of; null when it is not seen. */
function rowOf(change: LoggedChange, { seen }: Audience): ShownRow | null {
  if (change.operation === 'delete') return seen?.gone.get(change.sequence) ?? null
  return seen?.rows.get(keyOf(change)) ?? null
}

const audienceIds = new WeakMap<Audience, number>()
let nextAudience = 0

function dataOf(change: LoggedChange, type: ChangeEvent, wish: Wish, texts: Map<string, string>): string {
  const { audience, subscription } = wish
  const id = audienceIds.get(audience) ?? nextAudience++
  audienceIds.set(audience, id)
  const key = `${id}\n${JSON.stringify(subscription.select)}`
  const known = texts.get(key)
  if (known !== undefined) return known
  const { table, schema, columns, seen } = audience
  const chosen = (row: ShownRow) =>
    subscription.select === null
      ? row
      : Object.fromEntries(Object.entries(row).filter(([name]) => subscription.select?.includes(name)))
  const record = type === 'DELETE' ? {} : chosen(rowOf(change, audience) as ShownRow)
  const old = type === 'UPDATE' && seen?.showsOld ? oldOf(change, columns) : null
  const names = type === 'DELETE' ? table.primaryKey : Object.keys(record)
  const text = JSON.stringify({
    schema,
    table: table.shownName,
    commit_timestamp: new Date(change.at).toISOString(),
    type,
    columns: names.flatMap((name) => {
      const column = columns.get(name)
      return column === undefined ? [] : [{ name, type: typeOf(column) }]
    }),
    record,
    ...(type === 'INSERT' ? {} : { old_record: { ...(old && chosen(old)), ...shownKey(change, table) } }),
    errors: null,
  })
  texts.set(key, text)
  return text
}

/** What PostgreSQL would call it: realtime-js makes values of texts by it. */
function typeOf({ type, form }: Column): string {
  if (form !== null) return 'text'
  return {
    integer: 'int8',
    real: 'float8',
    numeric: 'numeric',
    text: 'text',
    boolean: 'bool',
    json: 'jsonb',
    timestamp: 'timestamptz',
    timestamp_ms: 'timestamptz',
    blob: 'bytea',
  }[type]
}
