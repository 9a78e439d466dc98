/**
 * A request and its answer through a pool: tries, further tries, and a second one beside the first.
 * @module
 */

import type { AtollError } from '../../db/errors/atoll-error.ts'
import { within } from '../core/coalescer.ts'
import { type Answered, type Attempt, attempt, type Job, type Lost, type Try } from './attempt.ts'
import { errors } from './errors.ts'
import type { PickRequest } from './pool.ts'

const defaultRetries = 2
/** Answers that another origin may give better. */
const worthRetrying = new Set([502, 503, 504])

export interface Chosen {
  readonly hash: number | null
  readonly sticky: string | null
}

/**
 * The answer of the origin that gave one, with as many tries as it took.
 *
 * @throws 502, 503 or 504 when none did; 413 when the request was cut off for its size
 */
export async function forward(
  job: Job,
  chosen: Chosen,
): Promise<{ readonly answered: Answered; readonly tries: number }> {
  const { pool, body } = job
  const retries = pool.declared.retries ?? defaultRetries
  const tried = new Set<string>()
  let last: Try | null = null
  pool.budget.count()
  for (let tries = 1; ; tries++) {
    const origin = pool.pick({ ...chosen, tried })
    if (origin === null) {
      if (last === null) throw errors.noOrigin(pool.name)
      return settle(job, last, tries - 1)
    }
    discard(last)
    if (last !== null) origin.counts.retries++
    tried.add(origin.name)
    last = await hedged(job, attempt(job, origin), { ...chosen, tried }, tried)
    if (body.isBroken) discard(last)
    body.check()
    const isGood = last.kind === 'answer' && !worthRetrying.has(last.answer.status)
    const mayRepeat = job.isIdempotent || (last.kind === 'lost' && !last.wasSent)
    const isGone = last.kind === 'lost' && last.why === 'stopped'
    if (isGood || isGone || !mayRepeat || !body.isWhole || tries > retries || !pool.budget.take())
      return settle(job, last, tries)
  }
}

/** Asks a second origin as well when the first takes longer than nearly all do: Dean and Barroso, "The Tail at Scale" (2013). */
async function hedged(job: Job, first: Attempt, request: PickRequest, tried: Set<string>): Promise<Try> {
  const { pool, body } = job
  const after = pool.hedgeAfterMs
  if (after === null || !job.isIdempotent || !body.isWhole) return first.result
  const soon = await within(after, first.result)
  if (soon !== null) return soon
  const origin = pool.pick(request)
  if (origin === null || !pool.budget.take()) return first.result
  tried.add(origin.name)
  origin.counts.retries++
  const second = attempt(job, origin)
  const attempts = [first, second]
  const good = attempts.map(async (one) => {
    const result = await one.result
    if (result.kind === 'lost') throw result
    return { one, result }
  })
  try {
    const winner = await Promise.any(good)
    for (const other of attempts) {
      if (other === winner.one) continue
      other.stop()
      void other.result.then(discard)
    }
    return winner.result
  } catch {
    return first.result
  }
}

/** Lets go of an answer that nobody will read. */
function discard(result: Try | null): void {
  if (result?.kind !== 'answer') return
  result.ended(null)
  result.answer.body?.cancel().catch(() => undefined)
}

function settle(job: Job, result: Try, tries: number) {
  const failed = result.kind === 'lost' ? result.why !== 'stopped' : result.answer.status >= 500
  job.pool.breaker.note(failed, Date.now())
  if (result.kind === 'lost') throw refusalOf(result)
  return { answered: result, tries }
}

function refusalOf({ why, error }: Lost): AtollError {
  if (why === 'unreachable') return errors.originUnreachable()
  if (why === 'slow') return errors.originSlow('answer')
  return errors.originLost(error)
}
