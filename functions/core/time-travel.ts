/**
 * What the secret `ATOLL_TIME_TRAVEL` says of databases that are put back in time. It is a setting of the Worker, as everything in the databases
 * goes back with them: all isolates of a version have it, it costs requests nothing, and with the next version none is left that knew the time before.
 * @module
 */

/** The last time that all databases were put back in time. */
export interface TimeTravel {
  readonly id: string
  /** Whether it is under way: nobody is answered but by `/backups/v1`. */
  readonly isClosed: boolean
}

/** Where the setting is. */
export interface TimeTravelEnv {
  /** `closed ID` or `open ID`. */
  readonly ATOLL_TIME_TRAVEL?: string
}

/** @returns null when they never were */
export function readTimeTravel({ ATOLL_TIME_TRAVEL: text }: TimeTravelEnv): TimeTravel | null {
  const [, state, id] = /^(closed|open) (\w+)$/.exec(text ?? '') ?? []
  return id === undefined ? null : { id, isClosed: state === 'closed' }
}
