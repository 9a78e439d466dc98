/**
 * What the databases keep of jobs: each database those that were committed with its own rows. `functions/jobs/README.md`
 * tells how they go on.
 * @module
 */

/**
 * A job's row:
 *
 * | column | says |
 * | --- | --- |
 * | id | `<database>.<ULID>` |
 * | state | `waiting` for its time, `held` behind an earlier job of its lane, `sent` to the queue, `running`, `done`, `cancelled` |
 * | due | when it is to be sent (again), in milliseconds since 1970; null when nothing is to be done about it by itself |
 * | payload | JSON; null when it is in R2 under the job's id |
 * | value | distribution value of the rows that it is about; null: what it is about is in the primary database |
 * | lane | jobs of one name and lane run one after the other, in the order of their rows |
 * | key | while a job has it, no other of its name can |
 * | key_until | `started` or `finished`: when it gives the key up |
 * | places | databases other than this one where it has left marks of effects, a JSON array |
 * | lapsed | how often a Worker fell silent over it: such a job is run alone |
 * | token | of whoever runs it: what another one says of it no longer counts |
 */
export const jobObjects: readonly string[] = [
  `CREATE TABLE IF NOT EXISTS _atoll_jobs (sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
   queue TEXT NOT NULL, state TEXT NOT NULL, due INTEGER, payload TEXT, value TEXT, lane TEXT, key TEXT,
   key_until TEXT, created INTEGER NOT NULL, deadline INTEGER, sends INTEGER NOT NULL DEFAULT 0,
   attempts INTEGER NOT NULL DEFAULT 0, token TEXT, lapsed INTEGER NOT NULL DEFAULT 0, cancel INTEGER NOT NULL DEFAULT 0, percent REAL, note TEXT,
   error TEXT, finished INTEGER, places TEXT)`,
  'CREATE INDEX IF NOT EXISTS _atoll_jobs_due ON _atoll_jobs (name, due) WHERE due IS NOT NULL',
  `CREATE UNIQUE INDEX IF NOT EXISTS _atoll_jobs_key ON _atoll_jobs (name, key) WHERE key IS NOT NULL`,
  `CREATE INDEX IF NOT EXISTS _atoll_jobs_lane ON _atoll_jobs (name, lane, sequence)
   WHERE lane IS NOT NULL AND finished IS NULL`,
  'CREATE INDEX IF NOT EXISTS _atoll_jobs_finished ON _atoll_jobs (finished) WHERE finished IS NOT NULL',
  // Lanes: a job that comes behind another is held, and the first one that is held goes on when that one is through.
  `CREATE TRIGGER IF NOT EXISTS _atoll_jobs_hold AFTER INSERT ON _atoll_jobs WHEN NEW.lane IS NOT NULL AND EXISTS (SELECT 1 FROM _atoll_jobs WHERE name = NEW.name AND lane = NEW.lane AND finished IS NULL AND sequence < NEW.sequence) BEGIN UPDATE _atoll_jobs SET state = 'held', due = NULL WHERE sequence = NEW.sequence; END`,
  `CREATE TRIGGER IF NOT EXISTS _atoll_jobs_finish AFTER UPDATE OF finished ON _atoll_jobs WHEN NEW.lane IS NOT NULL AND OLD.finished IS NULL AND NEW.finished IS NOT NULL BEGIN ${letNextGo('NEW')} END`,
  `CREATE TRIGGER IF NOT EXISTS _atoll_jobs_leave AFTER DELETE ON _atoll_jobs WHEN OLD.lane IS NOT NULL AND OLD.finished IS NULL BEGIN ${letNextGo('OLD')} END`,
  // What has been done of jobs: effects that must not be repeated, and results of steps.
  `CREATE TABLE IF NOT EXISTS _atoll_job_effects (job TEXT NOT NULL, effect TEXT NOT NULL, at INTEGER NOT NULL,
   PRIMARY KEY (job, effect)) WITHOUT ROWID`,
  'CREATE INDEX IF NOT EXISTS _atoll_job_effects_at ON _atoll_job_effects (at)',
  `CREATE TABLE IF NOT EXISTS _atoll_job_steps (job TEXT NOT NULL, step TEXT NOT NULL, result TEXT, PRIMARY KEY (job, step))
   WITHOUT ROWID`,
  // Jobs that were given up.
  `CREATE TABLE IF NOT EXISTS _atoll_dead_letters (id TEXT PRIMARY KEY, name TEXT NOT NULL, queue TEXT NOT NULL, payload TEXT,
   value TEXT, lane TEXT, created INTEGER NOT NULL, attempts INTEGER NOT NULL, error TEXT NOT NULL, died INTEGER NOT NULL, places TEXT)`,
]

/** Only the first in its lane that is not finished may be let go. */
function letNextGo(row: 'NEW' | 'OLD'): string {
  return `UPDATE _atoll_jobs SET state = 'waiting', due = CAST(unixepoch('subsec') * 1000 AS INTEGER) WHERE state = 'held' AND sequence = (SELECT sequence FROM _atoll_jobs WHERE name = ${row}.name AND lane = ${row}.lane AND finished IS NULL ORDER BY sequence LIMIT 1);`
}
