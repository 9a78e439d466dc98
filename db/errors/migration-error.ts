/** Where a migration was refused or failed. */
export interface MigrationPlace {
  /** Binding of the database; left out when it is so for all. */
  readonly database?: string
  readonly migration?: string
  /** The statement's SQL. */
  readonly statement?: string
  /** What to do about it. */
  readonly remedy?: string
}

/** A migration that cannot be carried out as things are. Its message says which, where, why, and what helps. */
export class MigrationError extends Error {
  readonly reason: string
  readonly place: MigrationPlace

  constructor(reason: string, place: MigrationPlace = {}, cause?: unknown) {
    super(messageOf(reason, place), cause === undefined ? undefined : { cause })
    this.name = 'MigrationError'
    this.reason = reason
    this.place = place
  }
}

/** The same, with the database in which it is so. */
export function onDatabase(error: MigrationError, database: string): MigrationError {
  return error.place.database === undefined
    ? new MigrationError(error.reason, { ...error.place, database }, error)
    : error
}

function messageOf(reason: string, { database, migration, statement, remedy }: MigrationPlace): string {
  const where = [database, migration].filter((part) => part !== undefined).join(', ')
  const lines = [where === '' ? reason : `${where}: ${reason}`]
  if (statement !== undefined) lines.push(`  in: ${shortened(statement)}`)
  if (remedy !== undefined) lines.push(`  ${remedy}`)
  return lines.join('\n')
}

function shortened(sql: string): string {
  const line = sql.replace(/\s+/g, ' ').trim()
  return line.length > 160 ? `${line.slice(0, 157)}...` : line
}
