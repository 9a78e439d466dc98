import type { Caller } from '../core/caller.ts'
import type { Version } from './frames.ts'

/** What the Worker tells the hub of who opens a socket. */
export interface Opened {
  readonly version: Version
  readonly caller: Caller
  readonly apikey: string | null
  readonly countedAs: string | null
}

/** The header that says it: nobody but the Worker reaches the object. */
export const openedHeader = 'atoll-opened'
