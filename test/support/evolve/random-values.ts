/**
 * Values as SQL literals, those that conversions and JavaScript get wrong among them.
 * @module
 */
import { quoteText } from '../../../db/sql/quote.ts'
import type { Chance } from './chance.ts'
import type { ColumnKind } from './model.ts'

/** Words that full-text search is asked for; none is another's stem. */
export const words = ['salt', 'pepper', 'harbor', 'violin'] as const

const texts = [
  '',
  '007',
  '12',
  '-3',
  '1e3',
  '9007199254740993',
  'null',
  'ünï côdé',
  '表🙂',
  "it's",
  ' two  spaces ',
  'line\nbreak',
  'semi; colon',
  '-- no comment',
  '"quoted"',
  '`tick`',
  'a,b',
  'A',
  'x?y ?1',
]

const wholes = [
  '0',
  '1',
  '-1',
  '42',
  '1700000000',
  '9007199254740991',
  '9007199254740993',
  '9223372036854775807',
  '-9223372036854775807',
]
const reals = ['0.5', '-1.25', '3.0', '1.0e+300', '0.1', '1.0e-07', '12345678.9', '-0.0']

export function randomLiteral(chance: Chance, kind: ColumnKind): string {
  switch (kind) {
    case 'boolean':
      return chance.pick(['0', '1'])
    case 'integer':
    case 'numeric_bigint':
      return chance.maybe(0.5) ? String(chance.below(50)) : chance.pick(wholes)
    case 'timestamp':
      return String(1_600_000_000 + chance.below(1000))
    case 'timestamp_ms':
      return String(1_600_000_000_000 + chance.below(1000))
    case 'real':
      return chance.pick(reals)
    case 'numeric':
    case 'numeric_number':
      return chance.pick([...reals, '7', '-12', '100'])
    case 'blob':
      return chance.pick(["X''", "X'00'", "X'00FF10'", "X'68656C6C6F'"])
    case 'json':
      return chance.pick(['\'{"a":[1,2]}\'', "'[]'", '\'"text"\'', "'null'"])
    case 'enum':
      return quoteText(chance.pick(['low', 'high', "it's"]))
    default: {
      if (chance.maybe(0.4)) return quoteText(`${chance.pick(words)} ${chance.below(30)}`)
      return quoteText(chance.maybe(0.5) ? chance.pick(texts) : `note ${chance.below(1000)}`)
    }
  }
}

/** A value for a key: seldom one that is there. */
export function keyLiteral(chance: Chance, kind: ColumnKind): string {
  if (kind === 'integer') return chance.maybe(0.05) ? '9007199254740993' : String(1 + chance.below(500))
  if (kind === 'text' || kind === 'varchar') {
    return quoteText(`${chance.pick(['k', 'K', 'ключ', '0'])}${chance.below(500)}`)
  }
  return randomLiteral(chance, kind)
}
