import { describe, expect, it } from 'vitest'
import {
  parseFilter,
  parseList,
  parseLogic,
  parseParameterName,
} from '../../functions/rest/ask/parse-filter.ts'

const id = { name: 'id', path: [] }

describe('parseFilter', () => {
  it.each([
    ['eq.5', { operator: 'eq', negated: false, value: { kind: 'constant', text: '5' } }],
    ['not.in.(1,2)', { operator: 'in', negated: true, value: { kind: 'constant', text: '(1,2)' } }],
    [
      'like(any).{a*,b*}',
      { operator: 'like', quantifier: 'any', value: { kind: 'constant', text: '{a*,b*}' } },
    ],
    ['fts(english).cat', { operator: 'fts', language: 'english', value: { kind: 'constant', text: 'cat' } }],
    ['eq.', { operator: 'eq', value: { kind: 'constant', text: '' } }],
    ['eq.a.b', { operator: 'eq', value: { kind: 'constant', text: 'a.b' } }],
  ])('reads %j', (text, expected) => {
    expect(parseFilter(id, text, null)).toMatchObject({ kind: 'filter', field: id, ...expected })
  })

  it.each(['5', '', 'eq', 'nope.5', 'in(any).(1)', 'eq(all.5', 'not.not.eq.1'])('refuses %j', (text) => {
    expect(() => parseFilter(id, text, null)).toThrow(/failed to parse filter/)
  })

  it('reads ranges of operators that compare them within logic', () => {
    const ranges = parseLogic('and', false, '(id.sl.[1,2),id.not.ov."[3,4]",id.cs.("a,b",c])')
    expect(ranges.terms.map((term) => 'value' in term && term.value)).toEqual(
      ['[1,2)', '[3,4]', '("a,b",c]'].map((text) => ({ kind: 'constant', text })),
    )
    expect(() => parseLogic('and', false, '(id.eq.[1,2))')).toThrow(/failed to parse logic tree/)
  })
})

describe('parseLogic', () => {
  it('reads nested trees with negations, lists and quoted values', () => {
    const tree = parseLogic(
      'or',
      false,
      '(id.eq.1, not.and(a.not.is.null,b.in.(1,"x,y")), c.eq."(q)", d.cs.{1,2})',
    )
    expect(tree).toMatchObject({
      kind: 'or',
      terms: [
        { operator: 'eq', value: { text: '1' } },
        {
          kind: 'and',
          negated: true,
          terms: [
            { operator: 'is', negated: true, value: { text: 'null' } },
            { operator: 'in', value: { text: '(1,"x,y")' } },
          ],
        },
        { operator: 'eq', value: { text: '(q)' } },
        { operator: 'cs', value: { text: '{1,2}' } },
      ],
    })
  })

  it.each(['', '(', '()', '(id.eq.1', 'id.eq.1', '(id.1)', '(and())'])('refuses %j', (text) => {
    expect(() => parseLogic('and', false, text)).toThrow(/failed to parse/)
  })

  it('refuses bottomless trees', () => {
    expect(() => parseLogic('and', false, '(and'.repeat(100_000))).toThrow(/nested more than/)
  })
})

describe('parseList', () => {
  it.each([
    ['()', []],
    ['(1,2)', ['1', '2']],
    ['("a,b",c d)', ['a,b', 'c d']],
    ['("a\\"b","\\\\")', ['a"b', '\\']],
    ['(")', ['"']],
    ['(a"b)', ['a"b']],
  ])('reads %j', (text, expected) => {
    expect(parseList(text)).toEqual(expected)
  })

  it.each(['', '1,2', '(1,2', '(1)2'])('refuses %j', (text) => {
    expect(() => parseList(text)).toThrow(/failed to parse/)
  })
})

describe('parseParameterName', () => {
  it('tells embedded resources, column and JSON path apart', () => {
    expect(parseParameterName('tasks.projects.data->a->>"b.c"')).toEqual({
      embeds: ['tasks', 'projects'],
      field: {
        name: 'data',
        path: [
          { at: 'a', asText: false },
          { at: 'b.c', asText: true },
        ],
      },
    })
    expect(parseParameterName('"a.b"')).toEqual({ embeds: [], field: { name: 'a.b', path: [] } })
  })
})
