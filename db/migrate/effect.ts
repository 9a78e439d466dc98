/**
 * What a migration means for the version of the app that runs while it is applied: *expand* leaves all that it needs in place,
 * *contract* takes something away or asks for something new. And for the version that comes: whether it needs it.
 * @module
 */

import { closing, foldName, isPunctuation, isWord, sameName, textOf, tokensOf } from '../sql/sql-tokens.ts'
import type { Operation, RebuildOperation } from './operation.ts'
import {
  type ModelColumn,
  type ModelForeignKey,
  type ModelTable,
  readTable,
  type SchemaModel,
} from './schema-model.ts'

export interface Effect {
  readonly kind: 'expand' | 'contract' | 'data'
  /** One clause, as people read it. */
  readonly text: string
  /** Whether the version that is written for the schema afterwards cannot do without it. */
  readonly isNeeded: boolean
}

const expand = (text: string, isNeeded = true): Effect => ({ kind: 'expand', text, isNeeded })
/** What goes away, or is asked for more strictly, the coming version does without; what comes with it, it needs. */
const contract = (text: string, isNeeded = false): Effect => ({ kind: 'contract', text, isNeeded })

/** @param model the schema before the operation */
export function effectOf(operation: Operation, model: SchemaModel): Effect[] {
  switch (operation.kind) {
    case 'create-table':
      return [expand(`makes the table ${operation.table}`)]
    case 'drop-table':
      return [contract(`drops the table ${operation.table} with its rows`)]
    case 'rename-table':
      return [contract(`renames the table ${operation.table} to ${operation.to}`, true)]
    case 'add-column':
      return [
        addedColumn(
          operation.table,
          operation.column,
          /\bNOT\s+NULL\b/i.test(operation.definition),
          /\bDEFAULT\b|\bGENERATED\b/i.test(operation.definition),
        ),
      ]
    case 'drop-column':
      return [droppedColumn(operation.table, columnOf(model.table(operation.table), operation.column))]
    case 'rename-column':
      return [contract(`renames the column ${operation.table}.${operation.column} to ${operation.to}`, true)]
    case 'create-index':
      return [
        operation.isUnique
          ? contract(`makes the unique index ${operation.index} on ${operation.table}`)
          : expand(`makes the index ${operation.index} on ${operation.table}`, false),
      ]
    case 'drop-index':
      return [expand(`drops the index ${operation.index}`, false)]
    case 'create-view':
      return [expand(`makes the view ${operation.view}`)]
    case 'drop-view':
      return [contract(`drops the view ${operation.view}`)]
    case 'create-trigger':
      return [contract(`makes the trigger ${operation.trigger}`, true)]
    case 'drop-trigger':
      return [expand(`drops the trigger ${operation.trigger}`)]
    case 'swap':
      return [contract(`puts another table in the place of ${operation.table}`, true)]
    case 'rebuild':
      return rebuildEffects(operation, model.table(operation.table))
    case 'copy':
    case 'data':
      return [{ kind: 'data', text: `writes rows of ${operation.table}`, isNeeded: true }]
    default:
      return []
  }
}

function addedColumn(table: string, column: string, notNull: boolean, hasDefault: boolean): Effect {
  return notNull && !hasDefault
    ? contract(`adds the column ${table}.${column}, which new rows must have`, true)
    : expand(`adds the column ${table}.${column}`)
}

function columnOf(
  table: ModelTable | undefined,
  name: string,
): Pick<ModelColumn, 'name'> & Partial<ModelColumn> {
  return table?.columns.find((column) => sameName(column.name, name)) ?? { name }
}

/** Rows that know nothing of a column can only be written once it is gone, if it must have a value. */
function droppedColumn(table: string, column: Pick<ModelColumn, 'name'> & Partial<ModelColumn>): Effect {
  const mustHaveValue = column.notNull === true && (column.default ?? null) === null
  return contract(`drops the column ${table}.${column.name} with its values`, mustHaveValue)
}

function rebuildEffects({ table: name, create }: RebuildOperation, old: ModelTable | undefined): Effect[] {
  const made = readTable(create)
  const found: Effect[] = [expand(`makes the table ${name} anew with its rows`, false)]
  if (!old || !made) return found
  for (const column of made.columns) {
    const before = old.columns.find((other) => sameName(other.name, column.name))
    if (before) found.push(...columnEffects(name, before, column))
    else
      found.push(
        addedColumn(name, column.name, column.notNull, column.default !== null || column.generated !== null),
      )
  }
  for (const column of old.columns) {
    if (!made.columns.some((other) => sameName(other.name, column.name)))
      found.push(droppedColumn(name, column))
  }
  if (keyOf(old) !== keyOf(made)) found.push(contract(`changes the primary key of ${name}`, true))
  const [keysBefore, keysAfter] = [old.foreignKeys.map(textOfKey), made.foreignKeys.map(textOfKey)]
  for (const key of keysAfter)
    if (!keysBefore.includes(key)) found.push(contract(`asks of ${name} that ${key}`))
  for (const key of keysBefore)
    if (!keysAfter.includes(key)) found.push(expand(`asks of ${name} no longer that ${key}`))
  const [checksBefore, checksAfter] = [checksOf(old.sql), checksOf(create)]
  for (const check of checksAfter)
    if (!checksBefore.includes(check)) found.push(contract(`asks of ${name} that ${check}`))
  for (const check of checksBefore)
    if (!checksAfter.includes(check)) found.push(expand(`asks of ${name} no longer that ${check}`))
  return found
}

function columnEffects(table: string, before: ModelColumn, after: ModelColumn): Effect[] {
  const name = `${table}.${after.name}`
  const found: Effect[] = []
  if (after.notNull && !before.notNull) found.push(contract(`makes ${name} NOT NULL`))
  if (!after.notNull && before.notNull) found.push(expand(`lets ${name} be null`))
  if (before.type.toLowerCase() !== after.type.toLowerCase())
    found.push(contract(`makes ${name} ${after.type} instead of ${before.type}`, true))
  if (before.default !== after.default)
    found.push(
      after.default === null
        ? contract(`takes the default of ${name} away`)
        : expand(`gives ${name} the default ${after.default}`),
    )
  if (before.generated !== after.generated) found.push(contract(`changes how ${name} is worked out`, true))
  return found
}

function keyOf({ columns }: ModelTable): string {
  const keys = columns.filter(({ keyPosition }) => keyPosition > 0)
  return keys
    .sort((a, b) => a.keyPosition - b.keyPosition)
    .map(({ name }) => foldName(name))
    .join(', ')
}

function textOfKey({ columns, parent, parentColumns, onUpdate, onDelete }: ModelForeignKey): string {
  const acts = [
    ...(onUpdate === 'NO ACTION' ? [] : [` ON UPDATE ${onUpdate}`]),
    ...(onDelete === 'NO ACTION' ? [] : [` ON DELETE ${onDelete}`]),
  ]
  return `${columns.join(', ')} refers to ${parent}(${parentColumns.join(', ')})${acts.join('')}`
}

function checksOf(sql: string): string[] {
  const tokens = tokensOf(sql)
  return tokens.flatMap((token, i) => {
    if (!isWord(token, 'CHECK') || !isPunctuation(tokens[i + 1], '(')) return []
    return [textOf(sql, tokens.slice(i + 1, closing(tokens, i + 1) + 1))]
  })
}
