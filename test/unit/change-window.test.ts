import { describe, expect, it } from 'vitest'
import {
  appended,
  type ChangeWindow,
  isTold,
  stepOf,
  touchesSince,
} from '../../functions/cache/change-window.ts'
import { isTouched } from '../../functions/cache/footprint.ts'

const change = (sequence: number, key: string, columns: readonly string[] | null) => ({
  sequence,
  table: 'tracks',
  key,
  value: null,
  columns,
})

describe('a change window', () => {
  const first = { id: 't0', base: null, covered: 0, steps: '' }
  const windowOf = (count: number) => {
    let window: ChangeWindow & { id: string } = first
    for (let i = 1; i <= count; i++) {
      const step = stepOf([change(10 * i, `[${i}]`, ['price'])], 10 * i, 10 * i) as string
      window = { ...appended(window, `t${i}`, step), id: `t${i}` }
    }
    return window
  }

  it('tells what has changed since a token, and nothing of what came before it', () => {
    const window = windowOf(5)
    expect(touchesSince(window, 't3', null)).toEqual([
      [['price'], '4'],
      [['price'], '5'],
    ])
    expect(touchesSince(window, 't0', 't4')).toEqual([[['price'], '5']])
    expect(touchesSince(window, 't0', 't5')).toEqual([])
    expect(touchesSince(window, 'unknown', null)).toBe(null)
    // What has been checked says nothing once the entry's own token is gone.
    expect(touchesSince(windowOf(100), 't0', 't99')).toBe(null)
  })

  it('is told of a change by its own step, and not by a later one', () => {
    const window = windowOf(5)
    expect([10, 15, 20, 50, 51].map((sequence) => isTold(window, sequence))).toEqual([
      true,
      false,
      true,
      true,
      false,
    ])
    // Who is read under the base has all that came before it.
    expect(isTold(windowOf(100), 15)).toBe(true)
  })

  it('takes for anything what came or went, and for nothing what set values that were there', () => {
    expect(stepOf([change(1, '[1]', null)], 1, 1)).toBe(null)
    expect(stepOf([change(1, '[1]', ['price']), change(2, '[1]', null)], 1, 2)).toBe(null)
    expect(stepOf([change(1, '[1]', [])], 1, 1)).toBe('1 1 [[[],"1"]]')
    const many = Array.from({ length: 100 }, (_, i) => change(i + 1, `["key ${i}"]`, ['price']))
    expect(stepOf(many, 1, 100)).toBe('1 100 [[["price"]]]')
  })
})

describe('a footprint', () => {
  const footprint = { deciding: ['id', 'genre'], shown: ['price'], marks: ['"id":'] }
  const body = '[{"id":12,"price":3}, \n {"id":"a b","price":4}]'

  it.each([
    ['a deciding column, of whatever row', [['genre'], '99'], true],
    ['a column that is not shown', [['bytes'], '12'], false],
    ['a shown column of a shown row', [['price'], '12'], true],
    ['a shown column of a row whose key begins like a shown one', [['price'], '1'], false],
    ['a shown column of another row', [['price'], '13'], false],
    ['the same, of a text', [['price'], '"a b"'], true],
    ['a shown column of a key that may be written otherwise', [['price'], '"é"'], true],
    ['a shown column of rows that nobody names', [['price']], true],
  ] as const)('is touched by %s: %j %j', (_, touch, wanted) => {
    expect(isTouched(footprint, body, touch)).toBe(wanted)
  })
})
