import type { ChangeSet } from '../../db/changes/change-log.ts'
import type { ClusterSession } from '../../db/cluster/session.ts'
import { identityOf } from '../access/caller.ts'
import { invalidate } from '../cache/invalidate.ts'
import type { Visit } from '../context.ts'
import { emit } from '../events.ts'

/**
 * What is done with a write's changes before it is answered. That the cache store does not take them is no error of the
 * write, which is committed: the relay delivers them.
 */
export function invalidating({ caller, services, later }: Visit) {
  const { cache, lastWrites, relay } = services
  if (cache === null) return null
  return async (changes: readonly ChangeSet[], { bookmarks }: ClusterSession): Promise<void> => {
    const who = identityOf(caller)
    if (who !== null) lastWrites.note(who, bookmarks)
    const beside = who === null ? [] : [lastWrites.renewal(cache.prefix, who)]
    try {
      await invalidate(cache, changes, bookmarks, beside)
    } catch (error) {
      emit({ kind: 'invalidation-failed', error })
      if (relay) later(relay.wake())
    }
  }
}
