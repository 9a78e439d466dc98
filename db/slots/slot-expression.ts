/**
 * Slots as SQL works them out, so that the databases themselves can refuse a row that is not theirs: the same as `slots.ts`.
 *
 * CRC16 is linear: a text's is the XOR of what each of its bits contributes at its place. SQLite has no XOR, but the parity of a sum
 * is one: each of the 14 bits has eight bits of a sum for itself, seven of them in one integer. What the 16 values of each half byte
 * contribute, counted from the end of the text, is kept in a table that is worked out once.
 * @module
 */
import { routedForm, slotCount } from './slots.ts'

/** Longest text in bytes whose slot SQL works out: of two sums with 254 half bytes none overflows. The slot of a longer one is null. */
export const maxHashedBytes = 127

const fieldBits = 8
const fieldsPerSum = 7
/** Digits of the largest contribution to a sum. */
const width = 17

const xor = (a: string, b: string) => `((${a} | ${b}) - (${a} & ${b}))`
const numbers = (count: number) => Array.from({ length: count }, (_, i) => i)

/** CRC16's remainders of a half byte that is shifted out: the polynomial times 0 to 15, five digits each. */
const remainders = numbers(16)
  .map((half) => numbers(4).reduce((sum, bit) => ((half >> bit) & 1 ? sum ^ (0x1021 << bit) : sum), 0))
  .map((value) => String(value).padStart(5, '0'))
  .join('')

/** The remainder of a value with four more zero bits behind it. */
const shifted = (value: string) =>
  xor(`(${value} << 4 & 65535)`, `CAST(substr('${remainders}', (${value} >> 12) * 5 + 1, 5) AS INTEGER)`)

const spread = (value: string, from: number) =>
  numbers(fieldsPerSum)
    .map((k) => `((${value} >> ${from + k} & 1) << ${fieldBits * k})`)
    .join(' | ')

const contributions = (from: number) =>
  `group_concat(printf('%0${width}d', ${spread('value', from)}), '' ORDER BY half)`

/** Statements that make the table; each can be run again without harm. */
export const slotTable: readonly string[] = [
  'CREATE TABLE IF NOT EXISTS _atoll_crc16 (position INTEGER PRIMARY KEY, low TEXT NOT NULL, high TEXT NOT NULL)',
  `INSERT INTO _atoll_crc16 (position, low, high) WITH RECURSIVE
 bits (position, a, b, c, d) AS (
  SELECT 0, ${numbers(4)
    .map((bit) => 0x1021 << bit)
    .join(', ')} WHERE NOT EXISTS (SELECT 1 FROM _atoll_crc16)
  UNION ALL SELECT position + 1, ${['a', 'b', 'c', 'd'].map(shifted).join(', ')} FROM bits WHERE position < ${2 * maxHashedBytes - 1}),
 halves (half) AS (SELECT 0 UNION ALL SELECT half + 1 FROM halves WHERE half < 15),
 parts (position, half, a, b, c, d) AS MATERIALIZED (SELECT position, half, a * (half & 1), b * (half >> 1 & 1), c * (half >> 2 & 1), d * (half >> 3) FROM bits JOIN halves),
 pairs (position, half, x, y) AS MATERIALIZED (SELECT position, half, ${xor('a', 'b')}, ${xor('c', 'd')} FROM parts),
 wholes (position, half, value) AS MATERIALIZED (SELECT position, half, ${xor('x', 'y')} FROM pairs)
 SELECT position, ${contributions(0)}, ${contributions(fieldsPerSum)} FROM wholes GROUP BY position`,
]

const parities = (sum: string, from: number) =>
  numbers(fieldsPerSum)
    .map((k) => `((${sum} >> ${fieldBits * k} & 1) << ${from + k})`)
    .join(' | ')

const contribution = (column: string) => `ifnull(sum(CAST(substr(${column}, at, ${width}) AS INTEGER)), 0)`

/** Of a text in hexadecimal digits. */
const hashOfHex = (hex: string) =>
  `(SELECT ${parities('l', 0)} | ${parities('h', fieldsPerSum)} FROM (SELECT ${contribution('low')} AS l, ${contribution('high')} AS h FROM (SELECT low, high, (instr('0123456789ABCDEF', substr(${hex}, -1 - position, 1)) - 1) * ${width} + 1 AS at FROM _atoll_crc16 WHERE position < length(${hex}))))`

const { digits } = routedForm
const digitAt = (text: string, place: number) => `(instr('${digits}', substr(${text}, ${place}, 1)) - 1)`

/** Whether a text reads as a routed id. */
const isRoutedText = (text: string) =>
  `(length(${text}) = ${routedForm.length} AND ${text} NOT GLOB '*[^${digits}]*' AND substr(${text}, 1, 1) < 'G' AND substr(${text}, 4, 1) < '8')`

const slotOfRoutedText = (text: string) =>
  `(${digitAt(text, 1)} * 1024 + ${digitAt(text, 2)} * 32 + ${digitAt(text, 3)})`

/** An expression for the slot of a distribution value, as `slotOf`; null for a text of more than 127 bytes. */
export function slotExpression(value: string): string {
  // No CASE: D1's REST API takes its END for a trigger's.
  const read = `SELECT CAST(${value} AS TEXT) AS v`
  const opened = `SELECT v, iif(instr(v, '{') > 0, substr(v, instr(v, '{') + 1), '') AS r FROM (${read})`
  const tagged = `SELECT v, hex(CAST(iif(instr(r, '}') > 1, substr(r, 1, instr(r, '}') - 1), v) AS BLOB)) AS x FROM (${opened})`
  return `(SELECT iif(${isRoutedText('v')}, ${slotOfRoutedText('v')}, iif(length(x) > ${2 * maxHashedBytes}, NULL, ${hashOfHex('x')})) FROM (${tagged}))`
}

/** An expression for the slot that a routed id names, as `slotOfId`; null when it is none. */
export function idSlotExpression(id: string, isInteger: boolean): string {
  if (isInteger) {
    return `iif(typeof(${id}) = 'integer' AND ${id} BETWEEN 0 AND ${Number.MAX_SAFE_INTEGER}, ${id} % ${slotCount}, NULL)`
  }
  return `iif(typeof(${id}) = 'text' AND ${isRoutedText(id)}, ${slotOfRoutedText(id)}, NULL)`
}
