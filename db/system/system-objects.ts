/**
 * What Atoll keeps in every database beside the app's tables. Each statement can be run again without harm.
 * @module
 */

export const systemObjects: readonly string[] = [
  // A row in the guard aborts the transaction that puts it there; its text says why.
  'CREATE TABLE IF NOT EXISTS _atoll_guard (reason TEXT NOT NULL)',
  `CREATE TRIGGER IF NOT EXISTS _atoll_guard_abort BEFORE INSERT ON _atoll_guard
   BEGIN SELECT RAISE(ABORT, NEW.reason); END`,
  // Notes of a transaction that will be undone; always empty outside one.
  'CREATE TABLE IF NOT EXISTS _atoll_undone (sequence INTEGER PRIMARY KEY, kind TEXT NOT NULL, text TEXT, keys TEXT)',
]
