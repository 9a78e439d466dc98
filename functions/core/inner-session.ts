import type { Account } from '../../db/cluster/account.ts'
import { laterOf } from '../../db/cluster/session.ts'

/**
 * What the requests have seen together that a function, route or job sends through `api`: what `Atoll-Session` carries
 * for others, without its seal.
 */
export interface InnerSession {
  /** How many functions deep they are: 1 for those of a function that was called from outside. */
  readonly depth: number
  /** Bookmarks by database. */
  readonly seen: ReadonlyMap<string, string>
  /** Whether one of them has written. */
  readonly wrote: boolean
  /** Whether replicas may not answer, as the same code has written by Drizzle, which tells no bookmark. */
  readonly primary: boolean
  /** On whose account they are: whoever called from outside, whatever rights the code uses; null: nobody's. */
  readonly account: Account | null
  /** Notes what a request has seen. */
  note(bookmarks: ReadonlyMap<string, string>, wrote: boolean): void
}

/** What the code of one function, route or job has seen through `api`. */
export interface OwnSession extends InnerSession {
  /** Notes that the same code has written by Drizzle. */
  wroteByDrizzle(): void
}

/** What is known when it begins. */
type Beginning = Pick<InnerSession, 'depth' | 'seen' | 'primary' | 'account'>

export function createInnerSession({ depth, account, ...beginning }: Beginning): OwnSession {
  let { seen, primary } = beginning
  let wrote = false
  return {
    depth,
    account,
    get seen() {
      return seen
    },
    get wrote() {
      return wrote
    },
    get primary() {
      return primary
    },
    note(bookmarks, isWrite) {
      seen = laterOf(seen, bookmarks)
      wrote ||= isWrite
    },
    wroteByDrizzle() {
      primary = true
    },
  }
}
