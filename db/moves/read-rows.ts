/**
 * Rows read while others write: a chunk at a time, in the order of their rowids or keys, and again when the change log says that they have changed.
 * @module
 */
import type { ClusterSession } from '../cluster/session.ts'
import { quoteName } from '../sql/quote.ts'
import type { BoundStatement, Row } from '../sql/statement.ts'
import { type Imaged, imageText, keyText } from './cargo.ts'
import { beforeAll } from './look-at.ts'

/** Bytes of rows that are carried at once. */
export const chunkBytes = 500_000
/** Rows of a chunk, at least and at most. */
const [fewestRows, mostRows] = [10, 2000]
/** So long a chunk is to take, in milliseconds: others wait for it, as a database does one thing at a time. */
const chunkMs = 15

/** A table as it is read. */
export interface Read extends Imaged {
  /** Its distribution column; null when it has none. */
  readonly by: string | null
}

/** Where reading has come to. */
export interface Place {
  /** The last rowid that was looked at, as text: integers of SQLite have 64 bits. Of a table without rowids, JSON of the last key. */
  readonly after: string
  /** Rows that one look takes in, as they are large. */
  readonly chunk: number
}

/** What a look has found: `key`, `value` (its distribution value as text, or null) and `image` of each row, and where the next one begins. */
export interface Chunk extends Place {
  readonly rows: readonly Row[]
}

/** Where the change log is, also when it has been cut off since. */
export const logEnd: BoundStatement = {
  text: "SELECT ifnull((SELECT seq FROM sqlite_sequence WHERE name = '_atoll_changes'), 0) AS n",
  parameters: [],
}

/** Lets a database keep its log for a consumer, from where it ends. */
export function keepLogFromEnd(consumer: string): BoundStatement {
  return {
    text: `INSERT OR REPLACE INTO _atoll_cursors ${logEnd.text.replace('SELECT ', 'SELECT ?1, ')}`,
    parameters: [consumer],
  }
}

const valueText = ({ by }: Read) => (by === null ? 'NULL' : `CAST(${quoteName(by)} AS TEXT)`)

/**
 * Reads the next rows of a table.
 *
 * @param now milliseconds since 1970
 * @returns null when there are no more
 */
export async function readChunk(
  session: ClusterSession,
  database: string,
  table: Read,
  at: Place,
  now: () => number,
): Promise<Chunk | null> {
  const { order, behind } = orderOf(table, at.after)
  const looked = `FROM ${quoteName(table.name)} WHERE ${behind} ORDER BY ${order} LIMIT CAST(?2 AS INTEGER)`
  const [place, placed] = table.hasRowid
    ? ['CAST(_atoll_at AS TEXT)', 'rowid AS _atoll_at']
    : [keyText(table), 'NULL AS _atoll_at']
  const start = now()
  const images = `SELECT ${place} AS at, row_number() OVER (ORDER BY ${table.hasRowid ? '_atoll_at' : order}) AS n, ${keyText(table, '_atoll_at')} AS key, ${valueText(table)} AS value, ${imageText(table)} AS image FROM (SELECT *, ${placed} ${looked})`
  const [rows = []] = await session.on(database, [
    {
      text: `SELECT * FROM (SELECT *, sum(octet_length(image)) OVER (ORDER BY n) - octet_length(image) AS before FROM (${images})) WHERE before <= ${chunkBytes}`,
      parameters: [at.after, String(at.chunk)],
    },
  ])
  if (rows.length === 0) return null
  const ms = Math.max(1, now() - start)
  const inTime = Math.round((rows.length * chunkMs) / ms)
  const bytes = rows.reduce((sum, { image }) => sum + (image as string).length, 0)
  const fit = bytes === 0 ? mostRows : Math.round((rows.length * chunkBytes) / 2 / bytes)
  return {
    rows,
    after: rows.at(-1)?.at as string,
    chunk: Math.max(fewestRows, Math.min(mostRows, fit, inTime, at.chunk * 2)),
  }
}

/** In which order rows are read, and those behind a place: parameter 1. */
export function orderOf({ key, hasRowid }: Read, after: string) {
  if (hasRowid) return { order: 'rowid', behind: 'rowid > CAST(?1 AS INTEGER)' }
  const names = key.map(({ name }) => quoteName(name)).join(', ')
  const values = key.map(({ isBlob }, i) => (isBlob ? `unhex(?1 ->> ${i})` : `?1 ->> ${i}`))
  return {
    order: names,
    behind: after === beforeAll ? '?1 IS NOT NULL' : `(${names}) > (${values.join(', ')})`,
  }
}

/**
 * Reads rows again that the change log names, as they are now, as many as are not too large together. A key of which no row is found is gone.
 *
 * @param changes rows of the log, with `name` and `key`
 * @returns how many of the changes are done, and the rows by the names of their tables
 */
export async function readChanged(
  session: ClusterSession,
  database: string,
  tables: readonly Read[],
  changes: readonly Row[],
): Promise<{ readonly count: number; readonly found: ReadonlyMap<string, readonly Row[]> }> {
  let count = changes.length
  for (;;) {
    const own = changes.slice(0, count)
    const concerned = tables.filter(({ name }) => own.some((change) => change.name === name))
    const found = await session.on(
      database,
      concerned.map((one) => {
        const keys = own.filter(({ name }) => name === one.name).map(({ key }) => key)
        const size = count === 1 ? '' : ` AND (SELECT sum(octet_length(image)) FROM r) <= ${chunkBytes}`
        return {
          text: `WITH r AS MATERIALIZED (SELECT ${keyText(one)} AS key, ${valueText(one)} AS value, ${imageText(one)} AS image FROM ${quoteName(one.name)} WHERE ${matches(one)}) SELECT key, value, image, NULL AS n FROM r WHERE 1${size} UNION ALL SELECT NULL, NULL, NULL, count(*) FROM r`,
          parameters: [`[${keys.join(',')}]`],
        }
      }),
    )
    const isWhole = found.every((rows) => Number(rows.at(-1)?.n) === rows.length - 1)
    if (!isWhole && count > 1) {
      count = Math.max(1, count >> 2)
      continue
    }
    const rows = found.map((some) => some.filter(({ key }) => key !== null))
    return { count, found: new Map(concerned.map(({ name }, i) => [name, rows[i] ?? []])) }
  }
}

/** That a row has one of the keys: parameter 1 is a JSON array of them. */
export function matches({ key }: Read): string {
  const names = key.map(({ name }) => (name === 'rowid' ? name : quoteName(name)))
  const values = key.map(({ isBlob }, i) => (isBlob ? `unhex(value ->> ${i})` : `value ->> ${i}`))
  const listed = `SELECT ${values.join(', ')} FROM json_each(?1)`
  return names.length === 1 ? `${names[0]} IN (${listed})` : `(${names.join(', ')}) IN (${listed})`
}
