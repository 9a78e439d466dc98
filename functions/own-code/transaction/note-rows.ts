/**
 * How a transaction that is undone tells what it did: each row becomes a line of text in `_atoll_undone`, and the lines leave as the
 * reason why everything was undone.
 * @module
 */
import { rollbackPrefix } from '../../../db/errors/constraint-error.ts'
import { joinBalanced } from '../../../db/sql/join-balanced.ts'
import { quoteName, quoteText } from '../../../db/sql/quote.ts'
import { mentions } from '../../../db/sql/sql-tokens.ts'
import type { WriteMeaning } from './read-statement.ts'
import type { TableFacts } from './table-facts.ts'

/** Bytes of lines that one try may tell; D1 takes 2,000,000 as one text. */
export const maxNotedBytes = 1_900_000

const tooLarge = 'too-large'

/** One line. */
export interface Note {
  /** Number of the statement that it is about. */
  readonly step: number
  /** `row`, or how the statement ended: its changes, its last row's id and all changes with those of triggers. */
  readonly kind: 'row' | 'end'
  /** A JSON array. */
  readonly text: string
  /** What of it must be the same when the statement is run again. */
  readonly lasting: string
}

/**
 * Columns of an answer, as the names that are given them here.
 *
 * @param loose which of them may be otherwise the next time; null: any, down to their text
 */
export interface Columns {
  readonly count: number
  readonly loose: ReadonlySet<number> | null
}

const names = (count: number) => Array.from({ length: count }, (_, i) => `_c${i}`)

/** Notes the rows of a query. */
export function noteQuery(step: number, query: string, columns: Columns): string {
  return `INSERT INTO _atoll_undone (kind, text, keys) ${rowsOf(step, query, columns)}`
}

function rowsOf(step: number, query: string, { count, loose }: Columns): string {
  const list = names(count)
  const line = (left: ReadonlySet<number>) =>
    `'[' || ${joinBalanced(
      list.map((name, i) => (left.has(i) ? `'0'` : encoded(name))),
      ` || ',' || `,
    )} || ']'`
  const lasting = loose === null ? `'[]'` : loose.size === 0 ? 'NULL' : line(loose)
  // Materialized: a function of the list is called once.
  return `WITH _rows (${list.join(', ')}) AS MATERIALIZED (${query}) SELECT 'row ${step}', ${line(new Set())}, ${lasting} FROM _rows`
}

/** A value as JSON: reals with all of their digits, blobs as an object. */
function encoded(name: string): string {
  const text = `json_quote(${name} || '')`
  const real = `iif(abs(${name}) < 9e999, printf('%!.17g', ${name}), 'null')`
  return `iif(typeof(${name}) = 'text', ${text}, iif(typeof(${name}) = 'real', ${real}, iif(typeof(${name}) = 'blob', '{"x":"' || hex(${name}) || '"}', ifnull(${name}, 'null'))))`
}

/** What an encoded value stands for, in D1's own terms. */
export function decoded(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  const { x } = value as { readonly x: string }
  return Array.from({ length: x.length / 2 }, (_, i) => Number.parseInt(x.slice(2 * i, 2 * i + 2), 16))
}

const triggerName = (event: string) => `_atoll_undone_${event.toLowerCase()}`

/** Triggers that note each row that a statement writes, as its RETURNING list says it. */
export function createNoting(
  step: number,
  { events, table, alias }: WriteMeaning,
  list: string,
  facts: TableFacts,
  columns: Columns,
): string[] {
  return events.map((event) => {
    const row = event === 'DELETE' ? 'OLD' : 'NEW'
    const values = [...facts.columns, ...facts.rowids.filter((name) => mentions(list, name))].map(
      (name) => `${row}.${quoteName(name)} AS ${quoteName(name)}`,
    )
    const query = `SELECT ${list} FROM (SELECT ${values.join(', ')}) AS ${quoteName(alias)}`
    return `CREATE TRIGGER ${triggerName(event)} AFTER ${event} ON ${quoteName(table)} BEGIN ${noteQuery(step, query, columns)}; END`
  })
}

export function dropNoting({ events }: WriteMeaning): string[] {
  return events.map((event) => `DROP TRIGGER ${triggerName(event)}`)
}

/** Before a write: its last row's id is told from those of others by the sequence of this row, and what triggers change is counted. */
export function noteStart(step: number): string {
  return `INSERT INTO _atoll_undone (sequence, kind, text) SELECT ${-1 - step}, 'start', total_changes()`
}

export function noteEnd(step: number): string {
  const before = `(SELECT text FROM _atoll_undone WHERE sequence = ${-1 - step})`
  const noted = `(SELECT count(*) FROM _atoll_undone WHERE kind = 'row ${step}')`
  const id = `iif(last_insert_rowid() = ${-1 - step}, 0, last_insert_rowid())`
  return `INSERT INTO _atoll_undone (kind, text) SELECT 'end ${step}', '[' || changes() || ',' || ${id} || ',' || (total_changes() - ${before} - 1 - ${noted}) || ']'`
}

/** Undoes everything, and tells the lines. */
export const undoAndTell = `INSERT INTO _atoll_guard SELECT '${rollbackPrefix}' || iif(octet_length(lines) > ${maxNotedBytes}, '${tooLarge}', lines) FROM (SELECT ifnull(group_concat(kind || ' ' || text || ifnull(char(9) || keys, ''), char(10) ORDER BY sequence), '') AS lines FROM _atoll_undone WHERE kind <> 'start')`

const changedMark = 'atoll/changed'

/** Undoes everything when a statement's lines are not as they were; binds what `lastingText` says. */
export function expectLines(step: number): string {
  return `INSERT INTO _atoll_guard SELECT ${quoteText(changedMark)} WHERE (SELECT group_concat(ifnull(keys, text), char(10) ORDER BY sequence) FROM _atoll_undone WHERE kind IN ('row ${step}', 'end ${step}')) IS NOT ?1`
}

/** Null when there are none. */
export function lastingText(notes: readonly Note[]): string | null {
  return notes.length === 0 ? null : notes.map(({ lasting }) => lasting).join('\n')
}

export const forgetNotes = 'DELETE FROM _atoll_undone'

export type Told =
  | { readonly kind: 'notes'; readonly notes: readonly Note[] }
  | { readonly kind: 'too-large' }
  | { readonly kind: 'changed' }
  /** The database failed by itself. */
  | { readonly kind: 'error' }

/** Reads the error that a try ends with. */
export function readTold(error: unknown): Told {
  const message = error instanceof Error ? error.message : String(error)
  if (message.includes(changedMark)) return { kind: 'changed' }
  if (/string or blob too big|SQLITE_TOOBIG/i.test(message)) return { kind: 'too-large' }
  const start = message.indexOf(rollbackPrefix)
  if (start < 0) return { kind: 'error' }
  const lines = message
    .slice(start + rollbackPrefix.length)
    .replace(/: SQLITE_CONSTRAINT(?: \(extended: \w+\))?$/, '')
  if (lines === tooLarge) return { kind: 'too-large' }
  return { kind: 'notes', notes: lines === '' ? [] : lines.split('\n').map(readLine) }
}

function readLine(line: string): Note {
  const [, kind = '', step = '', text = '', lasting = text] =
    /^(row|end) (\d+) ([^\t]*)(?:\t(.*))?$/s.exec(line) ?? []
  return { step: Number(step), kind: kind as Note['kind'], text, lasting }
}
