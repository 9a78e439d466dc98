import { createHash } from 'node:crypto'
import type { Snapshot } from './snapshot.ts'

/** A migration file. */
export interface Migration {
  /** Name of the file. */
  readonly name: string
  readonly sql: string
  /** What drizzle-kit noted of the schema that it leads to; null for files that came by another way. */
  readonly snapshot: Snapshot | null
}

/** SHA-256 of a migration's text, in hexadecimal digits; line ends do not count, as git may change them. */
export function hashOf({ sql }: Migration): string {
  return createHash('sha256').update(sql.replaceAll('\r\n', '\n')).digest('hex')
}
