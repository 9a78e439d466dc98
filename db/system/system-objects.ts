/**
 * What Atoll keeps in the databases beside the app's tables. Each statement can be run again without harm.
 * @module
 */

import { slotTable } from '../slots/slot-expression.ts'
import { backupRecords, fileTriggers } from './backup-objects.ts'
import { idempotencyObjects } from './idempotency-objects.ts'
import { jobObjects } from './job-objects.ts'
import { moveObjects, moveRecords } from './move-objects.ts'
import { storageObjects } from './storage-objects.ts'

/** The table that `wrangler d1 migrations` keeps, so that both tools agree on what is done. */
const stateTable = `CREATE TABLE IF NOT EXISTS d1_migrations (
  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL)`

/** In every database. */
export const systemObjects: readonly string[] = [
  stateTable,
  // A row in the guard aborts the transaction that puts it there; its text says why.
  'CREATE TABLE IF NOT EXISTS _atoll_guard (reason TEXT NOT NULL)',
  `CREATE TRIGGER IF NOT EXISTS _atoll_guard_abort BEFORE INSERT ON _atoll_guard BEGIN SELECT RAISE(ABORT, NEW.reason); END`,
  // Notes of a transaction that will be undone; always empty outside one.
  'CREATE TABLE IF NOT EXISTS _atoll_undone (sequence INTEGER PRIMARY KEY, kind TEXT NOT NULL, text TEXT, keys TEXT)',
  // The slots that this database owns; what is meant for others it refuses.
  `CREATE TABLE IF NOT EXISTS _atoll_slots (first INTEGER PRIMARY KEY, last INTEGER NOT NULL,
   state TEXT NOT NULL DEFAULT 'open')`,
  // The database itself: the epoch at which its slots last changed, and how much of the reference log it has applied.
  `CREATE TABLE IF NOT EXISTS _atoll_shard (id INTEGER PRIMARY KEY CHECK (id = 1), epoch INTEGER NOT NULL DEFAULT 0,
   reference_sequence INTEGER NOT NULL DEFAULT 0)`,
  'INSERT OR IGNORE INTO _atoll_shard (id) VALUES (1)',
  // Values that are unique over all shards, at home in the value's own slot: the slot of the row that has it.
  `CREATE TABLE IF NOT EXISTS _atoll_unique (name TEXT NOT NULL, value TEXT NOT NULL, home INTEGER NOT NULL,
   slot INTEGER NOT NULL, token TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (name, value)) WITHOUT ROWID`,
  // Tokens of such entries that were revoked before a row had their value.
  `CREATE TABLE IF NOT EXISTS _atoll_unique_tokens (token TEXT PRIMARY KEY, state TEXT NOT NULL, at INTEGER NOT NULL)
   WITHOUT ROWID`,
  // What a transaction shows to the triggers that keep the rules; always empty outside one.
  `CREATE TABLE IF NOT EXISTS _atoll_permits (name TEXT NOT NULL, value TEXT NOT NULL, token TEXT NOT NULL,
   PRIMARY KEY (name, value)) WITHOUT ROWID`,
  // Rows of reference tables that are about to go, by whose token: none may begin to refer to them.
  `CREATE TABLE IF NOT EXISTS _atoll_retiring (token TEXT NOT NULL, name TEXT NOT NULL, key TEXT NOT NULL,
   at INTEGER NOT NULL, PRIMARY KEY (token, name, key)) WITHOUT ROWID`,
  'CREATE INDEX IF NOT EXISTS _atoll_retiring_of ON _atoll_retiring (name, key)',
  ...slotTable,
  'CREATE INDEX IF NOT EXISTS _atoll_unique_tokens_at ON _atoll_unique_tokens (at)',
  // Rows that changed, in the order of their transactions; triggers write it. And how far each reader of it has come.
  `CREATE TABLE IF NOT EXISTS _atoll_changes (sequence INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL,
   operation TEXT NOT NULL, key TEXT NOT NULL, value TEXT, at INTEGER NOT NULL, columns TEXT, old TEXT, new TEXT)`,
  'CREATE TABLE IF NOT EXISTS _atoll_cursors (consumer TEXT PRIMARY KEY, sequence INTEGER NOT NULL)',
  'CREATE TABLE IF NOT EXISTS _atoll_state (key TEXT PRIMARY KEY, value TEXT NOT NULL)',
  // Hashes of the migrations that were applied, as their files were; and where the app says that its tables' rows lie.
  'CREATE TABLE IF NOT EXISTS _atoll_migrations (name TEXT PRIMARY KEY, hash TEXT NOT NULL)',
  'CREATE TABLE IF NOT EXISTS _atoll_placements (name TEXT PRIMARY KEY, placement TEXT NOT NULL)',
  // Which life of the database this is, and how often its relay has looked after it; and what others knew of it then: `db/restores/`.
  `CREATE TABLE IF NOT EXISTS _atoll_incarnation (id INTEGER PRIMARY KEY CHECK (id = 1), incarnation TEXT NOT NULL,
   tick INTEGER NOT NULL DEFAULT 0, mark TEXT NOT NULL DEFAULT '')`,
  'INSERT OR IGNORE INTO _atoll_incarnation (id, incarnation) VALUES (1, lower(hex(randomblob(8))))',
  'CREATE TABLE IF NOT EXISTS _atoll_witnesses (database TEXT PRIMARY KEY, tick INTEGER NOT NULL, seen TEXT NOT NULL)',
  // What a restore has left that nobody but the operator can decide.
  `CREATE TABLE IF NOT EXISTS _atoll_conflicts (kind TEXT NOT NULL, name TEXT NOT NULL, key TEXT NOT NULL, details TEXT NOT NULL,
   at INTEGER NOT NULL, PRIMARY KEY (kind, name, key)) WITHOUT ROWID`,
  ...jobObjects,
  ...idempotencyObjects,
  ...moveObjects,
]

/** Columns that tables of an older Atoll lack: table, column, type. */
export const addedColumns: readonly (readonly [table: string, column: string, type: string])[] = [
  ['_atoll_changes', 'columns', 'TEXT'],
  ['_atoll_changes', 'old', 'TEXT'],
  ['_atoll_changes', 'new', 'TEXT'],
]

/** In the primary database only. */
export const primaryObjects: readonly string[] = [
  'CREATE TABLE IF NOT EXISTS _atoll_cluster (id INTEGER PRIMARY KEY CHECK (id = 1), epoch INTEGER NOT NULL)',
  'CREATE TABLE IF NOT EXISTS _atoll_shard_map (first INTEGER PRIMARY KEY, last INTEGER NOT NULL, shard TEXT NOT NULL)',
  'CREATE TABLE IF NOT EXISTS _atoll_shards (name TEXT PRIMARY KEY, epoch INTEGER NOT NULL)',
  // The next number of each table whose ids Atoll gives out.
  'CREATE TABLE IF NOT EXISTS _atoll_sequences (name TEXT PRIMARY KEY, next INTEGER NOT NULL)',
  // Keys of rows of reference tables, in the order in which they changed; triggers write it.
  `CREATE TABLE IF NOT EXISTS _atoll_reference_log (sequence INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL,
   key TEXT NOT NULL)`,
  ...storageObjects,
  ...fileTriggers,
  ...moveRecords,
  ...backupRecords,
]
