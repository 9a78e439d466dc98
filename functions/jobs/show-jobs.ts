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
      const [origins = []] = await session.on(database, [originsOf(listing)])
      if (origins.length === 0) return []
      const lists = origins.map(({ origin }) => listOf(origin as string, listing))
      return (await session.on(database, lists)).flat().map(shown)
    }),
  )
  const time = ({ id }: ShownJob) => id.slice(id.indexOf('.') + 1)
  return parts
    .flat()
    .sort((a, b) => (time(a) < time(b) ? 1 : -1))
    .slice(0, listing.limit)
}

const tableOf = ({ state }: Listing) => (state === 'dead' ? '_atoll_dead_letters' : '_atoll_jobs')

/**
 * Where jobs of a database were sent, as rows of `origin`, the name of a database and a point with which their ids begin: jobs
 * move along with what they are about. Each is looked up in the index, however many jobs have it.
 */
function originsOf(listing: Listing): BoundStatement {
  const table = tableOf(listing)
  const origin = "substr(id, 1, instr(id, '.'))"
  return {
    text: `WITH RECURSIVE o(origin) AS (SELECT * FROM (SELECT ${origin} FROM ${table} ORDER BY id LIMIT 1) UNION ALL
      SELECT (SELECT ${origin} FROM ${table} WHERE id >= substr(o.origin, 1, length(o.origin) - 1) || '/' ORDER BY id LIMIT 1)
      FROM o WHERE o.origin IS NOT NULL) SELECT origin FROM o WHERE origin IS NOT NULL`,
    parameters: [],
  }
}

/** Jobs of one origin, the newest first. */
function listOf(origin: string, listing: Listing): BoundStatement {
  const { state, name, limit, after } = listing
  const isDead = state === 'dead'
  // An id is the database's name, a point and a ULID; `/` is the character after the point.
  const terms: (readonly [condition: string, parameter: string])[] = [
    ['id > ?', origin],
    ['id < ?', after === undefined ? `${origin.slice(0, -1)}/` : origin + after],
    ...(name === undefined ? [] : [['name = ?', name] as const]),
    ...(state === undefined || isDead ? [] : [['state = ?', state] as const]),
  ]
  return {
    text: `SELECT ${isDead ? deadColumns : columns} FROM ${tableOf(listing)}
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
