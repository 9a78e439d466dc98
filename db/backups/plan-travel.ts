/**
 * What putting all databases back to one moment would take away, and what is in its way. Only looks.
 * @module
 */
import type { BackupWorld } from './backup-world.ts'
import { nextRun } from './backups.ts'
import { erasedSince } from './erasures.ts'
import { sinceKey } from './keep-files.ts'

/** What of a database is lost. */
export interface TravelLoss {
  readonly name: string
  /** Changes of rows since the moment, as far as its log reaches back. */
  readonly changes: number
  /** Whether the log reaches back to the moment. */
  readonly isWhole: boolean
}

/** What going back would take away, and what is in its way. */
export interface TravelPlan {
  readonly databases: readonly TravelLoss[]
  /** Migrations that were applied since: the code that runs needs them again. */
  readonly migrations: readonly string[]
  /** Why it cannot be; none when it can. */
  readonly problems: readonly string[]
  readonly notes: readonly string[]
}

const isoOf = (at: number) => new Date(at).toISOString()

/** @param at the moment, in milliseconds since 1970 */
export async function planTravel(
  { session, files: bucket, now }: BackupWorld,
  at: number,
): Promise<TravelPlan> {
  const { databases, primary } = session.cluster
  const problems: string[] = []
  const notes: string[] = []
  if (at >= now()) problems.push(`${isoOf(at)} is not over yet.`)
  const losses: TravelLoss[] = []
  const migrations = new Set<string>()
  for (const name of databases) {
    const [[log] = [], applied = []] = await session.on(name, [
      {
        text: 'SELECT (SELECT count(*) FROM _atoll_changes WHERE at > CAST(?1 AS INTEGER)) AS n, ifnull((SELECT min(at) FROM _atoll_changes) <= CAST(?1 AS INTEGER), 0) AS whole',
        parameters: [String(at)],
      },
      {
        text: 'SELECT name FROM d1_migrations WHERE unixepoch(applied_at) * 1000 > CAST(?1 AS INTEGER) ORDER BY id',
        parameters: [String(at)],
      },
    ])
    losses.push({ name, changes: Number(log?.n), isWhole: Number(log?.whole) === 1 })
    for (const migration of applied) migrations.add(migration.name as string)
  }
  const moment = [String(at)]
  const [moves = [], moved = [], [conversion] = [], runs = [], [files] = []] = await session.on(primary, [
    {
      text: "SELECT id FROM _atoll_moves WHERE state NOT IN ('done', 'cancelled', 'failed')",
      parameters: [],
    },
    {
      text: 'SELECT id, created, updated FROM _atoll_moves WHERE created <= CAST(?1 AS INTEGER) AND updated >= CAST(?1 AS INTEGER)',
      parameters: moment,
    },
    {
      text: "SELECT value->>'$.state' AS state, value->>'$.created' AS created, value->>'$.updated' AS updated FROM _atoll_state WHERE key = 'conversion'",
      parameters: [],
    },
    {
      text: "SELECT id, created, updated FROM _atoll_backups WHERE kind = 'restore' AND created <= CAST(?1 AS INTEGER) AND updated >= CAST(?1 AS INTEGER)",
      parameters: moment,
    },
    {
      text: `SELECT (SELECT count(*) FROM _atoll_objects) AS n, (SELECT CAST(value AS INTEGER) FROM _atoll_state WHERE key = '${sinceKey}') AS since`,
      parameters: [],
    },
  ])
  for (const { id } of moves) problems.push(`Slots are moving (${id}): let that end, or cancel it.`)
  const spans = [
    ...moved.map((row) => [`slots were moving (${row.id})`, row] as const),
    ...runs.map((row) => [`a backup was being restored (${row.id})`, row] as const),
    ...(conversion ? [['tables were being converted', conversion] as const] : []),
  ]
  for (const [what, { created, updated }] of spans)
    if (Number(created) <= at && Number(updated) >= at)
      problems.push(
        `At that moment ${what}: choose one before ${isoOf(Number(created))} or after ${isoOf(Number(updated))}.`,
      )
  if (conversion && !['done', 'cancelled', 'failed'].includes(conversion.state as string))
    problems.push('Tables are being converted: let that end, or cancel it.')
  const run = await nextRun(session)
  if (run)
    problems.push(
      `A ${run.kind === 'full' ? 'backup' : run.kind} is at work (${run.id}): let it end, or cancel it.`,
    )
  const since = files?.since ?? null
  if (Number(files?.n) > 0 && (since === null || Number(since) > at))
    notes.push(
      'Files that were deleted or replaced since then come back as rows, and their bytes are gone: no backup of before is kept.',
    )
  const erased = await erasedSince({ files: bucket }, at)
  if (erased > 0)
    notes.push(`${erased} distribution values that were erased since come back: erase them once more.`)
  notes.push('Jobs that were not over at that moment run again, whatever they have done since.')
  return { databases: losses, migrations: [...migrations], problems, notes }
}
