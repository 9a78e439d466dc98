import { describe, expect, it } from 'vitest'
import { AtollError } from '../../db/errors/atoll-error.ts'
import { parseSelect } from '../../functions/rest/ask/parse-select.ts'

const field = (name: string, more: object = {}) => ({
  kind: 'field',
  field: { name, path: [] },
  alias: null,
  cast: null,
  aggregate: null,
  ...more,
})

const embed = (target: string, select: object[], more: object = {}) => ({
  kind: 'embed',
  target,
  alias: null,
  hint: null,
  join: null,
  spread: false,
  resource: { select, where: [], order: [], limit: null, offset: null },
  ...more,
})

describe('parseSelect', () => {
  it.each([
    ['', []],
    ['*', [{ kind: 'star' }]],
    ['id, name', [field('id'), field('name')]],
    ['key:id::text', [field('id', { alias: 'key', cast: 'text' })]],
    ['"a,b":"c.d"', [field('c.d', { alias: 'a,b' })]],
    ['amount.sum()::int', [field('amount', { aggregate: { name: 'sum', cast: 'int' } })]],
    ['n:count()', [{ ...field('x'), field: null, alias: 'n', aggregate: { name: 'count', cast: null } }]],
    [
      'd->a->>0',
      [
        field('d', {
          field: {
            name: 'd',
            path: [
              { at: 'a', asText: false },
              { at: 0, asText: true },
            ],
          },
        }),
      ],
    ],
    ['albums(title,artists(*))', [embed('albums', [field('title'), embed('artists', [{ kind: 'star' }])])]],
    [
      'boss:employees!reports_to!inner(id)',
      [embed('employees', [field('id')], { alias: 'boss', hint: 'reports_to', join: 'inner' })],
    ],
    ['...albums(title)', [embed('albums', [field('title')], { spread: true })]],
    ['albums()', [embed('albums', [])]],
  ])('reads %j', (text, expected) => {
    expect(parseSelect(text)).toEqual(expected)
  })

  it.each(['a,,b', 'a(', 'a(b', 'a->', 'a::', ',', '(a)', '"open'])('refuses %j with PGRST100', (text) => {
    expect(() => parseSelect(text)).toThrow(AtollError)
    try {
      parseSelect(text)
    } catch (error) {
      expect((error as AtollError).body.code).toBe('PGRST100')
      expect((error as AtollError).status).toBe(400)
    }
  })

  it('refuses nesting that no database could answer, without running out of stack', () => {
    const text = `${'a('.repeat(200_000)}`
    expect(() => parseSelect(text)).toThrow(/nested more than/)
  })
})
