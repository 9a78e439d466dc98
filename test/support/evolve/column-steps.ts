/**
 * Steps that change the columns of a table.
 * @module
 */
import type { Chance } from './chance.ts'
import {
  type ColumnKind,
  type ColumnModel,
  expressionsOf,
  isExpression,
  type Model,
  type TableModel,
} from './model.ts'
import { columnName, generatedExpression, kinds, randomDefault } from './random-parts.ts'
import { addColumn, addForeignKey, addGenerated } from './random-schema.ts'

/** Changes the model; false when there is nothing that it could change. */
export type Step = (chance: Chance, model: Model, table: TableModel) => boolean

const isKey = (table: TableModel, { id }: ColumnModel) => table.primaryKey.includes(id)

/** Columns that other things of the schema stand on. */
function isReferred(model: Model, table: TableModel, { id }: ColumnModel): boolean {
  return model.tables.some(({ foreignKeys }) =>
    foreignKeys.some((key) => key.parent === table.id && key.parentColumns.includes(id)),
  )
}

const isLinked = (model: Model, table: TableModel, column: ColumnModel) =>
  isReferred(model, table, column) ||
  table.foreignKeys.some(({ columns }) => columns.includes(column.id)) ||
  (table.placement.kind === 'distributed' && table.placement.by === column.id)

function pickColumn(
  chance: Chance,
  table: TableModel,
  fits: (column: ColumnModel) => boolean,
): ColumnModel | null {
  const fitting = table.columns.filter(fits)
  return fitting.length > 0 ? chance.pick(fitting) : null
}

/** Takes a column out of everything in the schema that names it, as whoever edits a schema must. */
export function removeColumn(model: Model, table: TableModel, id: number): void {
  const names = (expression: { columns: number[] } | null) => expression?.columns.includes(id) ?? false
  const gone = new Set([
    id,
    ...table.columns
      .filter(({ generated }) => generated && names(generated.expression))
      .map((column) => column.id),
  ])
  const touches = (columns: readonly number[]) => columns.some((column) => gone.has(column))
  table.columns = table.columns.filter((column) => !gone.has(column.id))
  table.primaryKey = table.primaryKey.filter((column) => !gone.has(column))
  if (table.primaryKey.length === 0) table.autoincrement = false
  table.uniques = table.uniques.filter(({ columns }) => !touches(columns))
  table.checks = table.checks.filter(({ expression }) => !touches(expression.columns))
  table.indexes = table.indexes.filter(
    ({ parts, where }) =>
      !parts.some((part) => touches(isExpression(part) ? part.columns : [part])) &&
      !(where && touches(where.columns)),
  )
  table.foreignKeys = table.foreignKeys.filter(({ columns }) => !touches(columns))
  for (const other of model.tables) {
    other.foreignKeys = other.foreignKeys.filter(
      (key) => key.parent !== table.id || !touches(key.parentColumns),
    )
  }
  table.searchable = table.searchable.filter((column) => !gone.has(column))
  table.uniqueAcrossShards = table.uniqueAcrossShards.filter((column) => !gone.has(column))
  model.views = model.views.flatMap((view) => {
    if (view.table !== table.id) return [view]
    const columns = view.columns.filter((column) => !gone.has(column))
    if (columns.length === 0) return []
    return [{ ...view, columns, where: view.where && touches(view.where.columns) ? null : view.where }]
  })
}

