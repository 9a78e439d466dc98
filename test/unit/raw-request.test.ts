import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canonicalLocation, parametersOf } from '../../functions/rest/ask/raw-request.ts'

const piece = fc.string({
  unit: fc.constantFrom(...'abcXYZ019_*.-,():!>=&+%~ é"\'/;'.split(''), '%2C', '%zz', '&', '='),
  maxLength: 12,
})
const query = fc.array(piece, { maxLength: 5 }).map((pieces) => pieces.join('&'))
const urlOf = (text: string) => new URL(`https://example.com/rest/v1/albums?${text}`)

describe('a query', () => {
  it("is split as the platform's own parser splits it", () => {
    fc.assert(
      fc.property(query, (text) => {
        const url = urlOf(text)
        expect([...parametersOf(url)]).toEqual([...url.searchParams])
      }),
      { numRuns: 2000 },
    )
  })

  it("has the location that the platform's own parser writes", () => {
    fc.assert(
      fc.property(query, (text) => {
        const url = urlOf(text)
        const sorted = new URLSearchParams(url.searchParams)
        sorted.sort()
        expect(canonicalLocation(url)).toBe(url.search === '' ? url.pathname : `${url.pathname}?${sorted}`)
      }),
      { numRuns: 2000 },
    )
  })
})
