/**
 * Where statements are run. Today every table lies in the primary database.
 * @module
 */
import { translateDatabaseError } from './translate-error.ts'

export interface BoundStatement {
  readonly text: string
  readonly parameters: readonly (string | number | null)[]
}

export type Row = Readonly<Record<string, unknown>>

/** The databases, as the `execute` stage sees them. */
export interface Cluster {
  /**
   * Runs statements as one transaction and one round trip.
   *
   * @returns the rows of each statement, in order
   * @throws AtollError for everything that a database can answer but rows
   */
  batch(statements: readonly BoundStatement[]): Promise<readonly (readonly Row[])[]>
}

/** @param primary the database bound as `DB` */
export function createCluster(primary: D1Database): Cluster {
  return {
    async batch(statements) {
      const prepared = statements.map(({ text, parameters }) => primary.prepare(text).bind(...parameters))
      try {
        const [only] = prepared
        if (prepared.length === 1 && only) return [(await only.all<Row>()).results]
        return (await primary.batch<Row>(prepared)).map((result) => result.results)
      } catch (error) {
        throw translateDatabaseError('DB', error)
      }
    },
  }
}