export const columnSteps: Readonly<Record<string, Step>> = {
  'add column'(chance, model, table) {
    addColumn(chance, model, table)
    return true
  },

  'add column that rows allow'(chance, model, table) {
    const column = addColumn(chance, model, table)
    column.unique = false
    if (column.notNull && column.default === null) column.default = randomDefault(chance, column.kind)
    return true
  },

  'drop column'(chance, model, table) {
    if (table.columns.length < 3) return false
    const column = pickColumn(
      chance,
      table,
      (candidate) => !isLinked(model, table, candidate) && !isKey(table, candidate),
    )
    if (!column) return false
    removeColumn(model, table, column.id)
    return true
  },

  'drop column with its foreign keys'(chance, model, table) {
    if (table.columns.length < 3) return false
    const column = pickColumn(chance, table, (candidate) => isLinked(model, table, candidate))
    if (!column) return false
    removeColumn(model, table, column.id)
    return true
  },

  'rename column'(chance, model, table) {
    const column = pickColumn(chance, table, () => true)
    if (!column) return false
    model.nextId += 1
    column.name = columnName(chance, table, model.nextId)
    return true
  },

  'set not null'(chance, _model, table) {
    const column = pickColumn(chance, table, ({ notNull, generated }) => !notNull && !generated)
    if (!column) return false
    column.notNull = true
    return true
  },

  'drop not null'(chance, _model, table) {
    const column = pickColumn(
      chance,
      table,
      (candidate) =>
        candidate.notNull &&
        !isKey(table, candidate) &&
        !(table.placement.kind === 'distributed' && table.placement.by === candidate.id),
    )
    if (!column) return false
    column.notNull = false
    return true
  },

  'set default'(chance, _model, table) {
    const column = pickColumn(
      chance,
      table,
      (candidate) =>
        !candidate.generated && !isKey(table, candidate) && !table.uniqueAcrossShards.includes(candidate.id),
    )
    if (!column) return false
    column.default = randomDefault(chance, column.kind)
    return true
  },

  'drop default'(chance, _model, table) {
    const column = pickColumn(chance, table, (candidate) => candidate.default !== null)
    if (!column) return false
    column.default = null
    return true
  },

  'change type'(chance, model, table) {
    const column = pickColumn(
      chance,
      table,
      (candidate) =>
        !isLinked(model, table, candidate) &&
        !isKey(table, candidate) &&
        !table.uniqueAcrossShards.includes(candidate.id),
    )
    if (!column) return false
    const kind: ColumnKind = chance.pick(kinds)
    column.kind = kind
    if (column.default) column.default = randomDefault(chance, kind)
    if (kind !== 'text') table.searchable = table.searchable.filter((id) => id !== column.id)
    return true
  },

  'change type of a key'(chance, model, table) {
    if (table.placement.kind === 'distributed') return false
    const column = pickColumn(
      chance,
      table,
      (candidate) => isLinked(model, table, candidate) || isKey(table, candidate),
    )
    if (!column || column.generated) return false
    if (isKey(table, column)) table.autoincrement = false
    column.kind = chance.pick(['integer', 'text', 'numeric', 'real'])
    column.default = null
    table.searchable = table.searchable.filter((id) => id !== column.id)
    return true
  },

  'change the case of a column'(chance, _model, table) {
    const column = pickColumn(chance, table, ({ name }) => name.toLowerCase() !== name.toUpperCase())
    if (!column) return false
    const { name } = column
    column.name = name === name.toLowerCase() ? name.toUpperCase() : name.toLowerCase()
    return true
  },

  'reorder columns'(chance, _model, table) {
    table.columns.push(...table.columns.splice(0, 1 + chance.below(table.columns.length)))
    return table.columns.length > 1
  },

  'drop generated expression'(chance, _model, table) {
    const column = pickColumn(chance, table, ({ generated }) => generated !== null)
    if (!column) return false
    column.generated = null
    return true
  },

  'generate a column that was written'(chance, model, table) {
    const column = pickColumn(
      chance,
      table,
      (candidate) =>
        !candidate.generated &&
        !candidate.notNull &&
        !candidate.default &&
        !isLinked(model, table, candidate) &&
        !isKey(table, candidate) &&
        !table.searchable.includes(candidate.id) &&
        !table.uniqueAcrossShards.includes(candidate.id),
    )
    if (!column) return false
    const expression = generatedExpression(chance, table)
    if (expression.columns.includes(column.id)) return false
    column.generated = { expression, mode: chance.pick(['virtual', 'stored']) }
    return true
  },

  'add virtual column'(chance, model, table) {
    addGenerated(chance, model, table, 'virtual')
    return true
  },

  'add stored column'(chance, model, table) {
    addGenerated(chance, model, table, 'stored')
    return true
  },

  'change generated expression'(chance, _model, table) {
    const column = pickColumn(chance, table, ({ generated }) => generated !== null)
    if (!column?.generated) return false
    column.generated.expression = generatedExpression(chance, table)
    return true
  },

  'change between virtual and stored'(chance, _model, table) {
    const column = pickColumn(chance, table, ({ generated }) => generated !== null)
    if (!column?.generated) return false
    column.generated.mode = column.generated.mode === 'stored' ? 'virtual' : 'stored'
    return true
  },

  'add foreign key with its columns'(chance, model, table) {
    return addForeignKey(chance, model, table)
  },

  'change what an expression reads'(chance, _model, table) {
    const expressions = expressionsOf(table)
    if (expressions.length === 0) return false
    const expression = chance.pick(expressions)
    const plain = table.columns.filter(({ generated }) => !generated)
    expression.columns.splice(0, 1, chance.pick(plain).id)
    return true
  },
}
