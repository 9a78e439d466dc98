/**
 * Makes jobs of committed changes: in one transaction the jobs are put in and the cursor moves, so that a change starts its
 * jobs once, whatever fails.
 * @module
 */
import type { Catalog, Column, Table } from '../../db/catalog/catalog.ts'
import { type LoggedChange, loggedChangeOf } from '../../db/changes/change-log.ts'
import { advance, cursorIsAt, readChanges, readCursor } from '../../db/cluster/consumers.ts'
import type { ClusterSession } from '../../db/cluster/session.ts'
import { hasCopies } from '../../db/cluster/track-changes.ts'
import { AtollError } from '../../db/errors/atoll-error.ts'
import { makeUlid } from '../../db/slots/slots.ts'
import type { BoundStatement } from '../../db/sql/statement.ts'
import type { ChangeFilter, RowChange } from './define-job.ts'
import type { Subscription } from './job-registry.ts'
import { insertDead, insertJobs, type NewJob } from './job-rows.ts'
import type { Services } from './services.ts'

/** Changes that are looked at in one transaction, and bytes of values that they hold: an isolate has 128 MB. */
const changesAtOnce = 200
const bytesAtOnce = 2_000_000

/** Transactions in one round: other work of the relay waits meanwhile. */
const roundsAtOnce = 25

const columns = 'sequence, name, key, value, operation, at, columns, old, new'

/** The next changes, the first in any case. */
const nextChanges = `SELECT ${columns} FROM (SELECT *, sum(ifnull(octet_length(old), 0) + ifnull(octet_length(new), 0)) OVER (ORDER BY sequence
  ROWS UNBOUNDED PRECEDING EXCLUDE CURRENT ROW) AS bytes_before FROM (${readChanges('*', 'jobs', changesAtOnce)})) WHERE ifnull(bytes_before, 0) <= ${bytesAtOnce}`

/**
 * @param guards statements that fail when the changes are not to be trusted
 * @returns whether there are changes left to look at
 */
export async function startFromChanges(
  { registry, payloads }: Pick<Services, 'registry' | 'payloads'>,
  catalog: Catalog,
  session: ClusterSession,
  database: string,
  guards: readonly BoundStatement[] = [],
): Promise<boolean> {
  if (registry.subscriptions.size === 0) return false
  for (let round = 0; round < roundsAtOnce; round++) {
    const [cursor = [], rows = []] = await session.on(database, [
      readCursor('jobs'),
      { text: nextChanges, parameters: [] },
    ])
    const at = Number(cursor[0]?.sequence)
    const changes = rows.map(loggedChangeOf)
    if (changes.length === 0) return false
    const jobs: NewJob[] = []
    const dead: NewJob[] = []
    for (const change of changes) {
      // A copy that was brought up is no change: the primary database has told it.
      if (database !== session.cluster.primary && hasCopies(change.table, catalog)) continue
      for (const { job, isWanted } of await jobsOf(
        change,
        registry.subscriptions,
        catalog,
        database,
        payloads,
      )) {
        if (isWanted) jobs.push(job)
        else dead.push(job)
      }
    }
    const upTo = changes.at(-1)?.sequence ?? at
    await session.on(database, [
      ...guards,
      cursorIsAt('jobs', at),
      ...insertJobs(jobs),
      ...(dead.length === 0
        ? []
        : [insertDead(dead, 'its filter `when` threw an error; a retry goes without it')]),
      advance('jobs', upTo),
    ])
  }
  return true
}

interface Started {
  readonly job: NewJob
  /** False when that could not be found out. */
  readonly isWanted: boolean
}

