/**
 * The pools of an isolate, and the ways to what watches over them.
 * @module
 */
import type { ReadSetting } from '../core/setting.ts'
import type { PoolDeclaration } from './declarations.ts'
import { type OnAnswer, Pool } from './pool.ts'
import { PoolLink } from './pool-link.ts'
import type { PoolWatch, PoolWatchAccess } from './pool-watch.ts'
import { readTargets } from './read-targets.ts'

export type WatchPool = (pool: string) => PoolWatchAccess

/** Stubs belong to the request that makes them, so each call makes its own. */
export function openWatch(namespace: DurableObjectNamespace<PoolWatch> | undefined): WatchPool | null {
  if (!namespace) return null
  return (pool) => {
    const stub = namespace.getByName(pool)
    return {
      sync: async (report) => stub.sync(pool, report),
      order: async (origin, change) => stub.order(pool, origin, change),
      view: async () => stub.view(pool),
    }
  }
}

/** Made when they are asked first: an origin whose variable is not set hurts its own pool only. */
export function openPools(
  declared: Readonly<Record<string, PoolDeclaration>>,
  setting: ReadSetting,
  watch: WatchPool | null,
  onAnswer: OnAnswer,
): (name: string) => PoolLink {
  const made = new Map<string, PoolLink>()
  return (name) => {
    const known = made.get(name)
    if (known) return known
    const declaration = declared[name] as PoolDeclaration
    const pool = new Pool(name, declaration, readTargets(declaration, setting), undefined, onAnswer)
    const link = new PoolLink(pool, watch && (() => watch(name)))
    made.set(name, link)
    return link
  }
}
