/**
 * What follows a write's commit: copies of reference tables, and the cache.
 * @module
 */
import type { ChangeSet } from '../../../db/changes/change-log.ts'
import { copyReferences } from '../../../db/cluster/reference-copies.ts'
import type { ClusterSession } from '../../../db/cluster/session.ts'
import { changesOf } from '../../../db/cluster/track-changes.ts'
import type { Outcome } from '../../../db/slots/parts.ts'
import { everythingOn, invalidate } from '../../cache/area.ts'
import { identityOf } from '../../core/caller.ts'
import { emit } from '../../core/events.ts'
import { errors } from '../errors.ts'
import type { Visit } from '../services.ts'
import type { Aftermath, BoundWrite } from './bound-write.ts'

/**
 * What is done with a write's changes before it is answered. That the cache store does not take them is no error of the
 * write, which is committed: the cache's keeper delivers them, or nobody believes the store until they are.
 */
export function aftermathOf({ caller, services, later }: Visit): Aftermath {
  const { cache, lastWrites, relay, registry, followed } = services
  const repair = () => {
    if (relay) later(relay.repair().catch(() => undefined))
  }
  const failed = (error: unknown) => {
    emit({ kind: 'invalidation-failed', error })
    repair()
  }
  const starts = ({ tables, changes }: ChangeSet) =>
    [...(tables ?? []), ...changes.map(({ table }) => table)].some(
      (table) => registry.subscriptions.has(table) || followed.has(table),
    )
  const startsJobs = relay !== null && (registry.subscriptions.size > 0 || followed.size > 0)
  const start: Aftermath['start'] = (databases, changes) => {
    if (!startsJobs) return
    const named = changes === null ? databases : changes.filter(starts).map(({ database }) => database)
    for (const database of new Set(named)) later(relay.carry(database).catch(() => undefined))
  }
  const changed: Aftermath['changed'] = async (changes, { bookmarks }) => {
    if (cache === null) return
    const who = identityOf(caller)
    if (who !== null) lastWrites.note(who, bookmarks)
    const beside = who === null ? [] : [lastWrites.renewal(cache.prefix, who)]
    try {
      if ((await invalidate(cache, changes, bookmarks, beside)) !== 'replaced') repair()
    } catch (error) {
      failed(error)
      throw errors.notFresh()
    }
  }
  return { tracks: cache !== null || startsJobs, changed, failed, start }
}

/** After the commit: what was written reaches copies, cache and jobs, or the relay is told that it has not. */
export async function carryOn(
  { aftermath, rights: { catalog } }: BoundWrite,
  outcomes: readonly Outcome[],
  tracks: boolean,
  copied: boolean,
  session: ClusterSession,
): Promise<void> {
  const written = outcomes.flatMap((outcome) => ('error' in outcome ? [] : [outcome.part.database]))
  let all: readonly ChangeSet[]
  try {
    const changes = await changesOf(tracks ? outcomes : [], session, catalog)
    const cascades = copied ? await copyReferences(session, catalog, changes) : []
    all = [...changes, ...cascades]
    aftermath.start(written, tracks ? all : null)
  } catch (error) {
    aftermath.start(written, null)
    aftermath.failed(error)
    // Nobody knows what was changed: it may be anything there.
    all = tracks ? written.map((database) => everythingOn(database, catalog)) : []
  }
  if (all.length > 0) await aftermath.changed(all, session)
}
