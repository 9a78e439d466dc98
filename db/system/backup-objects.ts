/**
 * What the databases keep of backups: `db/backups/README.md` tells how they are made.
 * @module
 */

/**
 * In the primary database: backups and restores that were asked for, and how far they have come. What is kept of a backup that is done is its
 * manifest in R2; these rows may be lost.
 *
 * | column | says |
 * | --- | --- |
 * | kind | `full`, `increment`, `restore` or `verify` |
 * | state | `waiting`, `running`, and in the end `done`, `failed` or `cancelled` |
 * | asked | JSON of what was asked for |
 * | step | counts what was noted: of two at work, the one that is behind is refused |
 * | progress | JSON of `BackupProgress` or `RestoreProgress` |
 * | error | why it failed, or what it tries again since |
 */
export const backupRecords: readonly string[] = [
  `CREATE TABLE IF NOT EXISTS _atoll_backups (id TEXT PRIMARY KEY, kind TEXT NOT NULL, state TEXT NOT NULL, asked TEXT NOT NULL,
   step INTEGER NOT NULL DEFAULT 0, progress TEXT, error TEXT, failures INTEGER NOT NULL DEFAULT 0, created INTEGER NOT NULL,
   updated INTEGER NOT NULL)`,
  // Files of a backup that is being made, in their order: JSON of `Part`.
  `CREATE TABLE IF NOT EXISTS _atoll_backup_parts (backup TEXT NOT NULL, number INTEGER NOT NULL, part TEXT NOT NULL,
   PRIMARY KEY (backup, number)) WITHOUT ROWID`,
]

/** In the primary database: the change log tells of files and buckets as of the app's rows, so that a backup has them as of one position. */
export const fileTriggers: readonly string[] = [
  ...logged('_atoll_buckets', ['id']),
  ...logged('_atoll_objects', ['bucket', 'name']),
]

function logged(table: string, key: readonly string[]): string[] {
  const keyOf = (row: 'NEW' | 'OLD') => `json_array(${key.map((column) => `${row}.${column}`).join(', ')})`
  const note = (row: 'NEW' | 'OLD', operation: string, when = '') =>
    `INSERT INTO _atoll_changes (name, operation, key, at) SELECT '${table}', '${operation}', ${keyOf(row)}, CAST(unixepoch('subsec') * 1000 AS INTEGER)${when};`
  const trigger = (operation: string, body: string) =>
    `CREATE TRIGGER IF NOT EXISTS ${table}_logged_${operation} AFTER ${operation.toUpperCase()} ON ${table} BEGIN ${body} END`
  return [
    trigger('insert', note('NEW', 'insert')),
    trigger(
      'update',
      `${note('NEW', 'update')} ${note('OLD', 'delete', ` WHERE ${keyOf('OLD')} IS NOT ${keyOf('NEW')}`)}`,
    ),
    trigger('delete', note('OLD', 'delete')),
  ]
}
