import { laterOf } from '../../db/cluster/session.ts'
import type { IsolateBudget } from '../../db/memory/isolate-budget.ts'
import { RecentMap } from '../../db/memory/recent-map.ts'
import { sizeOf } from '../../db/memory/size-of.ts'
import type { Renewal } from './cache-store.ts'
import { bookmarksOf, makeGeneration, parseGeneration, replicaLagMs } from './generation.ts'

/** Callers who are remembered in the isolate. */
const maxCallers = 10_000
const maxBytes = 4_000_000

interface LastWrite {
  readonly bookmarks: ReadonlyMap<string, string>
  readonly until: number
}

/** Where the last writes of a caller lie in the store. */
export function lastWritesKey(prefix: string, who: string): string {
  return `${prefix}:w:${who}`
}

/**
 * Where the databases stood after each signed-in caller's last write, for clients that send no session token: in the
 * isolate, and in the cache store for all others; for as long as replicas may lag behind.
 */
export class LastWrites {
  readonly #callers: RecentMap<LastWrite>

  constructor(budget?: IsolateBudget) {
    this.#callers = new RecentMap({
      name: 'last-writes',
      maxEntries: maxCallers,
      maxBytes,
      floorBytes: maxBytes / 4,
      sizeOf: (caller, write) => 2 * caller.length + sizeOf(write),
      ...(budget ? { budget } : {}),
    })
  }

  of(caller: string): ReadonlyMap<string, string> {
    const found = this.#callers.get(caller)
    return found && Date.now() < found.until ? found.bookmarks : new Map()
  }

  /** Notes a write in the isolate. */
  note(caller: string, bookmarks: ReadonlyMap<string, string>): void {
    const merged = laterOf(this.of(caller), bookmarks)
    this.#callers.set(caller, { bookmarks: merged, until: Date.now() + replicaLagMs })
  }

  /** What the store is to keep for a caller: as of a generation, its bookmarks only ever get later. */
  renewal(prefix: string, caller: string): Renewal {
    return { key: lastWritesKey(prefix, caller), generation: makeGeneration(this.of(caller)), isKept: true }
  }

  /** What the store has kept. */
  static parse(text: string | null | undefined): ReadonlyMap<string, string> {
    return text ? bookmarksOf(parseGeneration(text)) : new Map()
  }
}
