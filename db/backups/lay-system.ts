/**
 * Atoll's own rows of a backup, as a restore puts them back: numbers that were given out, and jobs that were not over.
 * @module
 */
import { ownerOf, type ShardMap } from '../slots/shard-map.ts'
import { slotOf } from '../slots/slots.ts'
import type { BackupWorld } from './backup-world.ts'
import type { Line, Manifest } from './format.ts'
import { type LayStep, listsOf, once } from './lay-rows.ts'

/** Numbers go on behind all that were given out. */
export async function laySequences(
  { session }: BackupWorld,
  step: LayStep,
  lines: readonly Line[],
): Promise<void> {
  const { primary } = session.cluster
  const table = { name: '_atoll_sequences', key: [{ name: 'name', isBlob: false }] }
  await once(
    session,
    primary,
    step,
    table,
    listsOf(lines.flatMap(({ row }) => row ?? [])).map((list) => ({
      text: 'INSERT INTO _atoll_sequences (name, next) SELECT value ->> 0, value ->> 1 FROM json_each(?1) WHERE true ON CONFLICT DO UPDATE SET next = max(next, excluded.next)',
      parameters: [list],
    })),
  )
}

/** Puts jobs back where the rows are that they are about. What was under way begins anew; keys and lanes hold as they did. */
export async function layJobs(
  { session, now }: BackupWorld,
  step: LayStep,
  jobs: readonly Line[],
  steps: readonly Line[],
  { tables }: Manifest,
  map: ShardMap,
): Promise<void> {
  const columnsOf = (table: string) => tables.find(({ name }) => name === table)?.columns ?? []
  const columns = columnsOf('_atoll_jobs')
  const at = (name: string) => columns.indexOf(name)
  const places = new Map<string, string>()
  const groups = Map.groupBy(jobs, ({ row }) => {
    const values = JSON.parse(row as string) as (string | number | null)[]
    const value = values[at('value')]
    const database = value == null ? session.cluster.primary : ownerOf(map, slotOf(String(value)))
    places.set(String(values[at('id')]), database)
    return database
  })
  const laid = columns.filter((name) => name !== 'sequence')
  const laidAs = (name: string) => {
    const value = `j.value ->> ${at(name)}`
    if (name === 'state') return `iif(${value} IN ('sent', 'running'), 'waiting', ${value})`
    if (name === 'due')
      return `iif(j.value ->> ${at('state')} = 'held', NULL, ifnull(${value}, CAST(?2 AS INTEGER)))`
    return name === 'token' ? 'NULL' : value
  }
  const stepColumns = columnsOf('_atoll_job_steps')
  for (const [database, own] of groups) {
    const ownSteps = steps.filter(({ key }) => places.get((JSON.parse(key) as [string])[0]) === database)
    await once(session, database, step, { name: '_atoll_jobs', key: [{ name: 'sequence', isBlob: false }] }, [
      ...listsOf(own.flatMap(({ row }) => row ?? [])).map((list) => ({
        text: `INSERT INTO _atoll_jobs (${laid.join(', ')}) SELECT ${laid.map(laidAs).join(', ')} FROM json_each(?1) AS j WHERE true ORDER BY j.value ->> ${at('sequence')} ON CONFLICT DO NOTHING`,
        parameters: [list, String(now())],
      })),
      ...listsOf(ownSteps.flatMap(({ row }) => row ?? [])).map((list) => ({
        text: `INSERT INTO _atoll_job_steps (${stepColumns.join(', ')}) SELECT ${stepColumns.map((_, i) => `value ->> ${i}`).join(', ')} FROM json_each(?1) WHERE true ON CONFLICT DO NOTHING`,
        parameters: [list],
      })),
    ])
  }
}
