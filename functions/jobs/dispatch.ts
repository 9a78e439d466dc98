/**
 * Sends the jobs of a database whose time has come to their queues: new ones, those to be tried again, and those that were lost
 * on the way.
 * @module
 */

import type { ClusterSession } from '../../db/cluster/session.ts'
import type { Row } from '../../db/sql/statement.ts'
import type { JobsConfig } from './config.ts'
import { emit } from './events.ts'
import { listDue, nextDue, putOff, takeDue, takeThese } from './job-rows.ts'
import type { Services } from './services.ts'

/** As many messages as a queue takes at once: https://developers.cloudflare.com/queues/platform/limits/ */
const messagesAtOnce = 100

/** How soon a database's jobs are looked at again whose name is at its limit, in milliseconds, if nobody tells before. */
const limitedPauseMs = 5000

/** How long after a refusal a queue is asked again, in milliseconds; doubled for each that follows, up to a minute. */
const refusedPauseMs = 1000
const maxRefusals = 6

export type DispatchServices = Pick<Services, 'registry' | 'queues' | 'jobLimit'>

/** What a relay remembers of queues that refused, between its rounds. */
export interface Refusals {
  inARow: number
  /** Until when nothing is sent, in milliseconds since 1970. */
  until: number
}

/**
 * @param names of jobs; those that the app does not know any more among them
 * @returns when there is something to do again, in milliseconds since 1970; null: not by itself
 */
export async function dispatch(
  services: DispatchServices,
  config: JobsConfig,
  session: ClusterSession,
  database: string,
  names: readonly string[],
  refusals: Refusals,
): Promise<number | null> {
  if (services.queues.size === 0) return null
  if (refusals.until > Date.now()) return refusals.until
  const limited = names.filter((name) => services.registry.byName.get(name)?.concurrency != null)
  const free = names.filter((name) => !limited.includes(name))
  const resendMs = config.jobResendSeconds * 1000
  const sendAll = async (rows: readonly Row[]) => {
    const refused = await send(rows, database, services)
    if (refused.length === 0) return true
    refusals.until = Date.now() + refusedPauseMs * 2 ** Math.min(refusals.inARow++, maxRefusals)
    await session.on(database, [putOff(refused.map(idOf), refusals.until)])
    for (const [name, rows] of Map.groupBy(refused, (row) => row.name as string)) {
      if (limited.includes(name)) await giveBack(services, name, rows.map(idOf))
    }
    return false
  }
  let taken: readonly Row[]
  let goesOn: boolean
  do {
    const [rows = []] = await session.on(database, [takeDue(free, Date.now(), resendMs, messagesAtOnce)])
    taken = rows
    goesOn = await sendAll(taken)
  } while (goesOn && taken.length === messagesAtOnce)
  for (const name of goesOn ? limited : []) {
    // A name whose places cannot be had holds up no other.
    const granted = await takePlaces(services, name, session, database, config).catch((error) => {
      emit({ kind: 'relay-failed', what: `places for ${name}`, error })
      return []
    })
    if (granted.length === 0) continue
    const [rows = []] = await session.on(database, [takeThese(granted, Date.now(), resendMs)])
    const sent = new Set(rows.map(idOf))
    await giveBack(
      services,
      name,
      granted.filter((id) => !sent.has(id)),
    )
    goesOn = await sendAll(rows)
    if (!goesOn) break
  }
  if (!goesOn) return refusals.until
  refusals.inARow = 0
  const [due = []] = await session.on(database, [nextDue(names)])
  const soonest = Math.min(
    ...due.flatMap((row) => {
      if (row.due === null) return []
      const at = Number(row.due)
      return limited.includes(row.name as string) ? [Math.max(at, Date.now() + limitedPauseMs)] : [at]
    }),
  )
  return Number.isFinite(soonest) ? soonest : null
}

const idOf = (row: Row) => row.id as string

async function giveBack({ jobLimit }: DispatchServices, name: string, ids: readonly string[]): Promise<void> {
  if (ids.length > 0)
    await jobLimit?.(name)
      .release(ids)
      .catch(() => undefined)
}

/** The jobs of a name with a limit that may go now. */
async function takePlaces(
  services: DispatchServices,
  name: string,
  session: ClusterSession,
  database: string,
  { jobResendSeconds, jobLeaseSeconds }: JobsConfig,
): Promise<readonly string[]> {
  const [rows = []] = await session.on(database, [listDue(name, Date.now(), limitOf(services, name))])
  if (rows.length === 0) return []
  // Nobody counts, so none may go.
  if (services.jobLimit === null) {
    emit({ kind: 'no-job-limits', name })
    return []
  }
  const limit = services.registry.byName.get(name)?.concurrency ?? 1
  // A place is kept as long as a message may be under way, and then its job's Worker silent.
  const sends = Math.max(...rows.map((row) => Math.min(Number(row.sends), 6)))
  const holdMs = (jobResendSeconds * 2 ** sends + jobLeaseSeconds) * 1000
  return services.jobLimit(name).take({ database, ids: rows.map(idOf), limit, holdMs })
}

function limitOf({ registry }: DispatchServices, name: string): number {
  return Math.min(messagesAtOnce, registry.byName.get(name)?.concurrency ?? messagesAtOnce)
}

/** @returns the jobs that their queue did not take */
async function send(rows: readonly Row[], database: string, { queues }: DispatchServices): Promise<Row[]> {
  const refused: Row[] = []
  for (const [name, own] of Map.groupBy(rows, ({ queue }) => queue as string)) {
    const queue = queues.get(name) ?? queues.get('default')
    if (!queues.has(name)) emit({ kind: 'no-such-queue', queue: name })
    for (let i = 0; i < own.length; i += messagesAtOnce) {
      const part = own.slice(i, i + messagesAtOnce)
      try {
        if (!queue) throw new Error(`no queue is bound for ${name}`)
        await queue.sendBatch(part.map((row) => ({ body: { id: idOf(row), database } })))
      } catch (error) {
        emit({ kind: 'queue-refused', queue: name, messages: part.length, error })
        refused.push(...part)
      }
    }
  }
  return refused
}
