/**
 * Lays rows of a backup where they belong: in transactions that no trigger of the app's hears of and no change log tells of, each made once.
 * @module
 */

import type { ClusterSession } from '../cluster/session.ts'
import { ConstraintError } from '../errors/constraint-error.ts'
import { type Imaged, laidValue, readShapes } from '../moves/cargo.ts'
import { quietly } from '../moves/hand-over.ts'
import { refuseUnless } from '../moves/mover-token.ts'
import { quoteName } from '../sql/quote.ts'
import type { BoundStatement } from '../sql/statement.ts'
import type { Line } from './format.ts'
import { type AskedRestore, type ForeignKey, hasRowsAtOnce, type Laid } from './plan-restore.ts'

/** Characters of rows that fit into one parameter. */
const listLength = 400_000

/** What a database says of the last restore: its id and the last step that it has seen. A backup that was begun before begins anew. */
const markKey = 'restored-rows'

const readMark: BoundStatement = {
  text: 'SELECT value FROM _atoll_state WHERE key = ?1',
  parameters: [markKey],
}

/** One step of one restore. */
export interface LayStep {
  readonly restore: string
  readonly step: number
  /** Refuses when slots of the rows are not the database's any more. */
  readonly fence?: readonly BoundStatement[]
}

/**
 * Runs statements on a database once, however often it is asked.
 *
 * @param table whose own triggers are off meanwhile
 */
export async function once(
  session: ClusterSession,
  database: string,
  { restore, step, fence = [] }: LayStep,
  table: Pick<Imaged, 'name' | 'key'>,
  statements: readonly BoundStatement[],
): Promise<void> {
  const [[mark] = []] = await session.on(database, [readMark])
  const known = (mark?.value as string | undefined) ?? null
  const [by, at] = known === null ? [null, -1] : (JSON.parse(known) as [string, number])
  if (by === restore && at >= step) return
  const [shape] = await readShapes(session, database, [table])
  await session.on(database, [
    ...fence,
    refuseUnless('changed', 'restore', '(SELECT value FROM _atoll_state WHERE key = ?1) IS ?2', [
      markKey,
      known,
    ]),
    ...quietly(shape ? [shape] : [], statements),
    {
      text: 'INSERT OR REPLACE INTO _atoll_state VALUES (?1, ?2)',
      parameters: [markKey, JSON.stringify([restore, step])],
    },
  ])
}

/**
 * Lays rows of a table on a database.
 *
 * @param leavesOrphans whether rows are left out that refer to what is not there; else they are an error
 * @returns whether some were left out, as what they refer to is not there
 */
export async function layRows(
  session: ClusterSession,
  database: string,
  step: LayStep,
  laid: Laid,
  lines: readonly Line[],
  asked: AskedRestore,
  leavesOrphans: boolean,
): Promise<boolean> {
  const lists = listsOf(lines.flatMap(({ row }) => row ?? []))
  const statements = (onlyWithParents: boolean) =>
    lists.map((list) => ({ text: layText(laid, asked, onlyWithParents), parameters: [list] }))
  try {
    await once(session, database, step, laid.table, [deferred, ...statements(false)])
    return false
  } catch (error) {
    if (!(error instanceof ConstraintError) || error.kind !== 'foreign-key' || !leavesOrphans) throw error
    await once(session, database, step, laid.table, [deferred, ...statements(true)])
    return true
  }
}

const deferred: BoundStatement = { text: 'PRAGMA defer_foreign_keys = ON', parameters: [] }

function layText(laid: Laid, { into, conflict }: AskedRestore, onlyWithParents: boolean): string {
  const { table, foreignKeys } = laid
  const late = new Set(
    foreignKeys.filter(({ isLate }) => isLate).flatMap(({ pairs }) => pairs.map(([name]) => name)),
  )
  const values = table.columns.map((name, i) => (late.has(name) ? 'NULL' : laidValue('j.value', i)))
  const parents = onlyWithParents
    ? foreignKeys.filter(({ isLate }) => !isLate).map((key) => ` AND ${isThere(table.columns, key)}`)
    : []
  const names = table.columns.map(quoteName)
  const updates = names.map((name) => `${name} = excluded.${name}`).join(', ')
  const keys = table.key.map(({ name }) => quoteName(name)).join(', ')
  const onConflict =
    into === 'empty' && !hasRowsAtOnce(table)
      ? ''
      : into === 'beside' && conflict === 'lacking'
        ? ' ON CONFLICT DO NOTHING'
        : ` ON CONFLICT (${keys}) DO UPDATE SET ${updates}`
  return `INSERT INTO ${quoteName(table.name)} (${names.join(', ')}) SELECT ${values.join(', ')} FROM json_each(?1) AS j WHERE 1${parents.join('')}${onConflict}`
}

/** That what a row refers to is there, or that it refers to nothing. */
function isThere(columns: readonly string[], { to, pairs }: ForeignKey): string {
  const value = (name: string) => laidValue('j.value', columns.indexOf(name))
  const known = pairs.filter(([name]) => columns.includes(name))
  const none = known.map(([name]) => `${value(name)} IS NULL`)
  const equal = known.map(([name, parent]) => `p.${quoteName(parent)} = ${value(name)}`)
  return `(${[...none, `EXISTS (SELECT 1 FROM ${quoteName(to)} AS p WHERE ${equal.join(' AND ')})`].join(' OR ')})`
}

/** Puts references right that rows were laid without. */
export async function layLate(
  session: ClusterSession,
  database: string,
  step: LayStep,
  { table, foreignKeys }: Laid,
  lines: readonly Line[],
): Promise<void> {
  const late = foreignKeys.filter(({ isLate }) => isLate)
  const names = [...new Set(late.flatMap(({ pairs }) => pairs.map(([name]) => name)))]
  const values = names.map((name) => {
    const keys = late.filter(({ pairs }) => pairs.some(([own]) => own === name))
    const value = laidValue('j.value', table.columns.indexOf(name))
    return `iif(${keys.map((key) => isThere(table.columns, key)).join(' AND ')}, ${value}, NULL)`
  })
  const own = quoteName(table.name)
  const key = table.key.map(
    ({ name }) => `${own}.${quoteName(name)} = ${laidValue('j.value', table.columns.indexOf(name))}`,
  )
  const sets = names.map((name, i) => `${quoteName(name)} = ${values[i]}`)
  const text = `UPDATE ${own} SET ${sets.join(', ')} FROM json_each(?1) AS j WHERE ${key.join(' AND ')}`
  await once(
    session,
    database,
    step,
    table,
    listsOf(lines.flatMap(({ row }) => row ?? [])).map((list) => ({ text, parameters: [list] })),
  )
}

/** Rows as JSON arrays that fit into one parameter each. */
export function listsOf(rows: readonly string[]): string[] {
  const lists: string[][] = []
  let length = 0
  for (const row of rows) {
    const last = lists.at(-1)
    if (last === undefined || length + row.length > listLength) {
      lists.push([row])
      length = row.length
    } else {
      last.push(row)
      length += row.length + 1
    }
  }
  return lists.map((list) => `[${list.join(',')}]`)
}
