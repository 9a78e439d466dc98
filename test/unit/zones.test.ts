import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { timestampOf } from '../../functions/rest/plan/timestamps.ts'
import { dateInZone, textInZone, zoneOf } from '../../functions/rest/plan/zones.ts'

const at = (iso: string) => Date.parse(iso) / 1000

describe('a time zone', () => {
  it.each([
    ['America/Los_Angeles', '2023-10-18T12:37:59.611Z', '2023-10-18T05:37:59.611-07:00'],
    ['America/Los_Angeles', '2023-12-18T12:37:59Z', '2023-12-18T04:37:59.000-08:00'],
    ['Asia/Kolkata', '2024-01-01T00:00:00Z', '2024-01-01T05:30:00.000+05:30'],
    ['america/new_york', '2024-03-10T06:59:59Z', '2024-03-10T01:59:59.000-05:00'],
    ['America/New_York', '2024-03-10T07:00:00Z', '2024-03-10T03:00:00.000-04:00'],
    ['UTC', '2024-01-01T00:00:00Z', '2024-01-01T00:00:00.000+00:00'],
    // POSIX counts to the west, SQL's hours to the east.
    ['+05:30', '2023-10-18T12:37:59.611Z', '2023-10-18T07:07:59.611-05:30'],
    ['-08:00', '2024-01-01T00:00:00Z', '2024-01-01T08:00:00.000+08:00'],
    ['-8', '2024-01-01T00:00:00Z', '2023-12-31T16:00:00.000-08:00'],
    ['2', '2024-01-01T00:00:00Z', '2024-01-01T02:00:00.000+02:00'],
    ['Etc/GMT+3', '2024-01-01T00:00:00Z', '2023-12-31T21:00:00.000-03:00'],
  ])('%s shows %s as %s', (name, instant, shown) => {
    const text = textInZone(at(instant), 3, zoneOf(name))
    expect(text).toBe(shown)
  })

  it.each([
    ['America/New_York', '2024-11-03 01:30', '2024-11-03T06:30:00Z'],
    ['America/New_York', '2024-03-10 02:30', '2024-03-10T07:30:00Z'],
    ['America/New_York', '2024-07-01', '2024-07-01T04:00:00Z'],
    ['Asia/Kolkata', '2024-07-01T12:00', '2024-07-01T06:30:00Z'],
    ['Asia/Kolkata', '2024-07-01T12:00Z', '2024-07-01T12:00:00Z'],
    ['Asia/Kolkata', '2024-07-01T12:00+01', '2024-07-01T11:00:00Z'],
  ])('%s reads %s as %s, as PostgreSQL does', (name, text, instant) => {
    expect(timestampOf('timestamp', text, zoneOf(name))).toBe(at(instant))
  })

  it.each(['Invalid/Timezone', '', 'x', '+25:00', '05:99', 'PST8PDT; DROP', '__proto__', '+1:2:3:4'])(
    '%j is none',
    (name) => {
      expect(() => zoneOf(name)).toThrow(
        expect.objectContaining({ body: expect.objectContaining({ code: '22023' }) }),
      )
    },
  )

  it('with leap seconds is refused as that', () => {
    expect(() => zoneOf('05:30:15')).toThrow('time zone "05:30:15" appears to use leap seconds')
  })

  it('shows times that are read as what they were, of every zone', () => {
    const names = fc.constantFrom(...Intl.supportedValuesOf('timeZone'), '+05:30', '-3', '11:45')
    const times = fc.integer({ min: at('0100-01-01T00:00:00Z'), max: at('9990-01-01T00:00:00Z') })
    fc.assert(
      fc.property(names, times, (name, seconds) => {
        const zone = zoneOf(name)
        const text = textInZone(seconds, 0, zone)
        // An offset of seconds is PostgreSQL's to show, and nobody's to send.
        if (/:\d\d:\d\d$/.test(text.slice(19))) return
        expect(timestampOf('timestamp', text, zone)).toBe(seconds)
        expect(text.startsWith(dateInZone(seconds, zone))).toBe(true)
      }),
      { numRuns: 2000 },
    )
  })
})
