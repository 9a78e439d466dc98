import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseRequest } from '../../functions/rest/ask/parse-request.ts'
import type {
  Condition,
  FilterCondition,
  OrderTerm,
  ResourceRequest,
  SelectItem,
  Value,
} from '../../functions/rest/ask/request.ts'
import { type ShapeHeaders, shapeOf } from '../../functions/rest/ask/shape.ts'
import { renderRequest } from '../support/render-request.ts'

/** Of a method whose parameters stay in their order; of those of reads, each is said in one way. */
const headers: ShapeHeaders = { method: 'PATCH', accept: '', prefer: '', schema: 'public', range: null }
const options = { legacyTargetNames: true, txRollback: true }

/** Names of any characters; unlike words that the grammar keeps for itself. */
const name = fc
  .string({ minLength: 1, maxLength: 8, unit: 'grapheme' })
  .filter((text) => !text.includes('\0'))
const text = fc.string({ maxLength: 12, unit: 'grapheme' }).filter((value) => !value.includes('\0'))
const step = fc.record({ at: fc.oneof(name, fc.integer({ min: -99, max: 99 })), asText: fc.boolean() })
const field = fc.record({ name, path: fc.array(step, { maxLength: 3 }) })
const nullable = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null })
const constant = (arbitrary: fc.Arbitrary<string>) =>
  arbitrary.map((value): Value => ({ kind: 'constant', text: value }))

const plain = fc.constantFrom(
  'eq',
  'neq',
  'gt',
  'gte',
  'lt',
  'lte',
  'like',
  'ilike',
  'isdistinct',
  'cs',
  'cd',
  'ov',
  'match',
)
const filter: fc.Arbitrary<FilterCondition> = fc.oneof(
  fc.record({
    kind: fc.constant('filter'),
    field,
    negated: fc.boolean(),
    operator: plain,
    quantifier: fc.constant(null),
    language: fc.constant(null),
    value: constant(text),
  }),
  fc.record({
    kind: fc.constant('filter'),
    field,
    negated: fc.boolean(),
    operator: fc.constant('in'),
    quantifier: fc.constant(null),
    language: fc.constant(null),
    value: constant(fc.array(fc.integer()).map((list) => `(${list.join(',')})`)),
  }),
  fc.record({
    kind: fc.constant('filter'),
    field,
    negated: fc.boolean(),
    operator: fc.constantFrom('eq', 'like', 'gte'),
    quantifier: fc.constantFrom('any', 'all'),
    language: fc.constant(null),
    value: constant(fc.array(fc.integer()).map((list) => `{${list.join(',')}}`)),
  }),
  fc.record({
    kind: fc.constant('filter'),
    field,
    negated: fc.boolean(),
    operator: fc.constantFrom('fts', 'wfts'),
    quantifier: fc.constant(null),
    language: nullable(fc.constantFrom('english', 'simple')),
    value: constant(text),
  }),
) as fc.Arbitrary<FilterCondition>

const { condition } = fc.letrec<{ condition: Condition }>((tie) => ({
  condition: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    filter,
    fc.record({
      kind: fc.constantFrom('and', 'or'),
      negated: fc.boolean(),
      terms: fc.array(tie('condition'), { minLength: 1, maxLength: 3 }),
    }),
  ) as fc.Arbitrary<Condition>,
}))

const order: fc.Arbitrary<OrderTerm> = fc.record({
  embed: nullable(name),
  field,
  descending: fc.boolean(),
  nulls: nullable(fc.constantFrom('first', 'last')),
})

const fieldItem = fc
  .record({
    kind: fc.constant('field' as const),
    field,
    alias: nullable(name),
    cast: nullable(fc.constantFrom('text', 'int', 'double precision')),
    aggregate: nullable(
      fc.record({
        name: fc.constantFrom('sum', 'avg', 'count', 'min', 'max'),
        cast: nullable(fc.constant('text')),
      }),
    ),
  })
  .map((item) => item as SelectItem)

/** Embedded resources have names of their own, so that a filter leads to one of them. */
const resource = (depth: number): fc.Arbitrary<ResourceRequest> =>
  fc.record({
    select: fc
      .tuple(
        fc.array(fc.oneof(fieldItem, fc.constant<SelectItem>({ kind: 'star' })), {
          minLength: 1,
          maxLength: 3,
        }),
        depth === 0
          ? fc.constant([])
          : fc.uniqueArray(embed(depth - 1), { maxLength: 2, selector: embedName, comparator: 'SameValue' }),
      )
      .map(([fields, embeds]) => [...fields, ...embeds]),
    where: fc.array(condition, { maxLength: 3 }),
    order: fc.array(order, { maxLength: 2 }),
    limit: nullable(constant(fc.nat().map(String))),
    offset: nullable(constant(fc.nat().map(String))),
  })

const embedName = (item: SelectItem) => (item.kind === 'embed' ? (item.alias ?? item.target) : '')

const embed = (depth: number): fc.Arbitrary<SelectItem> =>
  fc
    .record({
      kind: fc.constant('embed' as const),
      target: name,
      alias: nullable(name),
      hint: nullable(name.filter((word) => word !== 'inner' && word !== 'left')),
      join: nullable(fc.constantFrom('inner', 'left')),
      spread: fc.boolean(),
      resource: resource(depth),
    })
    .map((item) => ({ ...item, alias: item.spread ? null : item.alias }) as SelectItem)

/** Operands put back where the shape took them from. */
function whole(value: unknown, operands: readonly string[]): unknown {
  if (Array.isArray(value)) return value.map((element) => whole(element, operands))
  if (value === null || typeof value !== 'object') return value
  if ('kind' in value && value.kind === 'operand') {
    return { kind: 'constant', text: operands[(value as unknown as { index: number }).index] }
  }
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, whole(inner, operands)]))
}

describe('a request', () => {
  it('is read back equal from the query that it renders to', () => {
    fc.assert(
      fc.property(resource(2), (root) => {
        const query = new URLSearchParams(renderRequest(root))
        const shape = shapeOf('t', query, headers)
        const parsed = parseRequest('t', shape.parameters, headers, options)
        expect(whole(parsed.root, shape.operands)).toEqual(root)
      }),
      { numRuns: 500 },
    )
  })
})
