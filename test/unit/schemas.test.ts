/** Which schema a request means, and what of an app's schemas cannot be served. */
import { integer, sqliteTable } from 'drizzle-orm/sqlite-core'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import { readSchemas } from '../../db/catalog/schemas.ts'
import { defineTables, local, type TableDeclarations } from '../../db/define.ts'
import { defineFunction, nothing } from '../../functions/define.ts'
import { profileOf } from '../../functions/rest/ask/raw-request.ts'
import { schemaFor, serveSchemas } from '../../functions/rest/plan/served-schemas.ts'

const one = sqliteTable('one', { id: integer('id').primaryKey() })
const two = sqliteTable('two', { id: integer('id').primaryKey() })
const three = sqliteTable('three', { id: integer('id').primaryKey() })
const function_ = (schemas?: readonly string[]) =>
  defineFunction({
    input: z.object({}),
    returns: nothing,
    ...(schemas && { schemas }),
    run: async () => null,
  })
const shown = (declarations: TableDeclarations, names: readonly string[]) =>
  readSchemas(buildCatalog(declarations), names).map(({ name, tables }) => [name, [...tables.keys()]])

describe('a profile', () => {
  const profile = (method: string) =>
    profileOf(
      new Request('http://a.test/', {
        method,
        headers: { 'Accept-Profile': 'accepted', 'Content-Profile': 'content' },
      }),
    )

  it('is named by the header of the method', () => {
    expect(['GET', 'HEAD', 'OPTIONS'].map(profile)).toEqual(['accepted', 'accepted', 'accepted'])
    expect(['POST', 'PATCH', 'PUT', 'DELETE'].map(profile)).toEqual(Array(4).fill('content'))
    expect(profileOf(new Request('http://a.test/'))).toBe('')
  })

  it('means the schema of that name exactly, and the first when it is empty', () => {
    const schemas = serveSchemas(buildCatalog(defineTables({ one: local(one) })), {}, ['b', 'a'])
    expect(schemaFor(schemas, '').name).toBe('b')
    expect(schemaFor(schemas, 'a').name).toBe('a')
    for (const other of ['A', 'a,b', 'a ', 'constructor', '__proto__'])
      expect(() => schemaFor(schemas, other)).toThrow(`Invalid schema: ${other}`)
  })
})

describe('the schemas of an app', () => {
  it('have what names them; what names none is in public, or the first', () => {
    const tables = defineTables({
      one: local(one),
      two: local(two, { schemas: ['a', 'public'], as: 'second' }),
      three: local(three, { schemas: [] }),
    })
    expect(shown(tables, ['a', 'public'])).toEqual([
      ['a', ['second']],
      ['public', ['one', 'second']],
    ])
    expect(shown(defineTables({ one: local(one) }), ['b', 'a'])).toEqual([
      ['b', ['one']],
      ['a', []],
    ])
  })

  it('have functions as they have tables', () => {
    const schemas = serveSchemas(
      buildCatalog(defineTables({ one: local(one) })),
      {
        f: [function_(), function_(['a']), function_(['a', 'public'])],
        g: function_(['a']),
        h: function_([]),
      },
      ['public', 'a'],
    )
    const counted = schemas.map(({ functions }) =>
      Object.entries(functions).map(([name, own]) => [name, [own].flat().length]),
    )
    expect(counted).toEqual([
      [['f', 2]],
      [
        ['f', 2],
        ['g', 1],
      ],
    ])
  })

  it('are public and what is named, where none are configured', () => {
    const catalog = buildCatalog(
      defineTables({ one: local(one), two: local(two, { schemas: ['z', 'public'], as: 'one' }) }),
    )
    expect(() => serveSchemas(catalog, {}, null)).toThrow('both called one')
    const apart = buildCatalog(defineTables({ one: local(one, { schemas: ['z'] }) }))
    const schemas = serveSchemas(apart, { f: function_(['a', 'z']) }, null)
    expect(schemas.map(({ name, tables }) => [name, tables.size])).toEqual([
      ['public', 0],
      ['z', 1],
      ['a', 0],
    ])
  })

  it('are refused with what to do', () => {
    const told = (declarations: TableDeclarations, names: readonly string[]) => {
      try {
        shown(declarations, names)
        return null
      } catch (error) {
        return (error as { problems: readonly string[] }).problems
      }
    }
    const plain = defineTables({ one: local(one) })
    expect(told(plain, [])).toEqual([expect.stringContaining('is empty')])
    expect(told(plain, ['a', 'a'])).toEqual([expect.stringContaining('names it twice')])
    for (const name of ['', ' a', 'a ', 'a\nb']) expect(told(plain, [name])).toHaveLength(1)
    expect(told(plain, ['تست', 'a "b"'])).toBeNull()
    expect(told(defineTables({ one: local(one, { schemas: ['b'] }) }), ['a'])).toEqual([
      'table one: functions/app/config.ts has no schema b; add it to its schemas, or name another',
    ])
    const alike = defineTables({
      one: local(one),
      two: local(two, { as: 'one' }),
      three: local(three, { schemas: ['b'], as: 'one' }),
    })
    expect(told(alike, ['a', 'b'])).toEqual([
      'schema a: one and two are both called one there; give one of them another name by as',
    ])
    expect(() => serveSchemas(buildCatalog(plain), { f: function_(['b']) }, ['a'])).toThrow(
      'function f: functions/app/config.ts has no schema b',
    )
  })
})
