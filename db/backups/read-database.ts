/**
 * What a backup reads of one database: which tables, what must not change meanwhile, rows that have changed, and, in one last transaction, whatever
 * is left of its change log together with where that ends.
 * @module
 */
import type { Catalog, Table } from '../catalog/catalog.ts'
import { parentsFirst } from '../catalog/parents-first.ts'
import type { ClusterSession } from '../cluster/session.ts'
import { type Imaged, keyedOf, readShapes } from '../moves/cargo.ts'
import { keepLogFromEnd, logEnd, type Read, readChanged } from '../moves/read-rows.ts'
import type { BoundStatement, Row } from '../sql/statement.ts'
import type { BackupTable, Line } from './format.ts'
import { decisions } from './what-is-kept.ts'

/** A table of a backup as a database has it. */
export interface ReadTable extends Read {
  readonly placement: BackupTable['placement']
}

/** What is read of a database. */
export interface Source {
  /** In the change log; those that others refer to come first. */
  readonly logged: readonly ReadTable[]
  /** Not in the log: read as a whole at the end. */
  readonly whole: readonly ReadTable[]
}

const systemKey: Readonly<Record<string, readonly string[]>> = {
  _atoll_buckets: ['id'],
  _atoll_objects: ['bucket', 'name'],
  _atoll_jobs: ['sequence'],
  _atoll_job_steps: ['job', 'step'],
  _atoll_dead_letters: ['id'],
  _atoll_sequences: ['name'],
}
/** Those that only the primary database has. */
const onPrimaryOnly = new Set(['_atoll_buckets', '_atoll_objects', '_atoll_sequences'])

/** The tables of a database that a backup reads. @param isPrimary whether reference and local tables are there */
export async function readSource(
  session: ClusterSession,
  database: string,
  catalog: Catalog,
  isPrimary: boolean,
): Promise<Source> {
  const served = parentsFirst(
    [...catalog.tables.values()].filter(
      ({ kind, placement }) => kind === 'table' && (isPrimary || placement.kind === 'distributed'),
    ),
  )
  const own = decisions.filter(({ table }) => table in systemKey && (isPrimary || !onPrimaryOnly.has(table)))
  const unserved = isPrimary ? await unservedTables(session, database, catalog) : []
  const keyed = [
    ...served.map(keyedOf),
    ...own.map(({ table }) => ({
      name: table,
      key: (systemKey[table] as readonly string[]).map((name) => ({ name, isBlob: false })),
    })),
    ...unserved.map((name) => ({ name, key: [{ name: 'rowid', isBlob: false }] })),
  ]
  const shapes = await readShapes(session, database, keyed)
  const read = (shape: Imaged): ReadTable => {
    const table = catalog.tables.get(shape.name)
    const placement = table?.placement.kind ?? (shape.name in systemKey ? 'system' : 'local')
    return { ...shape, by: byOf(table), placement }
  }
  const isLogged = ({ name }: Imaged) =>
    own.every(({ table, decision }) => table !== name || decision === 'logged') && !unserved.includes(name)
  const there = shapes.filter(({ columns }) => columns.length > 0)
  return {
    logged: there.filter(isLogged).map(read),
    whole: there.filter((shape) => !isLogged(shape)).map(read),
  }
}

const byOf = (table: Table | undefined) =>
  table?.placement.kind === 'distributed' ? table.placement.by : null

/** Tables of the app that it does not declare: nothing logs their changes. */
async function unservedTables(
  session: ClusterSession,
  database: string,
  catalog: Catalog,
): Promise<string[]> {
  const [rows = []] = await session.on(database, [
    {
      text: `SELECT l.name FROM pragma_table_list AS l WHERE l.schema = 'main' AND l.type = 'table' AND l.wr = 0 AND l.name NOT GLOB '_atoll_*' AND l.name NOT GLOB 'sqlite_*' AND l.name NOT GLOB '_cf_*' AND l.name <> 'd1_migrations' AND l.name NOT IN (SELECT value FROM json_each(?1)) ORDER BY l.name`,
      parameters: [JSON.stringify([...catalog.tables.keys()])],
    },
  ])
  return rows.map(({ name }) => name as string)
}

/**
 * What must be the same at the beginning and at the end, as one text: the slots that the database has and the epoch at which they last changed, as
 * the change log does not tell of moves; which life of the database it is; the schema, and where its tables lie; rows that a restore has laid.
 */
export const readMarks: BoundStatement = {
  text: `SELECT json_array((SELECT epoch FROM _atoll_shard), (SELECT incarnation FROM _atoll_incarnation), (SELECT json_group_array(name) FROM (SELECT name FROM d1_migrations ORDER BY id)), (SELECT json_group_array(sql) FROM (SELECT sql FROM sqlite_schema WHERE type = 'table' AND name NOT GLOB '_atoll_*' ORDER BY name)), (SELECT json_group_array(json_array(name, placement)) FROM (SELECT name, placement FROM _atoll_placements ORDER BY name)), (SELECT value FROM _atoll_state WHERE key = 'restored-rows')) AS marks, EXISTS (SELECT 1 FROM _atoll_slots WHERE state <> 'open') AS moving`,
  parameters: [],
}

