/**
 * Migrations by which rows only get other names: a line of their own says that jobs and webhooks are to hear of no change.
 * @module
 */

/** The line, anywhere in the file. */
export const untoldLine = '-- atoll: tell no changes'

/** Whether what a migration does to rows is to be told to nobody. */
export function isUntold(sql: string): boolean {
  return sql.split('\n').some((line) => line.trim() === untoldLine)
}

/** Statements around those of such a migration, in one transaction with them. */
export const untold = {
  before: "INSERT OR REPLACE INTO _atoll_state SELECT 'untold', ifnull(max(sequence), 0) FROM _atoll_changes",
  after: [
    "DELETE FROM _atoll_changes WHERE sequence > (SELECT CAST(value AS INTEGER) FROM _atoll_state WHERE key = 'untold')",
    "DELETE FROM _atoll_state WHERE key = 'untold'",
  ],
} as const
