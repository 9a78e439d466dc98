/**
 * A trigger that refuses what breaks a rule.
 * @module
 */
import type { Table } from '../catalog/catalog.ts'
import { quoteName, quoteText } from '../sql/quote.ts'

/** Begins the names of the triggers that keep the engine's rules; the table follows. */
export const ruleTriggerPrefix = '_atoll_rule_of_'

export type Trigger = [name: string, sql: string]

/** Copies, moves and repairs lay rows as they are: they show that by a permit for everything. */
export const notPermitted = "NOT EXISTS (SELECT 1 FROM _atoll_permits WHERE name = '*')"

export function trigger(
  { name: table }: Table,
  about: string,
  when: string,
  body: readonly string[],
): Trigger {
  const name = `${ruleTriggerPrefix}${table}_${about}`
  return [name, `CREATE TRIGGER ${quoteName(name)} ${when} BEGIN ${body.join('; ')}; END`]
}

export function abort(reason: string, when: string): string {
  return `SELECT RAISE(ABORT, ${quoteText(reason)}) WHERE (${when}) AND ${notPermitted}`
}
