/**
 * How far a database has come: numbers that only ever grow while it lives forward. One that is smaller than another has seen it says that
 * the database was put back in time.
 * @module
 */
import type { BoundStatement, Row } from '../sql/statement.ts'

/** What is seen of a database at one moment. */
export interface Seen {
  /** Which life of the database it is: another one after each restore that was noticed. */
  readonly incarnation: string
  /** How often its relay had looked after it, and the mark that it left the last time. */
  readonly tick: number
  readonly mark: string
  readonly positions: Positions
  /** The database's own clock, in milliseconds since 1970. */
  readonly at: number
  /** How far all others together had logged changes: entries of lookups are made for their rows, and nothing else tells of these. */
  readonly others?: number
  /**
   * Times between a restore and the look that noticed it: what was logged then had numbers that others had before. They are remembered, as the
   * database may be put back to such a time.
   */
  readonly gaps?: readonly (readonly [from: number, to: number])[]
}

export interface Positions {
  /** Last sequence of the change log that was ever given out, and of the jobs. */
  readonly changes: number
  readonly jobs: number
  /** Epoch at which its slots last changed. */
  readonly epoch: number
  /** How much of the reference log a shard has applied. */
  readonly copied: number
  /** The primary database's: the last sequence of the reference log, the map's epoch, and the next number of each table. */
  readonly references: number
  readonly map: number
  readonly numbers: Readonly<Record<string, number>>
}

const last = (log: string) => `ifnull((SELECT seq FROM sqlite_sequence WHERE name = '${log}'), 0)`

/** Reads what is to be seen of a database, in one row; and what it has of a repair that is not over. */
export function readSeen(isPrimary: boolean): BoundStatement {
  const own = isPrimary
    ? `${last('_atoll_reference_log')} AS refs, ifnull((SELECT epoch FROM _atoll_cluster), 0) AS map,
 (SELECT json_group_object(name, next) FROM _atoll_sequences) AS numbers`
    : "0 AS refs, 0 AS map, '{}' AS numbers"
  return {
    text: `SELECT incarnation, tick, mark, ${last('_atoll_changes')} AS changes, ${last('_atoll_jobs')} AS jobs,
 (SELECT epoch FROM _atoll_shard) AS epoch, (SELECT reference_sequence FROM _atoll_shard) AS copied, CAST(unixepoch('subsec') * 1000 AS INTEGER) AS at,
 (SELECT value FROM _atoll_state WHERE key = '${repairKey}') AS repair, ${own} FROM _atoll_incarnation`,
    parameters: [],
  }
}

/** Under this key a database that was put back in time notes what is still to be repaired. */
export const repairKey = 'restored'

/** What a row of `readSeen` says. */
export function seenOf(row: Row): Seen {
  return {
    incarnation: row.incarnation as string,
    tick: Number(row.tick),
    mark: row.mark as string,
    at: Number(row.at),
    positions: {
      changes: Number(row.changes),
      jobs: Number(row.jobs),
      epoch: Number(row.epoch),
      copied: Number(row.copied),
      references: Number(row.refs),
      map: Number(row.map),
      numbers: JSON.parse(row.numbers as string) as Record<string, number>,
    },
  }
}

/**
 * Whether a database is older than it was seen before. It may have come far since it was put back: then its tick still tells, as only its
 * relay moves that on, and never before it has compared.
 */
export function isOlder(now: Seen, before: Seen): boolean {
  if (now.tick < before.tick) return true
  if (now.tick === before.tick && now.mark !== before.mark) return true
  const [own, known] = [now.positions, before.positions]
  const names = ['changes', 'jobs', 'epoch', 'copied', 'references', 'map'] as const
  return names.some((name) => own[name] < known[name])
}

/**
 * The latest of what was seen, with the greatest positions of all: databases may have been put back several times, and their witnesses, too.
 *
 * @param now whose positions count as well
 */
export function latestOf(seen: readonly Seen[], now: Seen): Seen {
  const [latest] = [...seen].sort((a, b) => b.tick - a.tick || b.at - a.at) as [Seen]
  return {
    ...latest,
    positions: [...seen, now].map(({ positions }) => positions).reduce(greatest),
  }
}

function greatest(a: Positions, b: Positions): Positions {
  const tables = [...new Set([...Object.keys(a.numbers), ...Object.keys(b.numbers)])]
  return {
    changes: Math.max(a.changes, b.changes),
    jobs: Math.max(a.jobs, b.jobs),
    epoch: Math.max(a.epoch, b.epoch),
    copied: Math.max(a.copied, b.copied),
    references: Math.max(a.references, b.references),
    map: Math.max(a.map, b.map),
    numbers: Object.fromEntries(
      tables.map((table) => [table, Math.max(a.numbers[table] ?? 0, b.numbers[table] ?? 0)]),
    ),
  }
}
