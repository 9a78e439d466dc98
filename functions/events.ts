/**
 * What happens in the Worker, as one union of events.
 * @module
 */

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

export type AtollEvent = InternalErrorEvent | InvalidationFailedEvent | RelayFailedEvent

/** Writes an event to the Worker's log, as one line of JSON. */
export function emit(event: AtollEvent): void {
  console.error(JSON.stringify(event, (_, value) => (value instanceof Error ? describe(value) : value)))
}

function describe(error: Error) {
  return { name: error.name, message: error.message, stack: error.stack, cause: error.cause }
}
