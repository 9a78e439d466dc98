import { DatabaseSync } from 'node:sqlite'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  idSlotExpression,
  maxHashedBytes,
  slotExpression,
  slotTable,
} from '../../db/slots/slot-expression.ts'
import { makeRoutedId, makeRoutedNumber, numberOfId, slotOf, slotOfId } from '../../db/slots/slots.ts'

const database = new DatabaseSync(':memory:')
for (const statement of [...slotTable, ...slotTable]) database.exec(statement)
const slotInSql = database.prepare(`SELECT ${slotExpression('?1')} AS slot`)
const textSlotInSql = database.prepare(`SELECT ${idSlotExpression('?1', false)} AS slot`)
const integerSlotInSql = database.prepare(`SELECT ${idSlotExpression('?1', true)} AS slot`)

/** Digits, UUIDs, routed ids, hash tags, and letters of all lengths that UTF-8 has. */
const texts = fc.oneof(
  fc.bigInt().map(String),
  fc.uuid(),
  fc.nat(20_000).map((slot) => makeRoutedId(slot)),
  fc.string({ unit: fc.constantFrom('{', '}', 'a', 'é', '€', '😀', '0', 'Z'), maxLength: 31 }),
)
const bytesOf = (text: string) => new TextEncoder().encode(text).length

describe('slots in SQL', () => {
  it('are those that the Worker works out', () => {
    fc.assert(
      fc.property(texts, (text) => {
        fc.pre(bytesOf(text) <= maxHashedBytes)
        expect(slotInSql.get(text)?.slot).toBe(slotOf(text))
        expect(textSlotInSql.get(text)?.slot).toBe(slotOfId(text, false))
      }),
      { numRuns: 3000 },
    )
    expect(slotInSql.get('x'.repeat(maxHashedBytes))?.slot).toBe(slotOf('x'.repeat(maxHashedBytes)))
    expect(slotInSql.get('x'.repeat(maxHashedBytes + 1))?.slot).toBeNull()
    expect(slotInSql.get(`${'x'.repeat(200)}{tag}`)?.slot).toBe(slotOf('tag'))
  })

  it('are in integer ids that count rows, below 2^53', () => {
    fc.assert(
      fc.property(fc.nat(16_383), fc.integer({ min: 1, max: 549_755_813_887 }), (slot, number) => {
        const id = makeRoutedNumber(slot, number)
        expect(Number.isSafeInteger(id)).toBe(true)
        expect([slotOfId(String(id), true), numberOfId(id)]).toEqual([slot, number])
        expect(integerSlotInSql.get(BigInt(id))?.slot).toBe(slot)
      }),
    )
    for (const other of [-1n, 1.5, 'x', null, 2n ** 53n]) {
      expect(slotOfId(String(other), true)).toBeNull()
      expect(integerSlotInSql.get(other)?.slot).toBeNull()
    }
    expect(makeRoutedNumber(5061, 1)).toBe(21_445)
  })
})
