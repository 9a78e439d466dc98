/**
 * What is stored can be shown: triggers refuse rows whose JSON would be longer than a value of the database may be, and JSON that could
 * not be read again, whoever writes them. A row that cannot be shown would make every answer fail that it is part of, for everybody.
 * @module
 */
import { type Column, storedColumns, type Table } from '../catalog/catalog.ts'
import { ruleMark } from '../errors/constraint-error.ts'
import { joinBalanced } from '../sql/join-balanced.ts'
import { quoteName, quoteText } from '../sql/quote.ts'
import { isCanonical } from '../values/range-sql.ts'
import { abort, type Trigger, trigger } from './rule-trigger.ts'

/**
 * Bytes that a row may have as JSON. A value of D1 has two million at most; the rest is for what a request adds of its own.
 * Source: https://developers.cloudflare.com/d1/platform/limits/
 */
export const maxRowBytes = 1_900_000

/** Bytes that one byte of text has as JSON at most: `\u0001`. */
const mostEscaped = 6

/** Characters that are escaped at once, so that no text on the way is longer than a value may be. */
const escapedAtOnce = 250_000

/** Bytes of a column that is no text: its name, a number and what stands between. */
const otherBytes = 30

/** Levels that stand around a stored value where it is shown. SQLite reads a thousand in all. */
const levelsAround = 100

export function shownTriggers(table: Table): Trigger[] {
  const stored = storedColumns(table)
  const columns = stored.filter(({ type }) => type === 'text' || type === 'json' || type === 'blob')
  if (columns.length === 0) return []
  const on = quoteName(table.name)
  const others = stored.reduce((sum, { name }) => sum + name.length * mostEscaped + otherBytes, 0)
  const long = `${joinBalanced(columns.map(leastBytes), '+')} > ${Math.floor((maxRowBytes - others) / mostEscaped)}`
  const tooLong = `${joinBalanced(columns.map(shownBytes), '+')} > ${maxRowBytes - others}`
  const width = abort(`${ruleMark}width/${table.name}/`, tooLong)
  const documents = columns.filter(({ type, form }) => type === 'json' || isJsonInBytes(form))
  const unreadable = joinBalanced(documents.map(isUnreadable), ' OR ')
  const json = abort(`${ruleMark}json/${table.name}/`, '1')
  const updates = (some: readonly Column[]) => {
    const written = some.filter(({ generated }) => !generated)
    return written.length === 0
      ? null
      : `AFTER UPDATE OF ${written.map(({ name }) => quoteName(name)).join(', ')} ON ${on}`
  }
  const both = (rule: string, update: string | null, when: string, body: string) => [
    trigger(table, `${rule}_insert`, `AFTER INSERT ON ${on} WHEN ${when}`, [body]),
    ...(update === null ? [] : [trigger(table, `${rule}_update`, `${update} WHEN ${when}`, [body])]),
  ]
  const ranges = columns.flatMap((column) => rangeRules(column, table))
  return [
    ...ranges.flatMap(([column, when, body]) => both(`range_${column.name}`, updates([column]), when, body)),
    ...both('width', updates(columns), long, width),
    ...(documents.length === 0 ? [] : both('json', updates(documents), unreadable, json)),
  ]
}

/** JSON and digits that Drizzle keeps as bytes. */
function isJsonInBytes(form: Column['form']): boolean {
  return form !== null && !form.isDeclared && form.type === 'json'
}

function rangeRules(column: Column, table: Table): [column: Column, when: string, body: string][] {
  const { name, form } = column
  if (!form?.range) return []
  const value = `new.${quoteName(name)}`
  const when = `${value} IS NOT NULL AND ${isCanonical(value, form.range)} IS NOT 1`
  return [[column, when, abort(`${ruleMark}range/${table.name}.${name}/`, '1')]]
}

/** Each level takes a byte: what is short is not deep. */
function isUnreadable({ name, type }: Column): string {
  const value = type === 'blob' ? `CAST(new.${quoteName(name)} AS TEXT)` : `new.${quoteName(name)}`
  const [open, close] = ['[', ']'].map((bracket) => quoteText(bracket.repeat(levelsAround)))
  const stands = `CASE WHEN octet_length(${value}) > ${1000 - levelsAround} THEN json_valid(${open}||${value}||${close}) ELSE json_valid(${value}) END`
  return `(${value} IS NOT NULL AND NOT (${stands}))`
}

function leastBytes({ name }: Column): string {
  return `ifnull(octet_length(new.${quoteName(name)}),0)`
}

function shownBytes({ name, type }: Column): string {
  const value = `new.${quoteName(name)}`
  if (type === 'json') return `ifnull(octet_length(${value}),0)`
  if (type === 'blob') return `ifnull(2*octet_length(${value}),0)`
  const pieces = `WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+${escapedAtOnce} FROM c WHERE i+${escapedAtOnce} <= length(${value}))`
  return `ifnull((${pieces} SELECT sum(octet_length(json_quote(substr(${value},i,${escapedAtOnce})))) FROM c),0)`
}
