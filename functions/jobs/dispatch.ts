/**
 * Sends the jobs of a database whose time has come to their queues: new ones, those to be tried again, and those that were lost
 * on the way.
 * @module
 */
import type { Row } from '../../db/cluster/cluster.ts'
import type { ClusterSession } from '../../db/cluster/session.ts'
import type { AtollConfig } from '../config.ts'
import type { Services } from '../context.ts'
import { emit } from '../events.ts'
import { listDue, nextDue, putOff, takeDue, takeThese } from './job-rows.ts'

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
}

/**
 * @param names of jobs; those that the app does not know any more among them
 * @returns when there is something to do again, in milliseconds since 1970; null: not by itself
 */
export async function dispatch(
  services: DispatchServices,
  config: AtollConfig,
  session: ClusterSession,
  database: string,
  names: readonly string[],
  refusals: Refusals,
): Promise<number | null> {
  if (services.queues.size === 0) return null
  const limited = names.filter((name) => services.registry.byName.get(name)?.concurrency != null)
  const free = names.filter((name) => !limited.includes(name))
  const resendMs = config.jobResendSeconds * 1000
  let taken: readonly Row[]
  do {
    const now = Date.now()
    const [rows = [], ...lists] = await session.on(database, [
      takeDue(free, now, resendMs, messagesAtOnce),
      ...limited.map((name) => listDue(name, now, limitOf(services, name))),
    ])
    taken = rows
    const granted = await takePlaces(services, limited, lists, database, holdMs(config))
    const more = granted.length === 0 ? [] : await session.on(database, [takeThese(granted, now, resendMs)])
    const refused = await send([...taken, ...(more[0] ?? [])], services)
    if (refused.length > 0) {
      const pauseMs = refusedPauseMs * 2 ** Math.min(refusals.inARow++, maxRefusals)
      await session.on(database, [putOff(refused, Date.now() + pauseMs)])
      break
    }
    refusals.inARow = 0
  } while (taken.length === messagesAtOnce)
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

/** A place is kept as long as a message may be under way and its job run. */
function holdMs({ jobResendSeconds, jobLeaseSeconds }: AtollConfig): number {
  return (jobResendSeconds + jobLeaseSeconds) * 1000
}

function limitOf({ registry }: DispatchServices, name: string): number {
  return Math.min(messagesAtOnce, registry.byName.get(name)?.concurrency ?? messagesAtOnce)
}

/** The jobs with a limit that may go now. */
async function takePlaces(
  services: DispatchServices,
  names: readonly string[],
  lists: readonly (readonly Row[])[],
  database: string,
  holdMs: number,
): Promise<string[]> {
  const granted = await Promise.all(
    names.map(async (name, i) => {
      const ids = (lists[i] ?? []).map(({ id }) => id as string)
      if (ids.length === 0) return []
      // Nobody counts, so none may go.
      if (services.jobLimit === null) {
        emit({ kind: 'no-job-limits', name })
        return []
      }
      const limit = services.registry.byName.get(name)?.concurrency ?? 1
      return services.jobLimit(name).take({ database, ids, limit, holdMs })
    }),
  )
  return granted.flat()
}

/** @returns ids of the jobs that their queue did not take */
async function send(rows: readonly Row[], { queues }: DispatchServices): Promise<string[]> {
  const refused: string[] = []
  for (const [name, own] of Map.groupBy(rows, ({ queue }) => queue as string)) {
    const queue = queues.get(name) ?? queues.get('default')
    if (!queues.has(name)) emit({ kind: 'no-such-queue', queue: name })
    const ids = own.map(({ id }) => id as string)
    for (let i = 0; i < ids.length; i += messagesAtOnce) {
      const part = ids.slice(i, i + messagesAtOnce)
      try {
        if (!queue) throw new Error(`no queue is bound for ${name}`)
        await queue.sendBatch(part.map((id) => ({ body: { id } })))
      } catch (error) {
        emit({ kind: 'queue-refused', queue: name, messages: part.length, error })
        refused.push(...part)
      }
    }
  }
  return refused
}
