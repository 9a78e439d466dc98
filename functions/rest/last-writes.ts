/** Callers who are remembered, and for how long: longer than replicas lag behind. */
const maxCallers = 10_000
const rememberedMs = 60_000

/**
 * Where the databases stood after each signed-in caller's last write, for clients that send no session token. Kept in the
 * isolate: a caller who is answered by another one reads their writes by token only.
 */
export class LastWrites {
  readonly #callers = new Map<
    string,
    { readonly bookmarks: ReadonlyMap<string, string>; readonly until: number }
  >()

  of(caller: string): ReadonlyMap<string, string> {
    const found = this.#callers.get(caller)
    return found && Date.now() < found.until ? found.bookmarks : new Map()
  }

  note(caller: string, bookmarks: ReadonlyMap<string, string>): void {
    const merged = merge(this.of(caller), bookmarks)
    this.#callers.delete(caller)
    this.#callers.set(caller, { bookmarks: merged, until: Date.now() + rememberedMs })
    if (this.#callers.size > maxCallers) {
      const [oldest] = this.#callers.keys()
      this.#callers.delete(oldest as string)
    }
  }
}

/** The later bookmark of each database. */
export function merge(
  a: ReadonlyMap<string, string>,
  b: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  const merged = new Map(a)
  for (const [database, bookmark] of b) {
    const known = merged.get(database)
    if (known === undefined || known < bookmark) merged.set(database, bookmark)
  }
  return merged
}
