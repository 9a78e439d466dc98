import { laterOf } from '../../db/cluster/session.ts'
import { RecentMap } from '../recent-map.ts'

/** Callers who are remembered, and for how long: longer than replicas lag behind. */
const maxCallers = 10_000
const rememberedMs = 60_000

interface LastWrite {
  readonly bookmarks: ReadonlyMap<string, string>
  readonly until: number
}

/**
 * Where the databases stood after each signed-in caller's last write, for clients that send no session token. Kept in the
 * isolate: a caller who is answered by another one reads their writes by token only.
 */
export class LastWrites {
  readonly #callers = new RecentMap<LastWrite>(maxCallers)

  of(caller: string): ReadonlyMap<string, string> {
    const found = this.#callers.get(caller)
    return found && Date.now() < found.until ? found.bookmarks : new Map()
  }

  note(caller: string, bookmarks: ReadonlyMap<string, string>): void {
    const merged = laterOf(this.of(caller), bookmarks)
    this.#callers.set(caller, { bookmarks: merged, until: Date.now() + rememberedMs })
  }
}
