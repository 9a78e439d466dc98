import { clock } from './read-statement.ts'

/** What a database says of a table. */
export interface TableFacts {
  readonly kind: 'table' | 'other'
  /** Columns that `*` stands for, in its order. */
  readonly columns: readonly string[]
  /** Those whose default is another one each time. */
  readonly clockDefaults: ReadonlySet<string>
  /** Names of the row's number that no column takes. */
  readonly rowids: readonly string[]
  /** Whether triggers of the database write what is another one each time. */
  readonly hasClockTriggers: boolean
}

/** Columns of kind 1 are hidden, those of 2 and 3 are generated. */
const columnsText = `SELECT name, dflt_value AS text FROM pragma_table_xinfo(?1) WHERE hidden <> 1 ORDER BY cid`
const kindText = `SELECT type, wr FROM pragma_table_list(?1) WHERE schema = 'main'`
const triggersText = `SELECT sql FROM sqlite_schema WHERE type = 'trigger' AND substr(name, 1, 6) <> '_atoll'`

export async function readTableFacts(database: D1Database, table: string): Promise<TableFacts> {
  const [columns, kinds, triggers] = (await database.batch([
    database.prepare(columnsText).bind(table),
    database.prepare(kindText).bind(table),
    database.prepare(triggersText),
  ])) as unknown as [
    D1Result<{ name: string; text: string | null }>,
    D1Result<{ type: string; wr: number }>,
    D1Result<{ sql: string }>,
  ]
  const [kind] = kinds.results
  const names = columns.results.map(({ name }) => name)
  const taken = new Set(names.map((name) => name.toLowerCase()))
  return {
    kind: kind?.type === 'table' ? 'table' : 'other',
    columns: names,
    clockDefaults: new Set(
      columns.results.filter(({ text }) => text !== null && clock.test(text)).map(({ name }) => name),
    ),
    rowids: kind?.wr === 1 ? [] : ['rowid', '_rowid_', 'oid'].filter((name) => !taken.has(name)),
    hasClockTriggers: triggers.results.some(({ sql }) => clock.test(sql)),
  }
}
