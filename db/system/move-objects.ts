/**
 * What the databases keep of slots that move: `db/moves/README.md` tells how they do.
 * @module
 */

/** In every database: rows on their way in, and whose writes count as the mover's. */
export const moveObjects: readonly string[] = [
  // Rows that are to come here, as JSON arrays of their columns; the table's name, the row's key as the change log writes it, its distribution
  // value and slot. Jobs and their steps lie here, too, under the names of their tables.
  `CREATE TABLE IF NOT EXISTS _atoll_incoming (move TEXT NOT NULL, name TEXT NOT NULL, key TEXT NOT NULL, slot INTEGER NOT NULL,
   value TEXT, row TEXT NOT NULL, PRIMARY KEY (move, name, key)) WITHOUT ROWID`,
  'CREATE INDEX IF NOT EXISTS _atoll_incoming_slot ON _atoll_incoming (move, slot)',
  // Of two movers, only the one with the highest token may write here.
  'CREATE TABLE IF NOT EXISTS _atoll_mover (id INTEGER PRIMARY KEY CHECK (id = 1), token INTEGER NOT NULL)',
  'INSERT OR IGNORE INTO _atoll_mover VALUES (1, 0)',
]

/**
 * In the primary database: what is to move and how far it has come.
 *
 * | column | says |
 * | --- | --- |
 * | id | a ULID; `<id>-back` brings back what another one had handed over before it was cancelled |
 * | ranges | JSON array of `[first, last]`, slots that the source owned when it was asked for |
 * | state | `waiting` its turn, `running`, `paused`, `cancelling`, and in the end `cancelled`, `done` or `failed` |
 * | progress | JSON of `Progress` (`db/moves/moves.ts`) |
 * | error | why it failed, or what it tries again since |
 */
export const moveRecords: readonly string[] = [
  `CREATE TABLE IF NOT EXISTS _atoll_moves (id TEXT PRIMARY KEY, source TEXT NOT NULL, target TEXT NOT NULL, ranges TEXT NOT NULL,
   state TEXT NOT NULL, progress TEXT, error TEXT, created INTEGER NOT NULL, updated INTEGER NOT NULL)`,
]
