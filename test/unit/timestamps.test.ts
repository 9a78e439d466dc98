import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { AtollError } from '../../db/errors/atoll-error.ts'
import { timestampOf } from '../../functions/rest/plan/timestamps.ts'

const codeOf = (text: string) => {
  try {
    return timestampOf('timestamp_ms', text)
  } catch (error) {
    return (error as AtollError).body.code
  }
}

describe('a date or time', () => {
  it.each([
    ['2024-01-01', '2024-01-01T00:00:00Z'],
    ['2024-02-29 12:30', '2024-02-29T12:30:00Z'],
    ['2024-01-01T12:00:00+02', '2024-01-01T10:00:00Z'],
    ['2024-01-01 12:00:00 -0530', '2024-01-01T17:30:00Z'],
    ['2024-01-01t12:00:00z', '2024-01-01T12:00:00Z'],
    ['2024-12-31T24:00:00Z', '2025-01-01T00:00:00Z'],
    ['2016-12-31T23:59:60Z', '2017-01-01T00:00:00Z'],
    ['0001-01-01', '0001-01-01T00:00:00Z'],
    ['9999-12-31T23:59:59Z', '9999-12-31T23:59:59Z'],
  ])('is read: %s', (text, iso) => {
    expect(timestampOf('timestamp_ms', text)).toBe(Date.parse(iso))
    expect(timestampOf('timestamp', text)).toBe(Date.parse(iso) / 1000)
  })

  it('keeps a fraction to be compared with', () => {
    expect(timestampOf('timestamp', '2026-01-05T10:00:00.250Z')).toBe(
      Date.parse('2026-01-05T10:00:00Z') / 1000 + 0.25,
    )
    expect(timestampOf('timestamp_ms', '2026-01-05T10:00:00.2505Z')).toBe(
      Date.parse('2026-01-05T10:00:00.250Z') + 0.5,
    )
  })

  it.each([
    'room 12',
    'hello 1',
    '5',
    '99',
    '',
    'now',
    'infinity',
    '2024-1-1',
    '01/02/2024',
    '2024-01-01T12',
    'Jan 1 2024',
  ])('is not guessed: %s', (text) => expect(codeOf(text)).toBe('22007'))

  it.each([
    '2026-02-30T12:00:00Z',
    '2026-13-01',
    '2026-00-10',
    '2023-02-29',
    '2026-01-01T25:00',
    '2026-01-01T24:01',
    '010000-01-01',
    '0000-01-01',
    '9999-12-31T23:59:59-01',
  ])('is one that calendars have, and that can be shown: %s', (text) => expect(codeOf(text)).toBe('22008'))

  it('has a zone that there is', () => {
    expect(codeOf('2026-01-01T00:00:00+16:00')).toBe('22009')
  })

  it('is what JavaScript writes', () => {
    const from = Date.parse('0001-01-01T00:00:00Z')
    const to = Date.parse('9999-12-31T23:59:59.999Z')
    fc.assert(
      fc.property(fc.integer({ min: from, max: to }), (ms) => {
        expect(timestampOf('timestamp_ms', new Date(ms).toISOString())).toBeCloseTo(ms, 3)
      }),
    )
  })
})
