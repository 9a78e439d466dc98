/** A row of `sqlite_schema`. */
export interface SchemaObject {
  readonly type: 'table' | 'index' | 'view' | 'trigger'
  readonly name: string
  /** The table that it belongs to. */
  readonly of: string
  readonly sql: string
}

/** What a database is asked for its schema; D1 keeps tables of its own beside ours. */
export const readSchemaText = `SELECT type, name, tbl_name AS "of", sql FROM sqlite_schema
 WHERE sql IS NOT NULL AND name NOT GLOB 'sqlite_*' AND name NOT GLOB '_cf_*' ORDER BY rowid`
