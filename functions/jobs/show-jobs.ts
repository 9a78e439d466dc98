/**
 * Jobs as `/jobs/v1` shows them, from the databases of all shards.
 * @module
 */
import type { BoundStatement, Row } from '../../db/sql/statement.ts'
import type { PayloadStore } from './payload-store.ts'
import type { Services } from './services.ts'

export interface ShownJob {
  /** Begins with the name of the database that has it. */
  readonly id: string
  readonly name: string
  readonly queue: string
  readonly state: string
  /** When it was sent; these are ISO 8601. */
  readonly created: string
  /** When it is tried, or tried again; null when that is not known. */
  readonly due: string | null
  /** When it ended; null when it has not. */
  readonly finished: string | null
  readonly attempts: number
  readonly error: string | null
  readonly percent: number | null
  readonly note: string | null
  readonly cancelling: boolean
  /** Only of a job that is asked for by itself. */
  readonly payload?: unknown
  readonly steps?: Readonly<Record<string, unknown>>
}

export interface Listing {
  readonly state?: string | undefined
  readonly name?: string | undefined
  readonly limit: number
  /** The ULID of the last job that was shown. */
  readonly after?: string | undefined
}

const columns = `id, name, queue, state, created, due, finished, attempts, error, percent, note, cancel`
const deadColumns = `id, name, queue, 'dead' AS state, created, NULL AS due, died AS finished, attempts, error, NULL AS percent, NULL AS note, 0 AS cancel`

/** The newest jobs of all databases first. Dead letters are listed when they are asked for. */
export async function listJobs({ cluster }: Services, listing: Listing): Promise<ShownJob[]> {
  const session = cluster.open({ reads: true, seen: new Map(), primary: true })
  const parts = await Promise.all(
    cluster.databases.map(async (database) => {
      const [rows = []] = await session.on(database, [listOf(database, listing)])
      return rows.map(shown)
    }),
  )
  const time = ({ id }: ShownJob) => id.slice(id.indexOf('.') + 1)
  return parts
    .flat()
    .sort((a, b) => (time(a) < time(b) ? 1 : -1))
    .slice(0, listing.limit)
}

function listOf(database: string, { state, name, limit, after }: Listing): BoundStatement {
  const isDead = state === 'dead'
  // An id is the database's name, a point and a ULID; `/` is the character after the point.
  const terms: (readonly [condition: string, parameter: string])[] = [
    ['id > ?', `${database}.`],
    ['id < ?', after === undefined ? `${database}/` : `${database}.${after}`],
    ...(name === undefined ? [] : [['name = ?', name] as const]),
    ...(state === undefined || isDead ? [] : [['state = ?', state] as const]),
  ]
  return {
    text: `SELECT ${isDead ? deadColumns : columns} FROM ${isDead ? '_atoll_dead_letters' : '_atoll_jobs'}
      WHERE ${terms.map(([condition]) => condition).join(' AND ')} ORDER BY id DESC LIMIT ${limit}`,
    parameters: terms.map(([, parameter]) => parameter),
  }
}

/** Whether a database has a job, or its dead letter. */
export function isHere(id: string): BoundStatement {
  return {
    text: 'SELECT 1 FROM _atoll_jobs WHERE id = ?1 UNION ALL SELECT 1 FROM _atoll_dead_letters WHERE id = ?1',
    parameters: [id],
  }
}

/** Statements that find a job, as `shownJob` reads them. */
export function readJob(id: string): readonly BoundStatement[] {
  return [
    { text: `SELECT ${columns}, payload FROM _atoll_jobs WHERE id = ?1`, parameters: [id] },
    { text: `SELECT ${deadColumns}, payload FROM _atoll_dead_letters WHERE id = ?1`, parameters: [id] },
    { text: 'SELECT step, result FROM _atoll_job_steps WHERE job = ?1', parameters: [id] },
  ]
}

export async function shownJob(
  [live = [], dead = [], steps = []]: readonly (readonly Row[])[],
  payloads: PayloadStore,
): Promise<ShownJob | null> {
  const row = live[0] ?? dead[0]
  if (!row) return null
  const inline = row.payload as string | null
  const payload = await payloads.get(row.id as string, inline).catch(() => 'null')
  return {
    ...shown(row),
    payload: JSON.parse(payload),
    steps: Object.fromEntries(steps.map(({ step, result }) => [step, JSON.parse(result as string)])),
  }
}

function shown(row: Row): ShownJob {
  const time = (value: unknown) => (value === null ? null : new Date(Number(value)).toISOString())
  return {
    id: row.id as string,
    name: row.name as string,
    queue: row.queue as string,
    state: row.state as string,
    created: time(row.created) as string,
    due: time(row.due),
    finished: time(row.finished),
    attempts: Number(row.attempts),
    error: row.error as string | null,
    percent: row.percent as number | null,
    note: row.note as string | null,
    cancelling: row.cancel === 1,
  }
}

/** How many jobs of each name are in each state, dead letters among them. */
export async function countJobs({ cluster }: Services): Promise<Record<string, Record<string, number>>> {
  const session = cluster.open({ reads: true, seen: new Map(), primary: true })
  const text = `SELECT name, state, count(*) AS n FROM _atoll_jobs GROUP BY name, state`
  const deadText = `SELECT name, 'dead' AS state, count(*) AS n FROM _atoll_dead_letters GROUP BY name`
  const parts = await Promise.all(
    cluster.databases.map((database) =>
      session.on(database, [
        { text, parameters: [] },
        { text: deadText, parameters: [] },
      ]),
    ),
  )
  const counts: Record<string, Record<string, number>> = {}
  for (const { name, state, n } of parts.flat(2)) {
    const own = counts[name as string] ?? {}
    own[state as string] = (own[state as string] ?? 0) + Number(n)
    counts[name as string] = own
  }
  return counts
}
