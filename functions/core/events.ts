/**
 * What happens in the Worker: events that all areas may tell. Each area adds its own, in its `events.ts`.
 * @module
 */

import { currentTrace } from './request-trace.ts'

/** A request failed for a reason that its caller is not told. */
export interface InternalErrorEvent {
  readonly kind: 'internal-error'
  readonly method: string
  readonly path: string
  readonly error: unknown
}

/** The cache store did not take what a write had changed; the relay will deliver it. */
export interface InvalidationFailedEvent {
  readonly kind: 'invalidation-failed'
  readonly error: unknown
}

/** A part of the relay's work failed, and will be tried again. */
export interface RelayFailedEvent {
  readonly kind: 'relay-failed'
  readonly what: string
  readonly error: unknown
}

export type CoreEvent = InternalErrorEvent | InvalidationFailedEvent | RelayFailedEvent

/** What every event has; what else it tells, its area says. */
export interface AnyEvent {
  readonly kind: string
}

/** An event as it is kept for operators. */
export interface NotedEvent {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly kind: string
  /** The event as JSON, cut off where it is long. */
  readonly text: string
}

/** What this isolate has told the log and nobody has fetched. */
let noted: NotedEvent[] = []
const maxNoted = 200
const maxTextLength = 2000

/** Tells events of an area, and those that all may tell. */
export type Emit<Event extends AnyEvent> = (event: CoreEvent | Event) => void

/** An area's own `emit`, which knows its events. */
export function emitter<Event extends AnyEvent>(): Emit<Event> {
  return tell
}

export const emit: Emit<never> = tell

/** Writes an event to the Worker's log, as one line of JSON, and keeps it for who hands it over. */
function tell(event: AnyEvent): void {
  const text = textOf(event, currentTrace()?.requestId)
  console.error(text)
  if (noted.length < maxNoted) {
    noted.push({ at: Date.now(), kind: event.kind, text: text.slice(0, maxTextLength) })
  }
}

/** Events since the last time. */
export function drainEvents(): readonly NotedEvent[] {
  const drained = noted
  noted = []
  return drained
}

/** What was thrown may be anything, also what JSON cannot hold; then its kind is told at least. */
function textOf(event: AnyEvent, requestId: string | undefined): string {
  // Asked of the holder, as the value has been through its `toJSON`: some errors leave out their stack there.
  function plain(this: Record<string, unknown>, name: string, value: unknown) {
    const own = this[name]
    return own instanceof Error ? describe(own) : typeof value === 'bigint' ? String(value) : value
  }
  try {
    return JSON.stringify({ ...event, requestId }, plain)
  } catch {
    return JSON.stringify({ kind: event.kind, error: 'it cannot be shown' })
  }
}

function describe(error: Error) {
  return { name: error.name, message: error.message, stack: error.stack, cause: error.cause }
}
