/**
 * The cache's code, as it is, or with one rule of its protocol broken on purpose.
 * @module
 */
import { type CodeMutant, loadMutant } from './load-mutant.ts'
import type { Fault } from './simulated-store.ts'
import type { CacheCode } from './simulation.ts'

export interface Mutant extends CodeMutant {
  /** Faults that show it soon; left out: all. */
  readonly faults?: readonly Fault[]
  /** How long readers may serve without asking, so that it shows; left out: not at all. */
  readonly leaseMs?: number
  /** Whether it is about the store in memory. */
  readonly isLocal?: boolean
  /** Whether it is about reads that go by the cache. */
  readonly judges?: boolean
  /** Whether it takes many histories to show: looked for only when `ATOLL_HISTORIES` says how many. */
  readonly isRare?: boolean
}

export const mutants: readonly Mutant[] = [
  {
    name: 'dates an entry by its read, and not by its generations',
    isRare: true,
    file: 'functions/cache/consistent-cache.ts',
    from: 'this.#first.put(query.key, own, asked)',
    to: 'this.#first.put(query.key, own, Date.now())',
  },
  {
    name: 'stamps an entry after the read',
    file: 'functions/cache/consistent-cache.ts',
    from: 'const ids = generations.map(({ id }) => id)',
    to: `const now = await this.#looks.generations(query).catch(() => generations)
    const ids = now.map((generation, i) => (generation ?? generations[i])!.id)`,
  },
  {
    name: 'counts generations, from the beginning when they were evicted',
    file: 'functions/cache/generation.ts',
    from: 'id: crypto.randomUUID()',
    to: "id: bookmarks === null ? 'first' : String(upTo)",
  },
  {
    name: "ignores the session's bookmarks",
    file: 'functions/cache/cache-query.ts',
    from: 'if (known !== undefined && bookmark < known) return true',
    to: '',
  },
  {
    name: "reads without the writer's bookmark",
    file: 'functions/cache/consistent-cache.ts',
    from: 'seen: written.reduce(laterOf, seen)',
    to: 'seen',
  },
  {
    name: 'reads from replicas under a generation that nobody knows the writer of',
    file: 'functions/cache/consistent-cache.ts',
    from: 'const primary = forgets && generations.some((generation) => needsPrimary(generation, began))',
    to: 'const primary = false',
  },
  {
    name: 'reads from replicas what is not worth keeping',
    file: 'functions/cache/consistent-cache.ts',
    from: 'if (!isWorth) return this.#around(query, seen, read)',
    // Here most is worth it, as answers outlive most writes.
    to: "if (!isWorth || isJudged) return direct(await read({ seen, primary: false }), 'bypass')",
    judges: true,
  },
  {
    name: 'forgets writes of what nobody had asked for, or of what it let go, in memory',
    file: 'functions/cache/memory-store.ts',
    from: 'this.#written = laterOf(this.#written, bookmarksOf(generation))',
    to: '',
    isLocal: true,
  },
  {
    name: 'shares what was begun before',
    file: 'functions/cache/consistent-cache.ts',
    from: 'const state = [query.key, ...ids].join()',
    to: 'const state = query.key',
  },
  {
    name: 'takes a missing generation for any',
    file: 'functions/cache/cache-query.ts',
    from: 'if (!generation) return false',
    to: 'if (!generation) continue',
  },
  {
    name: 'does not ask whether what the isolate holds is current',
    file: 'functions/cache/consistent-cache.ts',
    from: '|| !isCurrent(entry, generations, query)) return null',
    to: "|| (from === 'store' && !isCurrent(entry, generations, query))) return null",
  },
  {
    name: 'acknowledges what the store has refused',
    file: 'functions/cache/invalidate.ts',
    from: 'way = await deliver(generations, error)',
    to: "way = 'distrusted'",
  },
  {
    name: 'believes the store without the key',
    file: 'functions/cache/trusted-store.ts',
    from: 'if (trust === null) return null',
    to: 'if (trust === null) return values',
  },
  {
    name: 'does not wait until nobody believes the store',
    file: 'functions/cache/trust-keeper.ts',
    from: 'while (Date.now() < this.#until &&',
    to: 'while (Date.now() < 0 &&',
  },
  {
    name: 'waits for the key that was answered, and not for one that may arrive late',
    isRare: true,
    file: 'functions/cache/trust-keeper.ts',
    from: 'this.#until = Math.max(this.#until, this.#tokenUntil + ttlMs)',
    to: '',
    faults: ['slow', 'partial-and-keeper'],
  },
  {
    name: 'believes the store again with what it held before',
    file: 'functions/cache/trust-keeper.ts',
    from: 'await forgetAll()',
    to: '',
  },
  {
    name: 'delivers the token that its writer has sent',
    file: 'functions/cache/trust-keeper.ts',
    from: 'generation: { ...generation, id: crypto.randomUUID() }',
    to: 'generation',
    faults: ['slow'],
  },
  {
    name: 'forgets its distrust with its object',
    file: 'functions/cache/trust-keeper.ts',
    from: 'await this.#save({ ...kept, distrust })',
    to: 'this.#kept = { ...kept, distrust }',
    faults: ['read-only', 'partial-and-keeper'],
  },
  {
    name: 'forgets with its object how long the key may live',
    isRare: true,
    file: 'functions/cache/trust-keeper.ts',
    from: 'await this.#save({ ...kept, until: this.#until })',
    to: 'await this.#save(kept)',
    faults: ['slow', 'read-only', 'partial-and-keeper'],
  },
  {
    name: 'trims its windows, and believes what came before them',
    file: 'functions/cache/change-window.ts',
    from: 'base = dropped',
    to: 'void dropped',
  },
  {
    name: 'looks at the columns that are shown alone',
    file: 'functions/cache/footprint.ts',
    from: 'if (columns.some((column) => deciding.includes(column))) return true',
    to: '',
  },
  {
    name: 'takes an insert for an update',
    file: 'functions/cache/change-window.ts',
    from: 'if (columns === null) return null',
    to: 'if (columns === null) continue',
  },
  {
    name: 'looks at the last change alone',
    file: 'functions/cache/change-window.ts',
    from: '    .slice(1)\n    .flatMap',
    to: '    .slice(1).slice(-1)\n    .flatMap',
  },
  {
    name: 'gives an entry the bookmarks of what it has outlived',
    file: 'functions/cache/cache-query.ts',
    from: 'if (outlived) entry.outlived',
    to: `if (outlived) for (const generation of generations)
      for (const [database, bookmark] of Object.entries(generation?.bookmarks ?? {}))
        (entry.bookmarks as Map<string, string>).set(database, bookmark)
    if (outlived) entry.outlived`,
  },
  {
    name: 'does not wait for leases',
    file: 'functions/cache/invalidate.ts',
    from: 'if (longest > 0) await pause(longest + clockMs)',
    to: '',
    leaseMs: 300,
  },
  {
    name: 'dates a lease by the answer of the store',
    file: 'functions/cache/consistent-cache.ts',
    from: 'this.#first.put(query.key, entry, look.asked)',
    to: 'this.#first.put(query.key, entry, Date.now())',
    leaseMs: 300,
  },
]

/** So that windows are trimmed all the time. */
const short: CodeMutant = {
  name: 'short windows',
  file: 'functions/cache/change-window.ts',
  from: 'export const maxSteps = 64',
  to: 'export const maxSteps = 3',
}

/** Loads the code with a rule broken; as it is for null. */
export function loadCache(mutant: Mutant | null): Promise<CacheCode> {
  return loadMutant(
    `export { ConsistentCache } from './functions/cache/consistent-cache.ts'
export { MemoryStore } from './functions/cache/memory-store.ts'
export { FirstLevel } from './functions/cache/first-level.ts'
export { generationText, parseGeneration, renewed } from './functions/cache/generation.ts'
export { invalidate, sweepChanges } from './functions/cache/invalidate.ts'
export { StoreLags } from './functions/cache/trust.ts'
export { TrustedStore } from './functions/cache/trusted-store.ts'
export { TrustKeeper } from './functions/cache/trust-keeper.ts'`,
    /functions\/cache\/.*\.ts$/,
    mutant,
    [short],
  )
}
