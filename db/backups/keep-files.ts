import type { BoundStatement } from '../sql/statement.ts'

/** Bytes of files that were deleted since then are kept: a backup may name them. Its value is milliseconds since 1970. */
export const sinceKey = 'backups-since'

/** Keeps bytes of files that are deleted from now on. */
export const keepFilesFromHere: BoundStatement = {
  text: `INSERT INTO _atoll_state VALUES ('${sinceKey}', CAST(CAST(unixepoch('subsec') * 1000 AS INTEGER) AS TEXT)) ON CONFLICT DO UPDATE SET value = min(CAST(value AS INTEGER), CAST(excluded.value AS INTEGER))`,
  parameters: [],
}
