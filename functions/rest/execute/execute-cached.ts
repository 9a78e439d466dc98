/**
 * Runs reads through the cache.
 * @module
 */
import type { Catalog } from '../../../db/catalog/catalog.ts'
import type { ClusterSession } from '../../../db/cluster/session.ts'
import type { Rights } from '../../access/area.ts'
import {
  type CacheDirectives,
  type CachedAnswer,
  type ConsistentCache,
  type FillTerms,
  type Invalidator,
  LastWrites,
  lastWritesKey,
  type Served,
} from '../../cache/area.ts'
import type { CompiledRead } from '../compile/compile-read.ts'
import { errors } from '../errors.ts'
import { type CachePlan, tagsFor } from '../plan/cache-plan.ts'
import type { ReadPlan } from '../plan/plan.ts'
import type { BoundRead, ReadResult } from './bound-read.ts'
import { executeRead } from './execute.ts'

/** A read that may be answered from the cache. */
export interface CachedRead {
  readonly plan: ReadPlan
  readonly compiled: CompiledRead
  readonly cachePlan: CachePlan
  /** What tells this request from all others whose answers are other ones. */
  readonly key: string
  /** What is asked for, without its operands. */
  readonly canonical: string
  readonly bindings: BoundRead
  readonly directives: CacheDirectives
  /** Who the caller is, when their last writes must be seen without a session token. */
  readonly who: string | null
}

/** Makes what a read has found what is sent, and kept. */
export type ToAnswer = (
  result: ReadResult,
  plan: ReadPlan,
  columns: readonly string[],
) => Promise<CachedAnswer>

/** @throws 504 when the client wants a cached answer only, and there is none */
export async function executeCached(
  request: CachedRead,
  cache: ConsistentCache,
  session: ClusterSession,
  catalog: Catalog,
  toAnswer: ToAnswer,
): Promise<Served> {
  const { plan, compiled, cachePlan, key, canonical, bindings, directives, who } = request
  const tagged = await tagsFor(cachePlan, plan, bindings, session)
  const tags = [...tagged.keys()]
  const read = async (terms: FillTerms) => {
    const own = session.toFill(terms)
    const result = await executeRead(plan, compiled, bindings, own, catalog)
    const answer: CachedAnswer = await toAnswer(result, plan, compiled.columns)
    // Slots that moved meanwhile lie under other tags: the answer is right, and not to be kept under these.
    const isSame = String([...(await tagsFor(cachePlan, plan, bindings, own)).keys()]) === String(tags)
    return { answer, bookmarks: own.read, whole: isSame && result.missing.length === 0 }
  }
  const query = {
    key,
    shape: canonical,
    tags,
    footprints: [...tagged.values()],
    ttlMs: cachePlan.ttlMs,
    maxStaleMs: cachePlan.maxStaleMs,
    leaseMs: cachePlan.leaseMs,
    seen: session.seen,
    who,
    directives,
    later: session.later,
  }
  const served = await cache.get(query, read)
  if (served === null) throw errors.notCached()
  // What the answer shows, the session has seen.
  for (const [database, bookmark] of served.bookmarks) session.note(database, bookmark)
  return served
}

/**
 * What an entry lies under: what is asked for, as `canonicalRequest` writes it, with its operands; who may share its answer, and what the
 * policies' parameters are. JSON texts in a row are told apart without anything between them.
 *
 * @param space JSON of all that is the same for every request
 */
export function cacheKey(
  space: string,
  canonical: string,
  operands: readonly string[],
  rights: Rights,
): string {
  return space + canonical + JSON.stringify([rights.caller.role, operands, rights.decisions()])
}

/** Has a session see what the caller has written by other isolates; for answers that do not come from the cache. */
export async function seeLastWrites(
  { store, prefix }: Invalidator,
  who: string | null,
  session: ClusterSession,
): Promise<ClusterSession> {
  if (who === null || store.isLocal) return session
  try {
    const [text] = await store.read([lastWritesKey(prefix, who)])
    for (const [database, bookmark] of LastWrites.parse(text)) session.note(database, bookmark)
    return store.mayMissWrites?.() ? session.onPrimary() : session
  } catch {
    // Nobody knows what they have written: replicas may lack it.
    return session.onPrimary()
  }
}
