/**
 * One try of a request at one origin.
 * @module
 */
import { AtollError } from '../../db/errors/atoll-error.ts'
import type { SentBody } from './body.ts'
import type { RouteDeclaration, Timeouts } from './declarations.ts'
import type { Origin } from './origin.ts'
import type { Pool } from './pool.ts'
import { isReachable } from './reach.ts'
import { addressAt } from './routes.ts'

export const defaultTimeouts: Required<Timeouts> = { connectMs: 1000, firstByteMs: 30_000, totalMs: 300_000 }

/** An origin that answered so lately is taken to be reachable, in milliseconds. */
const freshMs = 1000
/** Answers that say that the origin itself failed. */
const failing = new Set([500, 502, 503, 504])
/** How long what a try holds is held beyond its time, should nobody tell that it is over, in milliseconds. */
const graceMs = 5000
const longestMs = 3_600_000

/** A request on its way to a pool. */
export interface Job {
  readonly pool: Pool
  readonly route: RouteDeclaration
  readonly timeouts: Required<Timeouts>
  readonly method: string
  readonly asked: URL
  /** For any origin; each has its own beside them. */
  readonly headers: Headers
  readonly body: SentBody
  /** Whether asking twice does no more than asking once: RFC 9110, 9.2.2. */
  readonly isIdempotent: boolean
  /** Fires when the client goes away. */
  readonly signal: AbortSignal
}

export interface Answered {
  readonly kind: 'answer'
  readonly origin: Origin
  readonly at: URL
  readonly answer: Response
  /** Until the answer began. */
  readonly ms: number
  /** Says that its body has ended, or been cut off. */
  readonly ended: (error: unknown) => void
}

export interface Lost {
  readonly kind: 'lost'
  readonly origin: Origin
  readonly why: 'unreachable' | 'lost' | 'slow' | 'stopped'
  readonly error: unknown
  /** False when the origin cannot have seen anything of it. */
  readonly wasSent: boolean
}

export type Try = Answered | Lost

export interface Attempt {
  readonly result: Promise<Try>
  /** Gives it up: another has answered. */
  stop(): void
}

export function attempt(job: Job, origin: Origin): Attempt {
  const abort = new AbortController()
  let why: Lost['why'] | null = null
  const give = (reason: Lost['why']) => {
    why ??= reason
    abort.abort()
  }
  return { result: run(job, origin, abort.signal, give, () => why ?? 'lost'), stop: () => give('stopped') }
}

async function run(
  job: Job,
  origin: Origin,
  signal: AbortSignal,
  give: (why: Lost['why']) => void,
  reason: () => Lost['why'],
): Promise<Try> {
  const { pool, timeouts, method, body } = job
  // Nothing is held yet: it may be refused.
  const at = addressAt(origin.target.url, job.route, job.asked)
  const start = performance.now()
  const now = Date.now()
  const over = origin.begin(now, now + (timeouts.totalMs ?? longestMs) + graceMs)
  const isSilent = now - origin.heardAt > freshMs
  const since = () => performance.now() - start
  const lost = (error: unknown, wasSent: boolean): Lost => {
    over()
    const why = reason()
    // One that was given up for another's answer has been slow at least; that a client has gone, or sent a broken body, is no
    // fault of the origin.
    const isWaitingForClient = why === 'slow' && !body.isSent
    if (body.isBroken || isWaitingForClient)
      return { kind: 'lost', origin, why: isWaitingForClient ? why : 'stopped', error, wasSent }
    if (why !== 'stopped') pool.note(origin, 'lost', why, since())
    else if (!job.signal.aborted) pool.note(origin, 'answered', 'hedged', since())
    return { kind: 'lost', origin, why, error, wasSent }
  }
  if (isSilent && !job.isIdempotent && !(await isReachable(at, timeouts.connectMs))) {
    give('unreachable')
    return lost(null, false)
  }
  // An answer is waited for from when all has been asked; until then the whole time bounds it.
  const patience = () => {
    if (body.isSent) give('slow')
    else timers.push(setTimeout(patience, timeouts.firstByteMs))
  }
  const timers = [
    setTimeout(patience, timeouts.firstByteMs),
    ...(isSilent && job.isIdempotent ? [setTimeout(() => void probe(), timeouts.connectMs)] : []),
  ]
  let hasAnswered = false
  const probe = async () => {
    if (!(await isReachable(at, timeouts.connectMs)) && !hasAnswered) give('unreachable')
  }
  const total = timeouts.totalMs === null ? undefined : setTimeout(() => give('slow'), timeouts.totalMs)
  const onGone = () => give('stopped')
  job.signal.addEventListener('abort', onGone)
  const done = () => {
    clearTimeout(total)
    job.signal.removeEventListener('abort', onGone)
    over()
  }
  try {
    const headers = new Headers(job.headers)
    for (const [name, value] of Object.entries(origin.target.headers)) headers.set(name, value)
    const sent = body.take()
    const answer = await fetch(at, {
      method,
      headers,
      ...(sent === null ? {} : { body: sent }),
      redirect: 'manual',
      signal,
      // What may be cached is for the route to say, not for what lies between.
      cf: { cacheTtl: -1 },
    } as RequestInit)
    hasAnswered = true
    const ms = since()
    pool.note(
      origin,
      failing.has(answer.status) ? 'failed' : 'answered',
      `${Math.floor(answer.status / 100)}xx`,
      ms,
    )
    const ended = (error: unknown) => {
      done()
      // Bounds that are ours end answers as well.
      const isTheirs = error !== null && !(error instanceof AtollError) && !job.signal.aborted
      if (isTheirs) pool.note(origin, 'lost', 'cut', since())
    }
    return { kind: 'answer', origin, at, answer, ms, ended }
  } catch (error) {
    done()
    return lost(error, true)
  } finally {
    for (const timer of timers) clearTimeout(timer)
  }
}
