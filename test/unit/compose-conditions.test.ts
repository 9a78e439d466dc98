import { eq, gt, inArray, type SQL, sql, and as sqlAnd, or as sqlOr } from 'drizzle-orm'
import { index, integer, QueryBuilder, type SQLiteColumn, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { describe, expect, it } from 'vitest'
import { createConditionCompiler } from '../../db/catalog/compile-condition.ts'
import { parameterMark } from '../../db/catalog/grants.ts'
import {
  type Access,
  and,
  type Condition,
  defineStorage,
  defineTables,
  distributed,
  not,
  type ObjectCondition,
  or,
  type PolicyCaller,
  type PolicyContext,
} from '../../db/define.ts'

const orders = sqliteTable(
  'orders',
  {
    id: integer('id').primaryKey(),
    owner: text('owner').notNull(),
    total: integer('total'),
    isOpen: integer('is_open', { mode: 'boolean' }),
  },
  (table) => [index('orders_owner_idx').on(table.owner)],
)

type Row<Name extends string> = { readonly [N in Name]: SQLiteColumn }
const own: Condition<Row<'owner'>> = ({ caller, row }) => eq(row.owner, caller.sub)
const cheap: Condition<Row<'total'>> = ({ row }) => eq(row.total, 1)
const ofText: ObjectCondition = ({ object }) => eq(object.mime, 'text/plain')

const caller: PolicyCaller = { role: 'member', sub: 'me', claims: {}, values: {} }
const context: PolicyContext<typeof orders> = { caller, row: orders, query: new QueryBuilder() }

const compile = createConditionCompiler({ name: 'orders', rowName: 'orders', refusal: () => null })
/** SQL with `row` for the row's table, and the parameters in their places. */
function shown(answer: SQL | boolean): string | boolean {
  if (typeof answer === 'boolean') return answer
  const { text: marked, parameters } = compile(answer)
  return marked
    .replaceAll(parameterMark + parameterMark, 'row')
    .replace(
      new RegExp(`(?:CAST\\()?${parameterMark}(\\d+)${parameterMark}(?: AS INTEGER\\))?`, 'g'),
      (_, i) => String(parameters[Number(i)]),
    )
}

const yes = sql`1 = 1`
const loose = sql`${orders.total} = 1 or ${orders.isOpen}`
const mine = eq(orders.owner, 'me')
const open = gt(orders.total, 0)

describe('and, or and not', () => {
  it.each<[string, SQL | boolean, string | boolean]>([
    ['and: both', and(mine, open), '(row."owner" = me and row."total" > 0)'],
    ['and: true is left out', and(true, mine, true), 'row."owner" = me'],
    ['and: false', and(mine, false), false],
    ['and: undefined denies', and(undefined, mine), false],
    ['and: a missing claim denies', and(mine, null as unknown as undefined), false],
    ['and: what Drizzle makes of nothing denies', and(sqlAnd(), mine), false],
    ['and: only true', and(true, true), true],
    ['and: nothing denies', and(), false],
    ['or: both', or(mine, open), '(row."owner" = me or row."total" > 0)'],
    ['or: undefined grants nothing', or(undefined, mine), 'row."owner" = me'],
    ['or: false grants nothing', or(mine, false), 'row."owner" = me'],
    ['or: true', or(mine, true), true],
    ['or: only undefined', or(undefined, undefined), false],
    ['or: nothing denies', or(), false],
    ['not: SQL', not(sqlOr(mine, open)), 'not ((row."owner" = me or row."total" > 0))'],
    ['not: loose text', not(loose), 'not (row."total" = 1 or row."is_open")'],
    ['not: true', not(true), false],
    ['not: false', not(false), true],
    ['not: undefined denies', not(undefined), false],
    ['a column', and(orders.isOpen, mine), '(row."is_open" and row."owner" = me)'],
    ['a column alone', or(orders.isOpen), 'row."is_open"'],
    ['text with an OR in it', and(mine, loose), '(row."owner" = me and (row."total" = 1 or row."is_open"))'],
    [
      'Drizzle’s conjunction with such a text is kept as it is',
      and(mine, sqlAnd(loose, open)),
      '(row."owner" = me and ((row."total" = 1 or row."is_open" and row."total" > 0)))',
    ],
    [
      'conjunctions are opened, ours and Drizzle’s',
      and(and(mine, open), sqlAnd(yes, open)),
      '(row."owner" = me and row."total" > 0 and 1 = 1 and row."total" > 0)',
    ],
    [
      'disjunctions stay together',
      and(or(mine, open), sqlOr(yes, open)),
      '(((row."owner" = me or row."total" > 0)) and ((1 = 1 or row."total" > 0)))',
    ],
  ])('%s', (_, answer, expected) => expect(shown(answer)).toBe(expected))

  it('make conditions of conditions', () => {
    const both = and(own, or(cheap, true), not(cheap))
    expect(shown(both(context))).toBe('(row."owner" = me and not (row."total" = 1))')
    expect(and(own, () => undefined)(context)).toBe(false)
    expect(or(() => undefined, own)(context)).toEqual(own(context))
    expect(not(() => undefined)({})).toBe(false)
    expect(String(both)).toContain(String(own))
  })

  it('ask no further than they must', () => {
    const throws = () => {
      throw new Error('asked')
    }
    expect(and(() => false, throws)({})).toBe(false)
    expect(or(() => true, throws)({})).toBe(true)
    expect(() => or(() => false, throws)({})).toThrow('asked')
  })

  it('take no claim for a condition', () => {
    const claim: PolicyCaller['sub'] = 'false'
    expect(() => or(mine, claim)).toThrow('a part of or() is no condition')
    expect(() => and(mine, claim)).toThrow('a part of and() is no condition')
    expect(() => not(claim)).toThrow('a part of not() is no condition')
  })
})

/** What follows holds when it compiles. */
describe('types', () => {
  it('ask of a row what the parts ask of it', () => {
    const both = and(own, cheap)
    const wide: Condition<Row<'owner' | 'total'>> = both
    const nested: Condition<typeof orders> = and(own, or(cheap, and(own, not(cheap))), true, undefined)
    const turned: Condition<typeof orders> = and(
      own,
      not(({ row }) => eq(row.total, 1)),
    )
    // @ts-expect-error: a row without a total
    const narrow: Condition<Row<'owner'>> = both
    // @ts-expect-error: the same where it is asked for at once
    const atOnce: Condition<Row<'owner'>> = and(own, cheap)
    // @ts-expect-error: a row is no object
    const mixed: Condition<Row<'owner'>> = and(own, ofText)
    expect([wide, nested, turned, narrow, atOnce, mixed].every((each) => typeof each === 'function')).toBe(
      true,
    )
  })

  it('take conditions, SQL, columns, true, false and undefined, and nothing else', () => {
    const given: SQL | boolean = and(mine, true, undefined, orders.isOpen)
    // @ts-expect-error: text
    expect(() => and('a', true)).toThrow()
    // @ts-expect-error: a number
    expect(() => and(own, 1)(context)).toThrow()
    // @ts-expect-error: null, which only claims are
    expect(or(null)).toBe(false)
    expect(given).toBe(false)
  })

  it('know the row where a grant is written', () => {
    const tables = defineTables({
      orders: distributed(orders, {
        by: 'owner',
        access: {
          a: {
            select: and(own, ({ row }) => eq(row.total, 2)),
            update: { where: or(own, cheap), check: and(own, not(cheap), ({ row }) => row.isOpen) },
            delete: and(own, cheap),
            insert: not(({ row }) => eq(row.total, 2)),
          },
          b: {
            select: (context) => and(own(context), cheap(context), context.row.isOpen),
            update: and(own, ({ caller }) => caller.claims.aal === 'aal2'),
            insert: or(own, ({ query, row }) =>
              inArray(row.id, query.select({ id: orders.id }).from(orders).where(gt(orders.total, 1))),
            ),
          },
          // @ts-expect-error: no such column
          c: { select: and(own, ({ row }) => eq(row.nothing, 2)) },
        },
      }),
    })
    const shared: Access<Row<'owner'>> = { a: { select: and(own, ({ row }) => eq(row.owner, 'x')) } }
    // @ts-expect-error: a row without a total
    const wrong: Access<Row<'owner'>> = { a: { select: and(own, cheap) } }
    const storage = defineStorage({
      files: {
        access: {
          a: {
            select: and(ofText, ({ object, caller }) => eq(object.owner, caller.sub)),
            insert: not(ofText),
          },
          b: { select: (context) => or(ofText(context), false), update: or(ofText, ofText) },
        },
      },
    })
    expect([tables, shared, wrong, storage].every((each) => typeof each === 'object')).toBe(true)
  })
})
