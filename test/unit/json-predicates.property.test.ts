import { DatabaseSync } from 'node:sqlite'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseLosslessJson } from '../../functions/core/parse-json.ts'
import { type Json, JsonPredicates } from '../../functions/rest/compile/json-predicates.ts'
import { LiteralList } from '../../functions/rest/compile/sql.ts'
import { isObject, jsonbOrder } from '../support/jsonb-order.ts'

/** PostgreSQL's rules for jsonb, in plain JavaScript. */
function equals(a: Json, b: Json): boolean {
  if (Array.isArray(a))
    return Array.isArray(b) && a.length === b.length && a.every((element, i) => equals(element, b[i]))
  if (!isObject(a)) return a === b
  const keys = Object.keys(a)
  return (
    isObject(b) &&
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && equals(a[key] as Json, b[key] as Json))
  )
}

function contains(whole: Json, part: Json, top = true): boolean {
  if (Array.isArray(part)) {
    return Array.isArray(whole) && part.every((element) => whole.some((own) => contains(own, element, false)))
  }
  if (isObject(part)) {
    return (
      isObject(whole) &&
      Object.keys(part).every(
        (key) => Object.hasOwn(whole, key) && contains(whole[key] as Json, part[key] as Json, false),
      )
    )
  }
  if (top && Array.isArray(whole)) return whole.some((own) => own === part)
  return whole === part
}

/** Small, so that values meet; keys that SQLite's paths could misread. */
const leaf = fc.oneof(
  fc.constantFrom<Json>(null, true, false, 0, 1, 1.5, -2, '', 'a', '1', 'true', 'null'),
  fc.constantFrom('x"y', "it's", '[0]'),
)
const key = fc.constantFrom('a', 'b', 'a.b', '$', '[0]', "k'", ' ')
const { json } = fc.letrec<{ json: Json }>((tie) => ({
  json: fc.oneof(
    { depthSize: 'small' },
    leaf,
    fc.array(tie('json'), { maxLength: 3 }),
    fc.dictionary(key, tie('json'), { maxKeys: 3, noNullPrototype: true }),
  ) as fc.Arbitrary<Json>,
}))

const database = new DatabaseSync(':memory:')

function holds(predicate: (predicates: JsonPredicates) => string, value: Json): boolean {
  return holdsText(predicate, JSON.stringify(value))
}

function holdsText(predicate: (predicates: JsonPredicates) => string, text: string): boolean {
  const sql = predicate(new JsonPredicates(new LiteralList({ operands: [], rights: { value: () => null } })))
  const row = database.prepare(`SELECT ifnull(${sql}, 0) AS holds FROM (SELECT ? AS v)`).get(text)
  return row?.holds === 1
}

const runs = { numRuns: 1500 }

describe('JSON in SQL, as PostgreSQL compares it', () => {
  it('is equal whatever the order of keys', () => {
    fc.assert(
      fc.property(json, json, (a, b) => {
        expect(holds((predicates) => predicates.equals('v', b), a)).toBe(equals(a, b))
        expect(holds((predicates) => predicates.equals('v', a), a)).toBe(true)
      }),
      runs,
    )
  })

  it('contains', () => {
    fc.assert(
      fc.property(json, json, (whole, part) => {
        expect(holds((predicates) => predicates.contains('v', part), whole)).toBe(contains(whole, part))
      }),
      runs,
    )
  })

  it('is contained', () => {
    fc.assert(
      fc.property(json, json, (part, whole) => {
        expect(holds((predicates) => predicates.containedIn('v', whole), part)).toBe(contains(whole, part))
      }),
      runs,
    )
  })

  it('is ordered', () => {
    const signs = { '-1': '<', '0': '=', '1': '>' } as const
    fc.assert(
      fc.property(json, json, (a, b) => {
        const expected = String(jsonbOrder(a, b)) as keyof typeof signs
        expect(holds((predicates) => `${predicates.order('v', b)}${signs[expected]}0`, a)).toBe(true)
      }),
      runs,
    )
  })

  it('keeps all digits', () => {
    const [one, other] = ['9007199254740993', '9007199254740992'].map(
      (digits) => parseLosslessJson(`{"n":${digits}}`) as Json,
    )
    const [long, longer] = ['3.14159265358979323846', '3.14159265358979323847'].map(
      (digits) => parseLosslessJson(digits) as Json,
    )
    for (const [a, b] of [
      [one, other],
      [long, longer],
    ] as const) {
      const text = JSON.stringify(a)
      expect(holdsText((predicates) => predicates.equals('v', a as Json), text)).toBe(true)
      expect(holdsText((predicates) => predicates.equals('v', b as Json), text)).toBe(false)
      expect(holdsText((predicates) => predicates.contains('v', b as Json), text)).toBe(false)
    }
    expect(holdsText((predicates) => predicates.equals('v', 1), '1.0')).toBe(true)
  })
})
