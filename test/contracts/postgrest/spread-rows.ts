import { evenRanges, ownerOf } from '../../../db/slots/shard-map.ts'
import { slotOf } from '../../../db/slots/slots.ts'

/**
 * Tables of the suite's schema that can lie on several databases by themselves: those with one column as key that no
 * foreign key begins or ends at, and that no view reads.
 */
export function spreadable(schemaSql: string): string[] {
  const views = [...schemaSql.matchAll(/CREATE VIEW[\s\S]*?;/gi)].map(([text]) => text).join('\n')
  const referenced = new Set([...schemaSql.matchAll(/REFERENCES "([^"]+)"/g)].map(([, name]) => name))
  return [...schemaSql.matchAll(/CREATE TABLE "([^"]+)" \(([\s\S]*?)\n\)/g)].flatMap(
    ([, name = '', body = '']) => {
      const keys = body.match(/ (?:integer|text) [^,]*PRIMARY KEY/gi) ?? []
      const alone =
        keys.length === 1 && !/REFERENCES|PRIMARY KEY \(|\bBLOB\b/i.test(body) && !referenced.has(name)
      return alone && !views.includes(`"${name}"`) ? [name] : []
    },
  )
}

/**
 * Takes the rows of tables to the databases that own them.
 *
 * @returns what puts them back as they were
 */
export async function spreadRows(
  databases: ReadonlyMap<string, D1Database>,
  tables: readonly string[],
): Promise<() => Promise<void>> {
  const primary = databases.get('DB') as D1Database
  const ranges = evenRanges([...databases.keys()])
  const map = { epoch: 1, ranges, epochs: new Map<string, number>() }
  const statements = new Map([...databases.keys()].map((name): [string, D1PreparedStatement[]] => [name, []]))
  for (const table of tables) {
    const { results: columns } = await primary
      .prepare('SELECT name, pk FROM pragma_table_info(?)')
      .bind(table)
      .all<{ name: string; pk: number }>()
    const names = columns.map(({ name }) => `"${name}"`)
    const key = columns.find(({ pk }) => pk === 1)?.name
    const { results: rows } = await primary
      .prepare(`SELECT CAST("${key}" AS TEXT) AS k, json_array(${names.join(', ')}) AS r FROM "${table}"`)
      .all<{ k: string; r: string }>()
    for (const [name, database] of databases) {
      const own = rows.filter(({ k }) => ownerOf(map, slotOf(k)) === name)
      const values = columns.map((_, i) => `value->>${i}`).join(', ')
      statements
        .get(name)
        ?.push(
          database.prepare(`DELETE FROM "${table}"`),
          database
            .prepare(`INSERT INTO "${table}" (${names.join(', ')}) SELECT ${values} FROM json_each(?)`)
            .bind(`[${own.map(({ r }) => r).join(',')}]`),
        )
    }
  }
  const restore = async () => {
    const batches = [...databases].map(([name, database]) => database.batch(statements.get(name) ?? []))
    await Promise.all(batches)
  }
  if (tables.length > 0) await restore()
  return restore
}
