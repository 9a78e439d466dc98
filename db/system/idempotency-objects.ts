/**
 * Keys of writes that may be sent again, in every database: `db/cluster/write-keys.ts` says how they are used.
 *
 * | column | |
 * | --- | --- |
 * | scope | hash of who sent it: nobody else is answered by it |
 * | key | the `Idempotency-Key` |
 * | attempt | one try of the engine to make the write; of several, one is open |
 * | fingerprint | hash of the request that the key stands for |
 * | state | `open`: may be committed here yet; `done`: was, in the transaction that says so here |
 * | part | what of the write was done here: payload rows, or the databases that it was for |
 * | answer | JSON that the answer is made of again |
 * | at | when it came, and until when its attempt is not disturbed: milliseconds since 1970 |
 *
 * Rows that are open when slots move, and those that are done, go along with the slots to their new database, as marks of jobs' effects do: all
 * of them, as a key does not say which slots it was for. In a backup they are of use for as long as they live; what is restored without them
 * forgets keys. Reference copies do not carry them: a key is with the truth that it wrote.
 */
export const idempotencyObjects: readonly string[] = [
  `CREATE TABLE IF NOT EXISTS _atoll_idempotency (scope TEXT NOT NULL, key TEXT NOT NULL, attempt TEXT NOT NULL,
   fingerprint TEXT NOT NULL, state TEXT NOT NULL, part TEXT, answer TEXT, at INTEGER NOT NULL, until INTEGER NOT NULL,
   PRIMARY KEY (scope, key, attempt))`,
  'CREATE INDEX IF NOT EXISTS _atoll_idempotency_at ON _atoll_idempotency (at)',
  // What each caller's keys take up, so that it can be bounded without a look at all of them.
  'CREATE TABLE IF NOT EXISTS _atoll_idempotency_use (scope TEXT PRIMARY KEY, bytes INTEGER NOT NULL) WITHOUT ROWID',
  `CREATE TRIGGER IF NOT EXISTS _atoll_idempotency_put AFTER INSERT ON _atoll_idempotency BEGIN INSERT INTO _atoll_idempotency_use (scope, bytes) VALUES (NEW.scope, ${bytesOf('NEW')}) ON CONFLICT (scope) DO UPDATE SET bytes = bytes + excluded.bytes; END`,
  `CREATE TRIGGER IF NOT EXISTS _atoll_idempotency_done AFTER UPDATE ON _atoll_idempotency BEGIN UPDATE _atoll_idempotency_use SET bytes = bytes + ${bytesOf('NEW')} - ${bytesOf('OLD')} WHERE scope = NEW.scope; END`,
  `CREATE TRIGGER IF NOT EXISTS _atoll_idempotency_gone AFTER DELETE ON _atoll_idempotency BEGIN UPDATE _atoll_idempotency_use SET bytes = bytes - ${bytesOf('OLD')} WHERE scope = OLD.scope; DELETE FROM _atoll_idempotency_use WHERE scope = OLD.scope AND bytes <= 0; END`,
]

/** A row with all that belongs to it, roughly. */
function bytesOf(row: 'NEW' | 'OLD'): string {
  return `(500 + ifnull(octet_length(${row}.answer), 0) + ifnull(octet_length(${row}.part), 0))`
}
