import type { ChangeSet } from '../../db/changes/change-log.ts'
import type { ClusterSession } from '../../db/cluster/session.ts'
import { identityOf } from '../access/caller.ts'
import { invalidate } from '../cache/invalidate.ts'
import type { Visit } from '../context.ts'
import { emit } from '../events.ts'
import type { Aftermath } from './execute-write.ts'

/**
 * What is done with a write's changes before it is answered. That the cache store does not take them is no error of the
 * write, which is committed: the relay delivers them.
 */
export function aftermathOf({ caller, services, later }: Visit): Aftermath {
  const { cache, lastWrites, relay } = services
  const failed = (error: unknown) => {
    emit({ kind: 'invalidation-failed', error })
    if (relay) later(relay.wake())
  }
  if (cache === null) return { changed: null, failed }
  const changed = async (changes: readonly ChangeSet[], { bookmarks }: ClusterSession): Promise<void> => {
    const who = identityOf(caller)
    if (who !== null) lastWrites.note(who, bookmarks)
    const beside = who === null ? [] : [lastWrites.renewal(cache.prefix, who)]
    await invalidate(cache, changes, bookmarks, beside).catch(failed)
  }
  return { changed, failed }
}
