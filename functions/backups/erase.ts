/**
 * What `POST /backups/v1/erase` does: rows of a distribution value, what logs and lookups kept of them, its jobs; and a note of it, so that backups
 * forget the value, too. It says what it leaves.
 * @module
 */
import { z } from 'zod'
import type { BackupWorld } from '../../db/backups/backup-world.ts'
import { eraseRows, groupsOf, latestClock, planErase } from '../../db/backups/erase-value.ts'
import { jobsGroup, noteErasure } from '../../db/backups/erasures.ts'
import { readManifests } from '../../db/backups/keep.ts'
import type { ChangeSet } from '../../db/changes/change-log.ts'
import { invalidate } from '../cache/area.ts'
import { type ErasedJobs, eraseJobs } from '../jobs/area.ts'
import { errors } from './errors.ts'
import type { Engine, Services } from './services.ts'

export const toErase = z.strictObject({
  value: z.union([z.string().min(1), z.number().transform(String)]),
  group: z.string().optional(),
  table: z.string().optional(),
  jobs: z.boolean().optional(),
  plan: z.boolean().default(false),
})

/** What was erased, or would be. */
export interface ShownErasure {
  readonly group: string
  readonly plan: boolean
  /** Whether nothing is left of it; else ask again. */
  readonly done: boolean
  /** Rows by table. */
  readonly tables: Readonly<Record<string, number>>
  /** Entries of change logs whose old and new values are gone. */
  readonly logged: number
  /** Entries of lookups of unique values that are gone; not known beforehand. */
  readonly entries: number
  /** Null: jobs were left alone. */
  readonly jobs: ErasedJobs | null
  /** Files that the rows named, as `bucket/name`: they are still there. */
  readonly files: readonly string[]
  /** In words, what is left where. */
  readonly left: readonly string[]
}

/** @throws AtollError `BACKUP010` when it is not clear which group is meant */
export async function erase(
  services: Services,
  { catalog }: Pick<Engine, 'catalog'>,
  world: BackupWorld,
  asked: z.infer<typeof toErase>,
): Promise<ShownErasure> {
  const { session } = world
  const { value, plan } = asked
  const groups = groupsOf(catalog)
  const group = groupOf(groups, asked)
  // A job says which value it is about, and not of which group.
  const withJobs = asked.jobs ?? groups.size === 1
  const changed = (database: string, changes: readonly ChangeSet[]) =>
    tell(services, world, database, changes)
  const erased = plan
    ? await planErase(world, value, group)
    : await eraseRows({ session, catalog, changed }, value, group)
  const jobs = withJobs ? await eraseJobs(services, session, value, plan) : null
  const done = erased.isDone && (jobs?.running ?? 0) === 0
  if (erased.isDone) {
    const at = await latestClock(session)
    await noteErasure(world, group, value, at)
    if (withJobs) await noteErasure(world, jobsGroup, value, at)
  }
  const backups = (await readManifests(world)).length
  const left = [
    ...(jobs === null ? ['jobs of the value: say that they are of this group to erase them, too'] : []),
    ...(jobs !== null && jobs.running > 0
      ? [`${jobs.running} jobs that run: they are told to stop; erase again when they have`]
      : []),
    ...(erased.files.length > 0 ? ['files that the rows named: delete them through /storage/v1'] : []),
    `${backups} backups: they forget the value when they are pruned next; a restore leaves it out from now on`,
    ...leftElsewhere,
  ]
  const { rows, logged, entries, files } = erased
  return { group, plan, done, tables: rows, logged, entries, jobs, files, left }
}

const leftElsewhere = [
  'keys of the deleted rows in the change log, until it is cut off (changeLogMaxAgeSeconds), and jobs that their deletion starts',
  'answers of writes that were sent with a key, for a day',
  "entries of caches that nobody is served any more, until their time is over; browsers' own copies",
  'Time Travel of D1, for 30 days',
  'logs and events of the platform, and what the app itself has sent elsewhere',
  'rows of other groups and of tables that are not distributed',
]

function groupOf(
  groups: ReturnType<typeof groupsOf>,
  { group, table }: Pick<z.infer<typeof toErase>, 'group' | 'table'>,
): string {
  const meant = [...groups].filter(
    ([name, tables]) =>
      (group === undefined || name === group) &&
      (table === undefined || tables.some((one) => one.name === table)),
  )
  const [[name] = []] = meant
  if (name === undefined || meant.length > 1) throw errors.whichGroup([...groups.keys()])
  return name
}

/** Caches forget before it is answered; what they cannot be told now, the log tells them. */
async function tell(
  { cache, relay }: Services,
  { session }: BackupWorld,
  database: string,
  changes: readonly ChangeSet[],
): Promise<void> {
  if (changes.length === 0) return
  try {
    if (cache && (await invalidate(cache, changes, session.bookmarks)) !== 'replaced') await relay?.repair()
  } catch (error) {
    await relay?.repair().catch(() => undefined)
    throw error
  }
  await relay?.carry(database)
}
