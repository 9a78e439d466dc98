/**
 * A conversion as the primary database has it: which tables are to lie elsewhere, and how far that has come. There is one at a time.
 * @module
 */
import type { NotedPlacement } from '../catalog/noted-placements.ts'
import type { SlotRange } from '../slots/shard-map.ts'
import type { MigrationDatabase } from '../sql/migration-database.ts'

/** What a conversion is at; the last three are its ends. */
export type ConversionState =
  | 'gathering'
  | 'filling'
  | 'changing'
  | 'spreading'
  | 'done'
  | 'cancelled'
  | 'failed'

export type Outcome = Extract<ConversionState, 'done' | 'cancelled' | 'failed'>

/** A table that is converted. */
export interface ConvertedTable {
  readonly table: string
  /** As `placementText` says them. */
  readonly from: string
  readonly to: string
  /** As it was noted before. */
  readonly noted: NotedPlacement
}

/** Which rows have their lookup entries by now. */
export interface Filled {
  /** Of the columns that are entered, the one that is next. */
  readonly column: number
  /** The last rowid that was looked at, as text. */
  readonly after: string
}

/** How far a conversion has come. Every step can be made again from what is noted here. */
export interface Conversion {
  readonly id: string
  readonly tables: readonly ConvertedTable[]
  readonly state: ConversionState
  /** The slots of shards, which come to the primary database and go back. */
  readonly ranges: readonly SlotRange[]
  /** Tables change no sooner, in milliseconds since 1970: by then no isolate has code that does not know of it. */
  readonly notBefore: number
  /** The primary database's change log up to which rows were looked at; null: not yet. */
  readonly position: number | null
  readonly filled: Filled
  /** What it will have come to when slots are back; null: nothing yet. */
  readonly outcome: Outcome | null
  readonly isCancelled: boolean
  /** Why it failed, or what it tries again since. */
  readonly error: string | null
  /** For how long nobody could ask, in milliseconds. */
  readonly pausedMs: number | null
  /** In milliseconds since 1970. */
  readonly created: number
  readonly updated: number
}

const key = 'conversion'

/** @returns null when there was none yet */
export async function readConversion(primary: MigrationDatabase): Promise<Conversion | null> {
  const { results } = await primary
    .prepare('SELECT value FROM _atoll_state WHERE key = ?')
    .bind(key)
    .all<{ value: string }>()
  return results[0] ? (JSON.parse(results[0].value) as Conversion) : null
}

/** Whether it has not ended. */
export function isOpen({ state }: Pick<Conversion, 'state'>): boolean {
  return state !== 'done' && state !== 'cancelled' && state !== 'failed'
}

/**
 * Takes a conversion further, unless somebody else has meanwhile.
 *
 * @param before null: the first one
 * @returns whether it was taken
 */
export async function writeConversion(
  primary: MigrationDatabase,
  before: Conversion | null,
  next: Conversion,
): Promise<boolean> {
  const statement =
    before === null
      ? primary
          .prepare('INSERT OR IGNORE INTO _atoll_state (key, value) VALUES (?, ?) RETURNING 1 AS n')
          .bind(key, JSON.stringify(next))
      : primary
          .prepare('UPDATE _atoll_state SET value = ? WHERE key = ? AND value = ? RETURNING 1 AS n')
          .bind(JSON.stringify(next), key, JSON.stringify(before))
  return (await statement.all()).results.length > 0
}
