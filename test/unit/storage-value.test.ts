import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import type { Column } from '../../db/catalog/catalog.ts'
import { storageValue } from '../../functions/rest/compile/storage-value.ts'

const column = { name: 'data', type: 'json', maxLength: null } as unknown as Column
const nested = (levels: number) => JSON.parse(`${'['.repeat(levels)}${']'.repeat(levels)}`) as unknown

describe('a JSON value', () => {
  it('is stored as deep as it can be read again, within rows of rows', () => {
    const stored = storageValue(column, nested(900))
    const database = new DatabaseSync(':memory:')
    database.exec('CREATE TABLE t (data TEXT)')
    database.prepare('INSERT INTO t SELECT value->>0 FROM json_each(?)').run(`[[${stored}]]`)
    const shown =
      "SELECT json_group_array(json_object('rows', json_array(json_object('data', json(data))))) AS r FROM t"
    expect(JSON.parse(database.prepare(shown).get()?.r as string)).toEqual([
      { rows: [{ data: nested(900) }] },
    ])
    database.close()
  })

  it('is refused when it is deeper, and brackets in its texts are no levels', () => {
    expect(() => storageValue(column, nested(901))).toThrow('too complex')
    expect(() => storageValue(column, { a: nested(900) })).toThrow('too complex')
    const text = `${'['.repeat(2000)}"\\`
    expect(storageValue(column, { text })).toBe(JSON.stringify(JSON.stringify({ text })))
  })
})
