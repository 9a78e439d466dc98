/**
 * All databases put back to one moment by Time Travel: what is known of it while it is under way. It lies in the bucket of backups, as what
 * databases know goes back with them.
 * @module
 */
import type { Seen } from '../restores/positions.ts'
import type { BackupFiles, BackupWorld } from './backup-world.ts'
import type { CheckPlace, Finding } from './check-whole.ts'

/**
 * What is done: it is asked for (`begun`), nobody is let in and what must never come again is noted (`closed`), all databases are back (`restored`),
 * each has begun another life (`living`), what they know of each other is put right (`mended`) and looked at (`checked`), callers are let in (`over`).
 */
export type TravelPhase =
  | 'begun'
  | 'closed'
  | 'restored'
  | 'living'
  | 'mended'
  | 'checked'
  | 'over'
  | 'cancelled'

/** One of the databases, and how far it is. */
export interface TravellingDatabase {
  readonly name: string
  /** Where it goes. */
  readonly bookmark: string
  /** Where it was before: the way back. Null: it is not restored yet, or nobody has heard the answer. */
  readonly previous: string | null
  readonly isRestored: boolean
  /** As it was when nobody was let in any more; what of it was given out by then is never given out again. */
  readonly seen: Seen | null
  /** Whether it has begun the life after. */
  readonly isLiving: boolean
}

/** One way back of all databases. */
export interface Travel {
  readonly id: string
  /** The moment, in milliseconds since 1970. */
  readonly at: number
  /** The backup whose bookmarks these are; null: they are those of the moment. */
  readonly backup: string | null
  readonly phase: TravelPhase
  readonly databases: readonly TravellingDatabase[]
  /** Above every epoch that there was; null: not known yet. */
  readonly epoch: number | null
  /** Where the look at all rows has come to. */
  readonly looked: { readonly tables: number; readonly place: CheckPlace | null }
  readonly findings: readonly Finding[]
  readonly updated: number
}

const folder = 'travels/'
const keyOf = (id: string) => `${folder}${id}.json`

/** @returns the last one that was asked for; null: none ever was */
export async function lastTravel(files: BackupFiles): Promise<Travel | null> {
  const last = [...(await files.list(folder))].sort().at(-1)
  const bytes = last === undefined ? null : await files.get(last)
  return bytes && (JSON.parse(new TextDecoder().decode(bytes)) as Travel)
}

/** Notes it with what has changed. @returns what was noted */
export async function noteTravel(
  { files, now }: Pick<BackupWorld, 'files' | 'now'>,
  travel: Travel,
  changed: Partial<Travel> = {},
): Promise<Travel> {
  const noted = { ...travel, ...changed, updated: now() }
  await files.put(keyOf(travel.id), new TextEncoder().encode(JSON.stringify(noted)))
  return noted
}

/** Whether another one may begin. */
export const isOver = ({ phase }: Travel) => phase === 'over' || phase === 'cancelled'
