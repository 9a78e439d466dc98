/**
 * Steps that change keys, constraints, indexes, tables and views.
 * @module
 */
import type { Step } from './column-steps.ts'
import { actions, columnOf, type Model, parentKeys, type TableModel } from './model.ts'
import { checkExpression, randomIndex, tableName, takeId, whereExpression } from './random-parts.ts'
import { addForeignKey, addUnique, randomTable, randomView } from './random-schema.ts'

/** Takes a table out of everything in the schema that names it. */
function removeTable(model: Model, table: TableModel): void {
  model.tables = model.tables.filter(({ id }) => id !== table.id)
  model.views = model.views.filter((view) => view.table !== table.id)
  model.triggers = model.triggers.filter((trigger) => trigger.table !== table.id)
  for (const other of model.tables) {
    other.foreignKeys = other.foreignKeys.filter(({ parent }) => parent !== table.id)
  }
}

const isParent = (model: Model, table: TableModel) =>
  model.tables.some(
    ({ id, foreignKeys }) => id !== table.id && foreignKeys.some(({ parent }) => parent === table.id),
  )

const isDistributed = ({ placement }: TableModel) => placement.kind === 'distributed'

export const tableSteps = (databases: number): Readonly<Record<string, Step>> => ({
  'add check'(chance, model, table) {
    table.checks.push({
      name: `check ${takeId(model)}`,
      expression: checkExpression(chance, table, chance.maybe(0.4)),
    })
    return true
  },

  'change check'(chance, _model, table) {
    if (table.checks.length === 0) return false
    chance.pick(table.checks).expression = checkExpression(chance, table)
    return true
  },

  'drop check'(chance, _model, table) {
    if (table.checks.length === 0) return false
    table.checks.splice(chance.below(table.checks.length), 1)
    return true
  },

  'rename constraints'(chance, model, table) {
    for (const check of table.checks) check.name = `check ${takeId(model)}`
    for (const unique of table.uniques) unique.name = `u_${takeId(model)}`
    for (const index of table.indexes) if (chance.maybe(0.5)) index.name = `ix ${takeId(model)}`
    for (const key of table.foreignKeys) if (chance.maybe(0.3)) key.name = `fk_${takeId(model)}`
    return true
  },

  'change primary key'(chance, model, table) {
    if (
      isDistributed(table) ||
      isParent(model, table) ||
      table.foreignKeys.some(({ parent }) => parent === table.id)
    )
      return false
    const able = table.columns.filter(
      ({ generated, kind, default: value }) => !generated && kind !== 'blob' && value === null,
    )
    if (able.length === 0) return false
    table.autoincrement = false
    table.primaryKey = chance.some(able, table.placement.kind === 'reference' ? 1 : 0, 2).map(({ id }) => id)
    if (table.primaryKey.length === 1) columnOf(table, table.primaryKey[0] as number).notNull = true
    return true
  },

  'change autoincrement'(_chance, _model, table) {
    const [key] = table.primaryKey
    if (key === undefined || table.primaryKey.length > 1) return false
    if (columnOf(table, key).kind !== 'integer') return false
    table.autoincrement = !table.autoincrement
    return true
  },

  'add unique column'(chance, _model, table) {
    const able = table.columns.filter(({ unique, generated }) => !unique && !generated)
    if (able.length === 0) return false
    chance.pick(able).unique = true
    return true
  },

  'add unique constraint'(chance, model, table) {
    addUnique(chance, model, table)
    return true
  },

  'drop unique'(chance, _model, table) {
    const columns = table.columns.filter(({ unique, id }) => unique && !table.uniqueAcrossShards.includes(id))
    if (columns.length > 0 && (table.uniques.length === 0 || chance.maybe(0.5)))
      chance.pick(columns).unique = false
    else if (table.uniques.length > 0) table.uniques.splice(chance.below(table.uniques.length), 1)
    else return false
    return true
  },

  'add foreign key over rows'(chance, model, table) {
    // Columns that are there become a key to a table whose key is like them.
    const parents = model.tables.filter(
      (parent) =>
        parent.placement.kind === 'reference' ||
        (!isDistributed(parent) && !isDistributed(table) && table.placement.kind !== 'reference'),
    )
    const free = table.columns.filter(
      ({ generated, id }) => !generated && !table.foreignKeys.some(({ columns }) => columns.includes(id)),
    )
    const pairs = parents.flatMap((parent) =>
      parentKeys(parent)
        .filter((key) => key.length === 1)
        .flatMap(([key]) =>
          free
            .filter(({ kind }) => kind === columnOf(parent, key as number).kind)
            .map(({ id }) => ({ parent: parent.id, key: key as number, id })),
        ),
    )
    if (pairs.length === 0) return false
    const { parent, key, id } = chance.pick(pairs)
    table.foreignKeys.push({
      columns: [id],
      parent,
      parentColumns: [key],
      onDelete: chance.pick(actions),
      onUpdate: null,
      name: null,
    })
    return true
  },

  'drop foreign key'(chance, _model, table) {
    if (table.foreignKeys.length === 0) return false
    table.foreignKeys.splice(chance.below(table.foreignKeys.length), 1)
    return true
  },

  'change actions'(chance, _model, table) {
    if (table.foreignKeys.length === 0) return false
    const key = chance.pick(table.foreignKeys)
    key.onDelete = chance.pick(actions)
    if (chance.maybe(0.5)) key.onUpdate = chance.pick(actions)
    return true
  },

  'add self-reference'(chance, model, table) {
    const alone = { ...model, tables: [table] }
    if (isDistributed(table) || !addForeignKey(chance, alone, table)) return false
    model.nextId = alone.nextId
    return true
  },

  'add index'(chance, model, table) {
    table.indexes.push(randomIndex(chance, table, takeId(model)))
    return true
  },

  'change index'(chance, model, table) {
    if (table.indexes.length === 0) return false
    const index = chance.pick(table.indexes)
    const other = randomIndex(chance, table, takeId(model))
    index.parts = other.parts
    index.where = other.where
    index.unique = other.unique
    return true
  },

  'drop index'(chance, _model, table) {
    if (table.indexes.length === 0) return false
    table.indexes.splice(chance.below(table.indexes.length), 1)
    return true
  },

  'add table'(chance, model) {
    if (model.tables.length > 7) return false
    const table = randomTable(chance, model, databases)
    model.tables.push(table)
    if (chance.maybe(0.6)) addForeignKey(chance, model, table)
    return true
  },

  'drop table'(_chance, model, table) {
    if (model.tables.length < 2 || table.isLog) return false
    removeTable(model, table)
    return true
  },

  'drop table that others refer to'(_chance, model, table) {
    if (!isParent(model, table) || table.isLog) return false
    const keys = new Map(model.tables.map(({ id, foreignKeys }) => [id, foreignKeys]))
    removeTable(model, table)
    for (const other of model.tables) other.foreignKeys = keys.get(other.id) ?? []
    model.ghosts.push({ ...table, foreignKeys: [], indexes: [], checks: [] })
    return true
  },

  'rename table'(chance, model, table) {
    model.nextId += 1
    table.name = tableName(chance, model, model.nextId)
    return true
  },

  'change the case of a table'(chance, _model, table) {
    const { name } = table
    if (chance.maybe(0.7)) return false
    table.name = name === name.toLowerCase() ? name.toUpperCase() : name.toLowerCase()
    return table.name !== name
  },

  'serve a table, or stop serving it'(_chance, _model, table) {
    if (table.placement.kind === 'local') table.placement = { kind: 'undeclared' }
    else if (table.placement.kind === 'undeclared') table.placement = { kind: 'local' }
    else return false
    if (table.placement.kind === 'undeclared') table.searchable = []
    return true
  },

  'add view'(chance, model) {
    if (model.views.length > 3) return false
    model.views.push(randomView(chance, model))
    return true
  },

  'change view'(chance, model) {
    if (model.views.length === 0) return false
    const view = chance.pick(model.views)
    const table = model.tables.find(({ id }) => id === view.table) as TableModel
    view.columns = chance.some(table.columns, 1, 4).map(({ id }) => id)
    view.where = chance.maybe(0.5) ? whereExpression(chance, table) : null
    return true
  },

  'rename view'(_chance, model) {
    const [view] = model.views
    if (!view) return false
    view.name = `view_${takeId(model)}`
    return true
  },

  'drop view'(chance, model) {
    if (model.views.length === 0) return false
    model.views.splice(chance.below(model.views.length), 1)
    return true
  },

  'change what is searched'(chance, _model, table) {
    const texts = table.columns.filter(({ kind, generated }) => kind === 'text' && !generated)
    if (texts.length === 0 || table.placement.kind === 'undeclared') return false
    table.searchable = chance.some(texts, 0, 2).map(({ id }) => id)
    table.searchConfig = chance.maybe(0.5) ? 'english' : 'simple'
    // Nothing for drizzle-kit to see: it goes with another change.
    return true
  },

  'change whether values are logged'(_chance, _model, table) {
    table.logValues = !table.logValues
    return true
  },
})
