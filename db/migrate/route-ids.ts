/**
 * Integer ids that carry no slot become routed ones: the statements of a migration that multiplies them out, rows that refer to them
 * first.
 * @module
 */
import { type Catalog, keyColumn, type Table } from '../catalog/catalog.ts'
import { UsageError } from '../doors/usage-error.ts'
import { idSlotExpression, slotExpression } from '../slots/slot-expression.ts'
import { slotCount } from '../slots/slots.ts'
import { quoteName } from '../sql/quote.ts'

interface Routed {
  readonly table: Table
  /** Names in SQL. */
  readonly key: string
  readonly by: string
}

/**
 * @param names tables whose ids are to carry their slots
 * @throws UsageError for a table that has no such ids
 */
export function routeIds(catalog: Catalog, names: readonly string[]): string[] {
  const routed = names.map((name) => readRouted(catalog, name))
  return [...routed.flatMap((one) => childStatements(catalog, one)), ...routed.flatMap(ownStatements)]
}

/** That a row's id does not carry its slot. */
export function isUnrouted(table: Table): string | null {
  const key = keyColumn(table)
  const { placement } = table
  if (table.ids !== 'routed' || key === null || placement.kind !== 'distributed') return null
  const slot = slotExpression(quoteName(placement.by))
  return `${idSlotExpression(quoteName(key.name), key.type === 'integer')} IS NOT ${slot} AND ${slot} IS NOT NULL`
}

function readRouted(catalog: Catalog, name: string): Routed {
  const table = catalog.tables.get(name)
  const key = table?.ids === 'routed' ? keyColumn(table) : null
  if (!table || !key || table.placement.kind !== 'distributed') {
    throw new UsageError(`${name} is no distributed table whose ids are routed, in db/app/tables.ts`)
  }
  if (key.type !== 'integer') {
    throw new UsageError(
      `the ids of ${name} are texts: only integers can be made to carry a slot, say ids: 'free'`,
    )
  }
  return {
    table,
    key: quoteName(key.name),
    by: quoteName(table.placement.by),
  }
}

/** Far below every id that there is: what lies there has been done, and is brought back at the end. */
const aside = '4611686018427387904'

/** All ids of a table or none, so that no new one meets an old one that carries its slot by accident. */
const hasUnrouted = (table: Table) =>
  `EXISTS (SELECT 1 FROM ${quoteName(table.name)} WHERE ${isUnrouted(table)})`

function ownStatements({ table, key, by }: Routed): string[] {
  const name = quoteName(table.name)
  return [
    `UPDATE ${name} SET ${key} = ${key} * ${slotCount} + ${slotExpression(by)} - ${aside} WHERE ${key} > 0 AND ${hasUnrouted(table)}`,
    broughtBack(name, key),
  ]
}

function childStatements(catalog: Catalog, { table, key, by }: Routed): string[] {
  const parent = `${quoteName(table.name)} AS _atoll_p`
  return [...catalog.tables.values()].flatMap((child) =>
    child.kind === 'view'
      ? []
      : referring(child, table).flatMap((column) => {
          const [name, its] = [quoteName(child.name), quoteName(column)]
          const own = `_atoll_p.${key} = ${name}.${its}`
          return [
            `UPDATE ${name} SET ${its} = ${its} * ${slotCount} + (SELECT ${slotExpression(`_atoll_p.${by}`)} FROM ${parent} WHERE ${own}) - ${aside} WHERE ${its} > 0 AND EXISTS (SELECT 1 FROM ${parent} WHERE ${own}) AND ${hasUnrouted(table)}`,
            broughtBack(name, its),
          ]
        }),
  )
}

function broughtBack(table: string, column: string): string {
  return `UPDATE ${table} SET ${column} = ${column} + ${aside} WHERE ${column} < -${aside} / 2`
}

/** Columns by which rows of a table refer to another's key. */
function referring(child: Table, parent: Table): string[] {
  const key = parent.primaryKey[0]
  const columns = child.relations
    .filter(
      ({ forward, junction, toIsView, to }) =>
        forward && junction === null && !toIsView && to === parent.name,
    )
    .flatMap(({ on }) => on.filter(([, there]) => there === key).map(([here]) => here))
  return [...new Set(columns)]
}
