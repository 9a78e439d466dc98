import { DatabaseSync } from 'node:sqlite'
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { describe, expect, it } from 'vitest'
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import { defineTables, reference } from '../../db/define.ts'
import { referenceTriggers } from '../../db/system/reference-triggers.ts'
import { primaryObjects } from '../../db/system/system-objects.ts'

const labels = sqliteTable('labels', { id: integer('id').primaryKey(), name: text('name').unique() })
const catalog = buildCatalog(defineTables({ labels: reference(labels, {}) }))

/** Keys that a statement has logged, after rows 1 "a" and 2 "b". */
function loggedBy(statement: string): string[] {
  const database = new DatabaseSync(':memory:')
  for (const sql of primaryObjects) database.exec(sql)
  database.exec('CREATE TABLE labels (id INTEGER PRIMARY KEY, name TEXT UNIQUE)')
  database.exec("INSERT INTO labels VALUES (1, 'a'), (2, 'b')")
  for (const sql of referenceTriggers(catalog).values()) database.exec(sql)
  database.exec(statement)
  const rows = database.prepare('SELECT DISTINCT key FROM _atoll_reference_log ORDER BY key').all()
  return rows.map(({ key }) => key as string)
}

describe('the log of reference tables', () => {
  it.each([
    ['an insert', "INSERT INTO labels VALUES (3, 'c')", ['[3]']],
    ['an update', "UPDATE labels SET name = 'c' WHERE id = 1", ['[1]']],
    ['a delete', 'DELETE FROM labels WHERE id = 1', ['[1]']],
    ['what REPLACE puts and takes away', "INSERT OR REPLACE INTO labels VALUES (3, 'a')", ['[1]', '[3]']],
    [
      'what UPDATE OR REPLACE takes away',
      "UPDATE OR REPLACE labels SET name = 'a' WHERE id = 2",
      ['[1]', '[2]'],
    ],
  ])('notes %s', (_, statement, keys) => {
    expect(loggedBy(statement)).toEqual(keys)
  })
})