/** The jobs that a change starts. Those of one name and row run one after the other. */
async function jobsOf(
  logged: LoggedChange,
  subscriptions: ReadonlyMap<string, readonly Subscription[]>,
  catalog: Catalog,
  database: string,
  payloads: Services['payloads'],
): Promise<Started[]> {
  const table = catalog.tables.get(logged.table)
  const subscribed = (subscriptions.get(logged.table) ?? []).flatMap(({ job, filters }) => {
    const own = filters.filter((filter) => concerns(filter, logged))
    return own.length === 0 ? [] : [{ job, filters: own }]
  })
  if (!table || subscribed.length === 0) return []
  const change = changeOf(logged, table, database)
  const now = Date.now()
  const started = await Promise.all(
    subscribed.map(async ({ filters, job: { name, queue, deadlineMs } }): Promise<Started | null> => {
      const isWanted = asksFor(filters, change)
      if (isWanted === false) return null
      const id = `${database}.${makeUlid(now)}`
      const job = {
        id,
        name,
        queue,
        payload: await payloadOf(change, id, payloads),
        value: logged.value,
        lane: `${logged.table} ${logged.key}`,
        key: null,
        key_until: null,
        due: now,
        created: now,
        deadline: deadlineMs === null ? null : now + deadlineMs,
      }
      return { job, isWanted: isWanted === true }
    }),
  )
  return started.filter((one) => one !== null)
}

/** Null when the filter fails: one that always does must not hold up all other changes. */
function asksFor(filters: Subscription['filters'], change: RowChange): boolean | null {
  try {
    return filters.some(({ when }) => when?.(change) ?? true)
  } catch {
    return null
  }
}

/** Without R2, a change whose values are too large goes without them. */
async function payloadOf(
  change: RowChange,
  id: string,
  payloads: Services['payloads'],
): Promise<string | null> {
  try {
    return await payloads.put(id, JSON.stringify(change))
  } catch (error) {
    if (!(error instanceof AtollError)) throw error
    return JSON.stringify({ ...change, old: null, new: null } satisfies RowChange)
  }
}

function concerns({ operations, columns }: ChangeFilter, change: LoggedChange): boolean {
  if (!operations.includes(change.operation)) return false
  if (columns === undefined || change.operation !== 'update') return true
  return columns.some((column) => change.columns?.includes(column))
}

/** A change as jobs are given it. */
export function changeOf(logged: LoggedChange, table: Table, database: string): RowChange {
  const { operation, value, columns, at, sequence } = logged
  const key = parseExact(logged.key) as unknown[]
  const names = table.primaryKey.length > 0 ? table.primaryKey : ['rowid']
  return {
    table: table.name,
    operation,
    key: Object.fromEntries(
      names.map((name, i) => [name, shown(key[i], table.columns.get(name) ?? null)] as const),
    ),
    value,
    columns,
    old: valuesOf(logged.old, table),
    new: valuesOf(logged.new, table),
    at: new Date(at).toISOString(),
    database,
    sequence,
  }
}

function valuesOf(text: string | null, table: Table): RowChange['old'] {
  if (text === null) return null
  const values = Object.entries(parseExact(text) as Record<string, unknown>)
  return Object.fromEntries(
    values.map(([name, value]) => [name, shown(value, table.columns.get(name) ?? null)]),
  )
}

/** A stored value as the data API shows it; one that is none of its column's type, as it is. */
function shown(value: unknown, column: Column | null): unknown {
  try {
    return column === null ? value : shownAs(value, column)
  } catch {
    return value
  }
}

function shownAs(value: unknown, column: Column): unknown {
  if (value === null) return value
  switch (column.type) {
    case 'boolean':
      return value === 1
    case 'timestamp':
      return typeof value === 'number' ? new Date(value * 1000).toISOString() : value
    case 'timestamp_ms':
      return typeof value === 'number' ? new Date(value).toISOString() : value
    case 'json':
      return typeof value === 'string' ? parseExact(value) : value
    case 'blob':
      return typeof value === 'string' ? `\\x${value.toLowerCase()}` : value
    default:
      return value
  }
}

/** JSON, but integers that JavaScript's numbers cannot hold are text. */
function parseExact(text: string): unknown {
  const reviver = (_: string, value: unknown, { source }: { readonly source?: string } = {}) =>
    typeof value === 'number' && !Number.isSafeInteger(value) && source && /^-?\d+$/.test(source)
      ? source
      : value
  return JSON.parse(text, reviver as (key: string, value: unknown) => unknown)
}
