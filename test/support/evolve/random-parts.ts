/**
 * The small parts that random schemas are made of: names, columns, defaults, expressions, indexes.
 * @module
 */
import type { Chance } from './chance.ts'
import {
  type ColumnKind,
  type ColumnModel,
  type DefaultModel,
  type Expression,
  type IndexModel,
  isExpression,
  type Model,
  type TableModel,
} from './model.ts'

export const kinds: readonly ColumnKind[] = [
  'integer',
  'boolean',
  'timestamp',
  'timestamp_ms',
  'real',
  'text',
  'varchar',
  'enum',
  'json',
  'numeric',
  'numeric_number',
  'numeric_bigint',
  'blob',
]

/** Names that need quoting, that hold one another, that look like numbers. */
const names = [
  'order',
  'quo te',
  'MixedCase',
  'naïve',
  '表',
  'select',
  'a',
  'aa',
  'group',
  'x-y',
  '7',
  'new',
  'id',
  'title',
  'total',
  'owner_id',
]

const oddNames = ["o'clock", 'a.b', '100%', '?1', '$x', 'true']

export function takeId(model: Model): number {
  model.nextId += 1
  return model.nextId
}

/** A name that none of those has that are there, whatever the case of its letters. */
export function freshName(chance: Chance, taken: readonly string[], prefix: string, number: number): string {
  const lower = taken.map((name) => name.toLowerCase())
  const name = chance.maybe(0.4) ? chance.pick(chance.maybe(0.06) ? oddNames : names) : `${prefix}${number}`
  return lower.includes(name.toLowerCase()) ? `${prefix}${number}` : name
}

export const tableName = (chance: Chance, model: Model, number: number) =>
  freshName(
    chance,
    [...model.tables, ...model.views].map(({ name }) => name),
    't',
    number,
  )

export const columnName = (chance: Chance, table: TableModel, number: number) =>
  freshName(
    chance,
    table.columns.map(({ name }) => name),
    'c',
    number,
  )

const textKinds: readonly ColumnKind[] = ['text', 'varchar']

export function randomDefault(chance: Chance, kind: ColumnKind): DefaultModel {
  const value = (...values: (string | number | boolean | object)[]): DefaultModel => ({
    kind: 'value',
    value: chance.pick(values),
  })
  const text = (...texts: string[]): DefaultModel => ({ kind: 'sql', text: chance.pick(texts) })
  if (kind === 'blob') return text("X'00FF'", '(zeroblob(3))')
  if (kind === 'json') return value({ a: [1, 2] }, [])
  if (kind === 'enum') return value('low', 'high', "it's")
  if (kind === 'boolean') return value(true, false)
  if (kind === 'timestamp' || kind === 'timestamp_ms') return text('(unixepoch())', '(1000 + 24)')
  if (textKinds.includes(kind)) {
    return chance.maybe(0.4)
      ? text("(lower('ABC, d'))", '(hex(randomblob(4)))', 'CURRENT_TIMESTAMP', "('a' || 'b')")
      : value('', "it's", 'none, yet', 'x (y)', '007', 'null', 'salt')
  }
  if (kind === 'real') return value(1.5, -0.25, 0)
  if (kind === 'numeric') return value('12.50', '3')
  if (kind === 'numeric_bigint') return text('9007199254740993', '(2 * 21)')
  return chance.maybe(0.3) ? text('(unixepoch())', '(1 + 2)', '(abs(-5))') : value(0, 7, -1)
}

export function randomColumn(chance: Chance, id: number, name: string): ColumnModel {
  const kind = chance.maybe(0.35) ? 'text' : chance.pick(kinds)
  const hasDefault = chance.maybe(0.35)
  return {
    id,
    name,
    kind,
    notNull: chance.maybe(0.3),
    default: hasDefault ? randomDefault(chance, kind) : null,
    generated: null,
    unique: chance.maybe(0.08),
  }
}

/** Columns that expressions may be over: what generated columns say is not gone into. */
const plain = (table: TableModel) => table.columns.filter(({ generated }) => generated === null)

function over(
  chance: Chance,
  table: TableModel,
  templates: readonly string[],
  rare: readonly string[] = [],
): Expression {
  const template = rare.length > 0 && chance.maybe(0.04) ? chance.pick(rare) : chance.pick(templates)
  const places = new Set(template.match(/\{\d\}/g)).size
  const columns = plain(table).map(({ id }) => id)
  return { template, columns: Array.from({ length: places }, () => chance.pick(columns)) }
}

export const generatedExpression = (chance: Chance, table: TableModel) =>
  over(chance, table, [
    'typeof({0})',
    "coalesce({0}, {1}, 'none, at all')",
    'length({0})',
    "CASE WHEN {0} IS NULL THEN 'no' ELSE 'y,es (x)' END",
    "ifnull({0}, '') || '-' || ifnull({1}, '{t}.x')",
    'ifnull({0}, 0)',
  ])

export const checkExpression = (chance: Chance, table: TableModel, strict = false) =>
  over(
    chance,
    table,
    [
      'length({0}) < 400',
      "{0} <> '{t}.x'",
      "typeof({0}) IN ('integer', 'null', 'text', 'real', 'blob')",
      "coalesce({0}, 'x') <> coalesce({1}, 'zzz, zz') || 'never'",
      '{0} IS NULL OR length({0}) >= 0',
      ...(strict ? ['{0} IS NOT NULL', 'length({0}) > 1', "{0} NOT IN ('007', '')", '{0} > 0'] : []),
    ],
    ["{0} <> 'a;b'"],
  )

const indexExpression = (chance: Chance, table: TableModel) =>
  over(
    chance,
    table,
    [
      'lower({0})',
      "coalesce({0}, {1}, 'a, b')",
      'length({0})',
      "{0} || ', '",
      'substr({0}, 1, 3)',
      '{0} desc',
      '{0} COLLATE NOCASE',
      '({0} IS NULL)',
    ],
    ["{0} || ';'"],
  )

const whereExpression = (chance: Chance, table: TableModel) =>
  over(
    chance,
    table,
    ['{0} IS NOT NULL', '{0} > 5', "{0} IN ('a', 'b, c')", "{0} <> ''"],
    ["{0} IN ('a', 'b; c')"],
  )

export function randomIndex(chance: Chance, table: TableModel, id: number): IndexModel {
  const columns = table.columns.map((column) => column.id)
  const parts = Array.from({ length: 1 + chance.below(3) }, () =>
    chance.maybe(0.3) ? indexExpression(chance, table) : chance.pick(columns),
  )
  return {
    name: chance.maybe(0.2) ? `in dex ${id}` : `ix_${id}`,
    unique: chance.maybe(0.2),
    parts: parts.filter((part, i) => isExpression(part) || parts.indexOf(part) === i),
    where: chance.maybe(0.25) ? whereExpression(chance, table) : null,
  }
}

export { whereExpression }
