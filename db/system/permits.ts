/**
 * Permits: what a transaction shows to the triggers of `db/system/rule-triggers.ts`. A writer that has reserved a unique value brings the
 * value's permit, which the row that takes the value uses up; what moves or copies whole rows, whose rules were kept where they came
 * from, brings one for everything. None outlives its transaction.
 * @module
 */
import type { BoundStatement } from '../sql/statement.ts'

/** Permits everything in the transaction that it begins. */
export const permitAllText = "INSERT OR IGNORE INTO _atoll_permits (name, value, token) VALUES ('*', '', '')"

/** The permit to take reference rows away has this name, and a token of `retire.ts` for its value; `*`: the transaction will be undone. */
export const retiredPermit = 'retired'

/** Ends the permits of a transaction. */
export const endPermitsText = 'DELETE FROM _atoll_permits'

/** Texts with a permit for everything around them. */
export function permittedTexts(texts: readonly string[]): string[] {
  return [permitAllText, ...texts, endPermitsText]
}

/** Begins a transaction that may write any row anywhere. */
export const permitAll: BoundStatement = { text: permitAllText, parameters: [] }

/** Ends a transaction that had permits. */
export const endPermits: BoundStatement = { text: endPermitsText, parameters: [] }

/** Begins a transaction that may take away the reference rows that the shards know by a token. */
export function permitRetired(token: string): BoundStatement {
  return {
    text: `INSERT OR IGNORE INTO _atoll_permits (name, value, token) VALUES ('${retiredPermit}', ?1, '')`,
    parameters: [token],
  }
}

/** Statements with a permit for everything around them. */
export function permitted(statements: readonly BoundStatement[]): BoundStatement[] {
  return [permitAll, ...statements, endPermits]
}
