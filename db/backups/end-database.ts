/**
 * The last transaction of a backup on a database: what has changed since the last look, and where the change log ends, at once.
 * @module
 */
import type { ClusterSession } from '../cluster/session.ts'
import { imageText, keyText } from '../moves/cargo.ts'
import { logEnd } from '../moves/read-rows.ts'
import { quoteName, quoteText } from '../sql/quote.ts'
import type { LeftOut, Line } from './format.ts'
import { lineOf, lostText, type ReadTable, readMarks, type Source } from './read-database.ts'

const jobIsOpen = 'finished IS NULL AND payload IS NOT NULL'
/** Which rows of tables that are read as a whole are wanted. */
const wanted: Readonly<Record<string, string>> = {
  _atoll_jobs: jobIsOpen,
  _atoll_job_steps: `job IN (SELECT id FROM _atoll_jobs WHERE ${jobIsOpen})`,
}

/** A database as of exactly one position. */
export interface Ended {
  readonly position: number
  readonly at: number
  readonly marks: string
  readonly isMoving: boolean
  /** What had changed since the last look. */
  readonly changes: readonly Line[]
  readonly whole: readonly Line[]
  /** Rows by table; those with more than `mostCounted` are left out. */
  readonly held: Readonly<Record<string, number>>
  readonly leftOut: readonly LeftOut[]
  readonly migrations: readonly { readonly name: string; readonly hash: string | null }[]
}

/** Changes, and rows and bytes of each table that is read as a whole, that fit into the last transaction. */
const mostChanges = 300
const [mostWhole, mostWholeBytes] = [2000, 1_000_000]
/** Rows of a table that the last transaction counts: it holds up others, and rows that are read are paid for. */
const mostCounted = 10_000

/**
 * Reads what is left: one transaction, so that all of it is as of the position that it tells.
 *
 * @returns null when too much has changed since the last look, or the log does not reach back
 */
export async function end(
  session: ClusterSession,
  id: string,
  database: string,
  { logged, whole }: Source,
  position: number,
): Promise<Ended | null> {
  const since = String(position)
  const isLittle = `(SELECT count(*) FROM (SELECT 1 FROM _atoll_changes WHERE sequence > CAST(?1 AS INTEGER) LIMIT ${mostChanges + 1})) <= ${mostChanges}`
  const [[last] = [], lost = [], [marks] = [], [count] = [], migrations = [], ...rows] = await session.on(
    database,
    [
      logEnd,
      lostText(id),
      readMarks,
      {
        text: `SELECT ${isLittle} AS little, CAST(unixepoch('subsec') * 1000 AS INTEGER) AS at, (SELECT count(*) FROM _atoll_jobs WHERE finished IS NULL AND payload IS NULL) AS jobs`,
        parameters: [since],
      },
      {
        text: 'SELECT d.name, m.hash FROM d1_migrations AS d LEFT JOIN _atoll_migrations AS m ON m.name = d.name ORDER BY d.id',
        parameters: [],
      },
      ...logged.map((one) => ({
        text: `SELECT k.key, ${rowOf(one, one.by === null ? 'NULL' : `CAST(${quoteName(one.by)} AS TEXT)`)} AS value, ${rowOf(one, imageText(one))} AS image FROM (SELECT DISTINCT key FROM _atoll_changes WHERE sequence > CAST(?1 AS INTEGER) AND name = ${quoteText(one.name)}) AS k WHERE ${isLittle}`,
        parameters: [since],
      })),
      ...whole.map((one) => ({
        text: `SELECT * FROM (SELECT ${keyText(one)} AS key, NULL AS value, ${imageText(one)} AS image, sum(octet_length(${imageText(one)})) OVER (ORDER BY ${orderOf(one)}) AS bytes, row_number() OVER (ORDER BY ${orderOf(one)}) AS n, count(*) OVER () AS whole FROM ${quoteName(one.name)} WHERE ${wanted[one.name] ?? '1'}) WHERE n = 1 OR (n <= ${mostWhole} AND bytes <= ${mostWholeBytes})`,
        parameters: [],
      })),
      ...logged.map(({ name }) => ({
        text: `SELECT count(*) AS n FROM (SELECT 1 FROM ${quoteName(name)} LIMIT ${mostCounted + 1})`,
        parameters: [],
      })),
    ],
  )
  const sequence = Number(last?.n ?? 0)
  if (lost.length > 0 || sequence < position || Number(count?.little) !== 1) return null
  const ofWhole = rows.slice(logged.length)
  const counts = ofWhole.slice(whole.length)
  const jobs = Number(count?.jobs)
  return {
    position: sequence,
    at: Number(count?.at),
    marks: marks?.marks as string,
    isMoving: Number(marks?.moving) === 1,
    changes: logged.flatMap(({ name }, i) => (rows[i] ?? []).map((row) => lineOf(name, row))),
    whole: whole.flatMap(({ name }, i) => (ofWhole[i] ?? []).map((row) => lineOf(name, row))),
    held: Object.fromEntries(
      logged.flatMap(({ name }, i) => {
        const n = Number(counts[i]?.[0]?.n)
        return n > mostCounted ? [] : [[name, n] as const]
      }),
    ),
    leftOut: [
      ...whole.flatMap(({ name }, i) => {
        const found = ofWhole[i] ?? []
        const missing = Number(found[0]?.whole ?? 0) - found.length
        return missing === 0
          ? []
          : [
              {
                what: `${missing} rows of ${name} on ${database}`,
                why: 'no change log tells of it, so it is read in one transaction, which is bounded',
              },
            ]
      }),
      ...(jobs === 0
        ? []
        : [
            {
              what: `${jobs} jobs on ${database}`,
              why: 'their payloads are too large for a row and lie in R2',
            },
          ]),
    ],
    migrations: migrations.map(({ name, hash }) => ({
      name: name as string,
      hash: (hash as string | null) ?? null,
    })),
  }
}

const orderOf = ({ key }: ReadTable) =>
  key.map(({ name }) => (name === 'rowid' ? name : quoteName(name))).join(', ')

/** Something of the row that has a key of the log; null when there is none. */
function rowOf(table: ReadTable, text: string): string {
  const has = table.key
    .map(({ name, isBlob }, i) => {
      const value = isBlob ? `unhex(k.key ->> ${i})` : `k.key ->> ${i}`
      return `${name === 'rowid' ? name : quoteName(name)} = ${value}`
    })
    .join(' AND ')
  return `(SELECT ${text} FROM ${quoteName(table.name)} WHERE ${has})`
}
