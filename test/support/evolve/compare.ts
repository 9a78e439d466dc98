/**
 * Whether databases are what they must be: the app's own schema and rows.
 * @module
 */
import type { DatabaseSync } from 'node:sqlite'
import { quoteText } from '../../../db/sql/quote.ts'
import type { TestDatabase } from './databases.ts'
import { type Ask, describeSchema, firstDifference, type Row, rowsIn, rowsText } from './describe-schema.ts'
import { type Model, writtenColumns } from './model.ts'
import { adoptRows, type References } from './oracle.ts'

export type Databases = ReadonlyMap<string, TestDatabase>

export const askOf =
  (database: TestDatabase): Ask =>
  async (texts) => {
    if (texts.length === 0) return []
    const answers = (await database.batch(texts.map((text) => database.prepare(text)))) as {
      results: Row[]
    }[]
    return answers.map(({ results }) => results)
  }

const askHere =
  (database: DatabaseSync): Ask =>
  async (texts) =>
    texts.map((text) => database.prepare(text).all())

export interface Wanted {
  readonly model: Model
  readonly references: References
  /** By table: names of columns whose new values only the database knows. */
  readonly volatile?: ReadonlyMap<number, ReadonlySet<string>>
}

/** The first difference in the app's own schema and rows; null when there is none. */
export async function compareApp(databases: Databases, wanted: Wanted): Promise<string | null> {
  const differences = await Promise.all(
    [...databases].map(async ([name, database]) => {
      const reference = wanted.references.get(name) as DatabaseSync
      const difference =
        (await schemaDifference(askOf(database), askHere(reference))) ??
        (await rowsDifference(askOf(database), reference, wanted)) ??
        (await viewsDifference(askOf(database), askHere(reference), wanted.model))
      return difference === null ? null : `${name}: ${difference}`
    }),
  )
  return differences.find((difference) => difference !== null) ?? copiesDifference(databases, wanted.model)
}

async function schemaDifference(got: Ask, wanted: Ask): Promise<string | null> {
  const difference = firstDifference(await describeSchema(wanted), await describeSchema(got))
  return difference === null ? null : `the schema differs\n${difference}`
}

const sequencesText = 'SELECT json_array(name, seq) AS r FROM sqlite_sequence WHERE seq > 0'

async function rowsDifference(got: Ask, reference: DatabaseSync, wanted: Wanted): Promise<string | null> {
  const here = askHere(reference)
  const asked = wanted.model.tables.map((table) => {
    const volatile = wanted.volatile?.get(table.id) ?? new Set<string>()
    const known = table.columns.map(({ name }) => name).filter((name) => !volatile.has(name))
    const names = known.length > 0 ? known : ['rowid']
    return { table, names, volatile, text: rowsText(table.name, names) }
  })
  const [sequence] = await here(["SELECT 1 AS n FROM sqlite_schema WHERE name = 'sqlite_sequence'"])
  const texts = [...asked.map(({ text }) => text), ...(sequence?.length ? [sequencesText] : [])]
  const [wantedRows, gotRows] = [await here(texts), await got([...texts, 'PRAGMA foreign_key_check'])]
  for (const [i, { table, names }] of asked.entries()) {
    const difference = firstDifference(rowsIn(wantedRows[i]), rowsIn(gotRows[i]))
    if (difference !== null) return `rows of ${table.name} (${names.join(', ')}) differ\n${difference}`
  }
  const broken = gotRows[texts.length] ?? []
  if (broken.length > 0) return `foreign keys do not hold: ${JSON.stringify(broken.slice(0, 3))}`
  if (sequence?.length) {
    const own = (rows: readonly Row[] | undefined) =>
      rowsIn(rows).filter((row) => !/^\["(?:_atoll|d1_|_cf_)/.test(row))
    const difference = firstDifference(own(wantedRows[asked.length]), own(gotRows[asked.length]))
    if (difference !== null) return `numbers given out differ\n${difference}`
  }
  for (const { table, volatile } of asked) {
    if (volatile.size === 0) continue
    const written = writtenColumns(table).map(({ name }) => name)
    const [fresh, rows] = await got([rowsText(table.name, [...volatile]), rowsText(table.name, written)])
    const odd = rowsIn(fresh).find((row) => /NULL|'[\w ]+\(/.test(row))
    if (odd !== undefined) return `${table.name}: a default that makes a value made ${odd}`
    adoptRows(
      reference,
      table,
      rowsIn(rows).map((row) => JSON.parse(row) as string[]),
    )
  }
  return null
}

async function viewsDifference(got: Ask, here: Ask, { views }: Model): Promise<string | null> {
  const columns = await here(
    views.map(({ name }) => `SELECT name FROM pragma_table_xinfo(${quoteText(name)})`),
  )
  const texts = views.map((view, i) =>
    rowsText(
      view.name,
      (columns[i] ?? []).map(({ name }) => String(name)),
    ),
  )
  const [wantedRows, gotRows] = [await here(texts), await got(texts)]
  for (const [i, view] of views.entries()) {
    const difference = firstDifference(rowsIn(wantedRows[i]), rowsIn(gotRows[i]))
    if (difference !== null) return `view ${view.name} differs\n${difference}`
  }
  return null
}

/** Copies of reference tables are equal to what they are copies of, also where a default made the values. */
async function copiesDifference(databases: Databases, { tables }: Model): Promise<string | null> {
  const copied = tables.filter(({ placement }) => placement.kind === 'reference')
  if (databases.size === 1 || copied.length === 0) return null
  const texts = copied.map((table) =>
    rowsText(
      table.name,
      table.columns.map(({ name }) => name),
    ),
  )
  const answers = await Promise.all([...databases.values()].map((database) => askOf(database)(texts)))
  for (const [i, table] of copied.entries()) {
    for (const [number, name] of [...databases.keys()].entries()) {
      const difference = firstDifference(rowsIn(answers[0]?.[i]), rowsIn(answers[number]?.[i]))
      if (difference !== null) return `${name}: the copy of ${table.name} is not as DB has it\n${difference}`
    }
  }
  return null
}

/** Everything that a refusal must not change. */
export async function dumpAll(databases: Databases): Promise<string[]> {
  const dumps = await Promise.all(
    [...databases].map(async ([name, database]) => {
      const ask = askOf(database)
      const [objects = [], columns = []] = await ask([
        'SELECT type, name, sql FROM sqlite_schema ORDER BY type, name',
        "SELECT m.name AS of, p.name FROM sqlite_schema AS m, pragma_table_xinfo(m.name) AS p WHERE m.type = 'table' AND m.name NOT GLOB '_*' AND m.name <> 'sqlite_sequence'",
      ])
      const tables = [...Map.groupBy(columns, ({ of }) => String(of))]
      const logs = objects.filter(({ name: own }) => own === '_atoll_changes' || own === 'd1_migrations')
      const rows = await ask([
        ...tables.map(([table, own]) =>
          rowsText(
            table,
            own.map((column) => String(column.name)),
          ),
        ),
        ...logs.map((log) => `SELECT '${log.name} has ' || count(*) AS r FROM ${log.name}`),
      ])
      return [
        ...objects.map(({ type, name: own, sql }) => `${name} ${type} ${own} ${sql}`),
        ...rows.flatMap((own, i) => rowsIn(own).map((row) => `${name} ${tables[i]?.[0] ?? 'log'} ${row}`)),
      ]
    }),
  )
  return dumps.flat()
}
