/**
 * Statements of migrations that write rows.
 * @module
 */
import { quoteName } from '../sql/quote.ts'
import { foldName, isPunctuation, isWord, nameOf, sameName, tokensOf } from '../sql/sql-tokens.ts'
import type { Operation } from './operation.ts'
import type { Planner } from './planner.ts'
import { acts } from './schema-model.ts'

/**
 * Whether new rows of a table may be put into this database by a migration, which runs on every database: `false`: they are left out here,
 * as nobody would look for them; a text: why they may be put in nowhere.
 *
 * @param from names that the statement speaks of besides: rows that are made of spread rows lie where those do
 */
export type PlaceRows = (table: string, from: readonly string[]) => boolean | string

export function runOnRows(
  planner: Planner,
  created: Set<string>,
  operation: Operation,
  placeRows: PlaceRows,
): void {
  if (operation.kind === 'other' && /^\s*(?:VACUUM|ATTACH|DETACH|CREATE\s+TEMP)/i.test(operation.sql))
    throw planner.error('D1 does not take this statement', 'Take it out of the migration.')
  if (operation.kind !== 'data' && operation.kind !== 'copy') {
    planner.run(operation.sql)
    if (operation.kind === 'create-table') created.add(foldName(operation.table))
    return
  }
  const verb = operation.kind === 'copy' ? 'insert' : operation.verb
  if (operation.withoutKeys) checkActions(planner, operation, verb)
  if (verb === 'insert') {
    const isPlaced = placeRows(operation.table, namesIn(operation.sql, operation.table))
    if (typeof isPlaced === 'string')
      throw planner.error(
        isPlaced,
        'Put them in by the API, or by a function, when the migration is applied.',
      )
    if (!isPlaced) return
  }
  planner.writes.add(operation.table)
  planner.runOnRows(operation.sql)
}

/** What a statement names, but for the table that it writes. */
function namesIn(sql: string, table: string): string[] {
  const names = tokensOf(sql)
    .filter(({ kind }) => kind === 'name' || kind === 'word')
    .map(nameOf)
  return names.filter((name) => !sameName(name, table))
}

/** Who switches foreign keys off does not want their actions; D1 lets nobody switch them off. */
function checkActions(
  planner: Planner,
  { sql, table }: Extract<Operation, { kind: 'data' | 'copy' }>,
  verb: 'insert' | 'update' | 'delete',
): void {
  const tokens = tokensOf(sql)
  const replaces = tokens.some((token, i) => isWord(token, 'REPLACE') && !isPunctuation(tokens[i + 1], '('))
  if (verb === 'insert' && !replaces) return
  const set = tokens.flatMap((token, i) =>
    isPunctuation(tokens[i + 1], '=') ? [foldName(nameOf(token))] : [],
  )
  const keys = planner.model.table(table)?.columns.filter(({ keyPosition }) => keyPosition > 0) ?? []
  for (const child of planner.model.tables.values()) {
    const key = child.foreignKeys.find(({ parent, parentColumns, onDelete, onUpdate }) => {
      if (!sameName(parent, table)) return false
      const named = parentColumns.length > 0 ? parentColumns : keys.map(({ name }) => name)
      return verb === 'update'
        ? acts(onUpdate) && named.some((name) => set.includes(foldName(name)))
        : acts(onDelete)
    })
    if (!key) continue
    throw planner.error(
      `foreign keys are never off on D1: rows of ${child.name} would go or change with those of ${table}`,
      'Write it as an UPDATE of other columns, or as INSERT … ON CONFLICT DO UPDATE, which leave the rows in place.',
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
    for (const { name } of model.tables.values()) planner.willCheck(name)
  }
  planner.checkForeignKeys()
  const made = new Set(
    operations.flatMap((operation) => (operation.kind === 'create-trigger' ? [operation.trigger] : [])),
  )
  for (const { name, of, sql: source } of model.objects('trigger')) {
    const table = model.table(of)
    const [column] = table?.columns.filter(({ generated }) => generated === null) ?? []
    if (![...made].some((trigger) => sameName(trigger, name)) || !table || !column) continue
    planner.source = source
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
