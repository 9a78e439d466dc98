import type { BoundStatement, Row } from '../sql/statement.ts'

/** One row that changed. */
export interface Change {
  /** Position in the log of its database. */
  readonly sequence: number
  readonly table: string
  /** JSON array of its primary key. */
  readonly key: string
  /** Its distribution value as text; null when its table is not distributed. */
  readonly value: string | null
  /** Names of the columns that an update changed; null, or left out, for what is no update, and where nobody has noted them. */
  readonly columns?: readonly string[] | null
}

/** One row of the log, with all that it says. */
export interface LoggedChange extends Change {
  readonly operation: 'insert' | 'update' | 'delete'
  /** Milliseconds since 1970. */
  readonly at: number
  readonly columns: readonly string[] | null
  /** JSON of the row's values as they are stored; null unless the table asks for them, and for very large rows. */
  readonly old: string | null
  readonly new: string | null
}

/** What a transaction changed. */
export interface ChangeSet {
  readonly database: string
  readonly changes: readonly Change[]
  /** Position of the log after it. */
  readonly upTo: number
  /** Whether there are more changes than are listed, of which only the tables are known. */
  readonly tables: readonly string[] | null
}

/** Changes that one write is told of row by row. */
export const maxListed = 100

/** First statement of a transaction whose changes are asked for: where the log stood, also when it has been cut off since. */
export const logBefore: BoundStatement = {
  text: "SELECT ifnull((SELECT seq FROM sqlite_sequence WHERE name = '_atoll_changes'), 0) AS n",
  parameters: [],
}

/** Last statement: what was logged last, the newest first. */
export const logAfter: BoundStatement = {
  text: `SELECT sequence, name, key, value, columns FROM _atoll_changes ORDER BY sequence DESC LIMIT ${maxListed + 1}`,
  parameters: [],
}

/** The tables of changes that are too many to list. */
export function tablesChanged(after: number, upTo: number): BoundStatement {
  return {
    text: 'SELECT DISTINCT name FROM _atoll_changes WHERE sequence > CAST(?1 AS INTEGER) AND sequence <= CAST(?2 AS INTEGER)',
    parameters: [String(after), String(upTo)],
  }
}

/** A change out of a row of `_atoll_changes`, without the row's values. */
export function changeOf(row: Row): Change {
  return {
    sequence: Number(row.sequence),
    table: row.name as string,
    key: row.key as string,
    value: (row.value as string | null) ?? null,
    columns: columnsOf(row),
  }
}

function columnsOf({ columns }: Row): readonly string[] | null {
  return columns == null ? null : (JSON.parse(columns as string) as string[])
}

/** The same with what its table keeps of old and new values. */
export function loggedChangeOf(row: Row): LoggedChange {
  return {
    ...changeOf(row),
    operation: row.operation as LoggedChange['operation'],
    at: Number(row.at),
    columns: columnsOf(row),
    old: (row.old as string | null) ?? null,
    new: (row.new as string | null) ?? null,
  }
}