/** Changes that one look at the log takes in. */
const changesAtOnce = 200

/** Of the log, what has been read again. */
export interface Followed {
  readonly lines: readonly Line[]
  readonly position: number
  /** How far the log is beyond. */
  readonly lag: number
}

/** Under which a database keeps its log for a backup. */
export const cursorOf = (id: string) => `backup:${id}`

/** Lets a database keep its log from a position on. */
export function keepLog(id: string, position: number): BoundStatement {
  return {
    // A cursor that is gone must not come back: what is behind it may have gone, too.
    text: 'UPDATE _atoll_cursors SET sequence = CAST(?2 AS INTEGER) WHERE consumer = ?1',
    parameters: [cursorOf(id), String(position)],
  }
}

/** The same from where the log is now. */
export const keepLogFromHere = (id: string) => keepLogFromEnd(cursorOf(id))

/** The same from where a database keeps its log for another backup, if it has all of that log; answers with the position. */
export function keepLogFrom(id: string, parent: string): BoundStatement {
  return {
    text: 'INSERT OR REPLACE INTO _atoll_cursors SELECT ?1, sequence FROM _atoll_cursors WHERE consumer = ?2 AND NOT EXISTS (SELECT 1 FROM _atoll_cursors WHERE consumer = ?3) RETURNING sequence',
    parameters: [cursorOf(id), cursorOf(parent), `${cursorOf(parent)}:lost`],
  }
}

/** The log is kept for no backup any more that was asked for before one. */
export function letEarlierLogsGo(id: string): BoundStatement {
  return {
    text: "DELETE FROM _atoll_cursors WHERE consumer GLOB 'backup:*' AND consumer < ?1",
    parameters: [cursorOf(id)],
  }
}

/** A database keeps its log for this backup no longer. */
export function letLogGo(id: string): BoundStatement {
  return {
    text: 'DELETE FROM _atoll_cursors WHERE consumer IN (?1, ?2)',
    parameters: [cursorOf(id), `${cursorOf(id)}:lost`],
  }
}

/** Tells by a row that the log was cut off before it was read, or may have been. */
export const lostText = (id: string): BoundStatement => ({
  text: 'SELECT 1 WHERE EXISTS (SELECT 1 FROM _atoll_cursors WHERE consumer = ?1) OR NOT EXISTS (SELECT 1 FROM _atoll_cursors WHERE consumer = ?2)',
  parameters: [`${cursorOf(id)}:lost`, cursorOf(id)],
})

/** Reads rows again that have changed behind a position. @returns null when the log no longer reaches back to it */
export async function follow(
  session: ClusterSession,
  id: string,
  database: string,
  { logged }: Source,
  position: number,
): Promise<Followed | null> {
  const [[end] = [], lost = [], changes = []] = await session.on(database, [
    logEnd,
    lostText(id),
    {
      text: `SELECT sequence, name, key FROM _atoll_changes WHERE sequence > CAST(?1 AS INTEGER) ORDER BY sequence LIMIT ${changesAtOnce}`,
      parameters: [String(position)],
    },
  ])
  const last = Number(end?.n ?? 0)
  if (lost.length > 0 || last < position) return null
  const upTo = changes.length < changesAtOnce ? last : Number(changes.at(-1)?.sequence)
  const known = changes.filter(({ name }) => logged.some((one) => one.name === name))
  const lines: Line[] = []
  for (let from = 0; from < known.length; ) {
    const own = known.slice(from)
    const { count, found } = await readChanged(session, database, logged, own)
    lines.push(...linesOf(own.slice(0, count), found))
    from += count
  }
  return { lines, position: upTo, lag: last - upTo }
}

/** One line for each key, of a row or of its absence. */
function linesOf(changes: readonly Row[], found: ReadonlyMap<string, readonly Row[]>): Line[] {
  const names = [...new Set(changes.map(({ name }) => name as string))]
  return names.flatMap((table) => {
    const rows = new Map((found.get(table) ?? []).map((row) => [row.key as string, row]))
    const keys = new Set(changes.filter(({ name }) => name === table).map(({ key }) => key as string))
    return [...keys].map((key) => lineOf(table, { ...rows.get(key), key }))
  })
}

export function lineOf(table: string, row: Row): Line {
  return {
    table,
    key: row.key as string,
    value: (row.value as string | null | undefined) ?? null,
    row: (row.image as string | null | undefined) ?? null,
  }
}
