/**
 * Why rows do not allow a migration, with the rows that stand in its way.
 * @module
 */

import { MigrationError } from '../errors/migration-error.ts'
import type { MigrationDatabase } from '../sql/migration-database.ts'
import { quoteName } from '../sql/quote.ts'
import type { Failure } from './apply-migration.ts'

/** Values that are shown. */
const maxShown = 5

export async function explainFailure(
  { planned, step, reason }: Failure,
  database: MigrationDatabase,
  name: string,
): Promise<MigrationError> {
  const [text, remedy] = await explain(plain(reason), database)
  return new MigrationError(
    text,
    {
      database: name,
      migration: planned.migration.name,
      ...(step.source === null ? {} : { statement: step.source }),
      remedy,
    },
    reason,
  )
}

/** D1's message without what it puts around SQLite's. */
function plain(reason: string): string {
  return reason.replace(/^D1_ERROR: /, '').replace(/: SQLITE_[A-Z_]+(?: \(extended: \w+\))?$/, '')
}

type Explanation = readonly [text: string, remedy: string]

async function explain(reason: string, database: MigrationDatabase): Promise<Explanation> {
  const [, kind, subject = ''] = /^(UNIQUE|NOT NULL|CHECK) constraint failed: (.*)$/.exec(reason) ?? []
  if (kind === 'UNIQUE') return explainDoubles(subject, database)
  if (kind === 'NOT NULL') return explainNulls(subject, database)
  if (kind === 'CHECK')
    return [`rows do not keep the CHECK constraint ${subject}`, 'Change those rows first, or the constraint.']
  if (/Cannot add a NOT NULL column/i.test(reason))
    return [
      'a new column is NOT NULL and has no default, and there are rows',
      'Give it a default, or add it nullable, fill it, and make it NOT NULL in a later migration.',
    ]
  const [, lost] = /bad JSON path: 'atoll\/rows\/(.*)'/.exec(reason) ?? []
  if (lost !== undefined)
    return [`not every row of ${lost} would be there afterwards`, 'Nothing was changed.']
  const [, child, parent] = /bad JSON path: 'atoll\/foreign-key\/(.*)\/(.*)'/.exec(reason) ?? []
  if (child !== undefined)
    return [
      `rows of ${child} refer to rows of ${parent} that are not there`,
      'Delete those rows, or make them refer to others, first.',
    ]
  if (/datatype mismatch/i.test(reason))
    return ['a value is of another type than its column takes', 'Change those rows first.']
  return [reason, 'Nothing was changed.']
}

async function explainDoubles(subject: string, database: MigrationDatabase): Promise<Explanation> {
  const remedy = 'Change or delete the doubles first.'
  const columns = subject.split(', ').map((qualified) => qualified.slice(qualified.indexOf('.') + 1))
  const table = subject.slice(0, subject.indexOf('.'))
  if (subject.startsWith('index ') || table === '')
    return [`rows have the same values in the unique ${subject}`, remedy]
  const names = columns.map(quoteName).join(', ')
  const rows = await ask<{ shown: string; n: number }>(
    database,
    `SELECT json_array(${names}) AS shown, count(*) AS n FROM ${quoteName(table)} GROUP BY ${names} HAVING count(*) > 1 AND ${columns.map((name) => `${quoteName(name)} IS NOT NULL`).join(' AND ')} ORDER BY n DESC LIMIT ${maxShown + 1}`,
  )
  const shown = rows.slice(0, maxShown).map((row) => `${row.shown.slice(1, -1)} in ${row.n} rows`)
  const more = rows.length > maxShown ? ', and others' : ''
  const list = shown.length > 0 ? `: ${shown.join(', ')}${more}` : ''
  return [`${table} has the same ${columns.join(', ')} more than once${list}`, remedy]
}

async function explainNulls(subject: string, database: MigrationDatabase): Promise<Explanation> {
  const [table = '', column = ''] = subject.split('.')
  const name = table.replace(/^__new_/, '')
  // A column that comes with the migration is taken for text here, as SQLite does, and is null nowhere.
  const [found] = await ask<{ n: number }>(
    database,
    `SELECT count(*) AS n FROM ${quoteName(name)} WHERE ${quoteName(column)} IS NULL`,
  )
  const rows = Number(found?.n ?? 0)
  return rows > 0
    ? [
        `${name}.${column} is null in ${rows} ${rows === 1 ? 'row' : 'rows'}, and is to be NOT NULL`,
        `Fill it first: UPDATE ${quoteName(name)} SET ${quoteName(column)} = … WHERE ${quoteName(column)} IS NULL, or a line of that at the beginning of the migration.`,
      ]
    : [
        `${name}.${column} is to be NOT NULL, and rows would have no value for it`,
        'Give it a default, or add it nullable, fill it, and make it NOT NULL in a later migration.',
      ]
}

/** What a database answers; nothing when the table or column is not there yet. */
async function ask<Row>(database: MigrationDatabase, text: string): Promise<Row[]> {
  try {
    return (await database.prepare(text).all<Row>()).results
  } catch {
    return []
  }
}
