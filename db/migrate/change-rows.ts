/**
 * Statements of migrations that write rows.
 * @module
 */
import { quoteName } from '../quote.ts'
import type { Operation } from './operation.ts'
import type { Planner } from './planner.ts'
import { isWord, sameName, tokensOf } from './sql-tokens.ts'

/**
 * Whether new rows of a table may be put into this database by a migration, which runs on every database: `false`: they are left out here,
 * as nobody would look for them; a text: why they may be put in nowhere.
 */
export type PlaceRows = (table: string) => boolean | string

export function runOnRows(planner: Planner, operation: Operation, placeRows: PlaceRows): void {
  if (operation.kind === 'other' && /^\s*(?:VACUUM|ATTACH|DETACH|CREATE\s+TEMP)/i.test(operation.sql))
    throw planner.error('D1 does not take this statement', 'Take it out of the migration.')
  if (operation.kind !== 'data' && operation.kind !== 'copy') {
    planner.run(operation.sql)
    return
  }
  if (operation.withoutKeys) checkActions(planner, operation)
  // Rows that are made of rows lie where those do.
  if (operation.kind === 'data' && operation.verb === 'insert' && !/\bSELECT\b/i.test(operation.sql)) {
    const isPlaced = placeRows(operation.table)
    if (typeof isPlaced === 'string')
      throw planner.error(
        isPlaced,
        'Put them in by the API, or by a function, when the migration is applied.',
      )
    if (!isPlaced) return
  }
  planner.runOnRows(operation.sql)
}

/** Who switches foreign keys off does not want their actions; D1 lets nobody switch them off. */
function checkActions(planner: Planner, operation: Extract<Operation, { kind: 'data' | 'copy' }>): void {
  const verb = operation.kind === 'copy' ? 'insert' : operation.verb
  const replaces = tokensOf(operation.sql)
    .slice(0, 3)
    .some((token) => isWord(token, 'REPLACE'))
  if (verb === 'insert' && !replaces) return
  const acts = (action: string) => !/^(NO ACTION|RESTRICT)$/i.test(action)
  for (const child of planner.model.tables.values()) {
    const key = child.foreignKeys.find(
      ({ parent, onDelete, onUpdate }) =>
        sameName(parent, operation.table) && acts(verb === 'update' ? onUpdate : onDelete),
    )
    if (!key) continue
    throw planner.error(
      `foreign keys are never off on D1: rows of ${child.name} would go or change with those of ${operation.table}`,
      'Write it as an UPDATE, or as INSERT … ON CONFLICT DO UPDATE, which leave the rows in place.',
    )
  }
}

/**
 * What SQLite looks at only when it must: that all rows refer to something, as a trial does not come to the end of its transaction; and that
 * triggers which were made can run, as D1 knows fewer functions.
 */
export function checkRows(planner: Planner, operations: readonly Operation[]): void {
  const { model } = planner
  const writes = operations.some(({ kind }) => kind === 'data' || kind === 'copy' || kind === 'swap')
  if (writes) {
    for (const { name, foreignKeys } of model.tables.values())
      if (foreignKeys.length > 0) planner.checkForeignKeys(name)
  }
  const made = new Set(
    operations.flatMap((operation) => (operation.kind === 'create-trigger' ? [operation.trigger] : [])),
  )
  for (const { name, of } of model.objects('trigger')) {
    const table = model.table(of)
    const [column] = table?.columns.filter(({ generated }) => generated === null) ?? []
    if (![...made].some((trigger) => sameName(trigger, name)) || !table || !column) continue
    planner.source = model.objects('trigger').find((trigger) => trigger.name === name)?.sql ?? null
    const set = `${quoteName(column.name)} = ${quoteName(column.name)}`
    for (const sql of [
      `INSERT INTO ${quoteName(of)} DEFAULT VALUES`,
      `UPDATE ${quoteName(of)} SET ${set}`,
      `DELETE FROM ${quoteName(of)}`,
    ])
      planner.runOnRows(`EXPLAIN QUERY PLAN ${sql}`)
  }
  planner.source = null
}
