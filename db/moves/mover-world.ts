import type { Catalog } from '../catalog/catalog.ts'
import type { ClusterSession } from '../cluster/session.ts'

/** What a mover works with: the databases, and those who read their change logs or cache what is in them. */
export interface MoverWorld {
  readonly session: ClusterSession
  readonly catalog: Catalog
  /** Milliseconds since 1970. */
  now(): number
  /** Lets those who read a database's change log come to a position. @returns whether all are there, after a while */
  pass(database: string, upTo: number): Promise<boolean>
  /** Lets nobody be served any more what was cached when rows lay elsewhere. @param epoch the map's by now */
  renew(epoch: number): Promise<void>
  /** Tells that jobs have come to a database. */
  landed(database: string): Promise<void>
  /** Tells of rows that were found on a database that does not have their slots. */
  strayed(database: string, count: number): void
}
