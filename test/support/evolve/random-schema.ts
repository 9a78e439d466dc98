/**
 * A random schema to begin with.
 * @module
 */
import type { Chance } from './chance.ts'
import {
  actions,
  type ColumnKind,
  columnOf,
  type ForeignKeyModel,
  type Model,
  type PlacementModel,
  parentKeys,
  type TableModel,
  tableOf,
  type ViewModel,
} from './model.ts'
import {
  checkExpression,
  columnName,
  generatedExpression,
  randomColumn,
  randomIndex,
  tableName,
  takeId,
  whereExpression,
} from './random-parts.ts'

export function randomModel(chance: Chance, databases: number): Model {
  const model: Model = { tables: [], ghosts: [], views: [], triggers: [], nextId: 0 }
  const count = 1 + chance.below(5)
  for (let i = 0; i < count; i++) model.tables.push(randomTable(chance, model, databases))
  for (const table of model.tables) {
    const keys = chance.below(3)
    for (let i = 0; i < keys; i++) addForeignKey(chance, model, table)
  }
  if (chance.maybe(0.5)) model.views.push(randomView(chance, model))
  return model
}

function randomPlacement(chance: Chance, databases: number): PlacementModel {
  const kind = chance.pick(
    databases === 1
      ? ['local', 'local', 'reference', 'undeclared']
      : ['local', 'reference', 'reference', 'undeclared'],
  )
  return { kind: kind as 'local' | 'reference' | 'undeclared' }
}

export function emptyTable(model: Model, name: string, placement: PlacementModel): TableModel {
  return {
    id: takeId(model),
    name,
    columns: [],
    primaryKey: [],
    autoincrement: false,
    uniques: [],
    indexes: [],
    checks: [],
    foreignKeys: [],
    placement,
    searchable: [],
    searchConfig: 'english',
    logValues: false,
    computed: false,
    uniqueAcrossShards: [],
    isLog: false,
  }
}

export function randomTable(chance: Chance, model: Model, databases: number): TableModel {
  const table = emptyTable(model, '', randomPlacement(chance, databases))
  table.name = tableName(chance, model, table.id)
  table.logValues = chance.maybe(0.2)
  table.computed = chance.maybe(0.15)
  addKey(chance, model, table)
  const distributed = databases > 1 && chance.maybe(0.4)
  if (distributed) distribute(chance, model, table)
  const columns = 1 + chance.below(5)
  for (let i = 0; i < columns; i++) addColumn(chance, model, table)
  if (chance.maybe(0.3)) addGenerated(chance, model, table)
  if (chance.maybe(0.3))
    table.checks.push({ name: `check ${takeId(model)}`, expression: checkExpression(chance, table) })
  if (chance.maybe(0.25)) addUnique(chance, model, table)
  const indexes = chance.below(3)
  for (let i = 0; i < indexes; i++) table.indexes.push(randomIndex(chance, table, takeId(model)))
  const searchable = table.columns.filter(({ kind, generated }) => kind === 'text' && !generated)
  if (searchable.length > 0 && table.placement.kind !== 'undeclared' && chance.maybe(0.35)) {
    table.searchable = chance.some(searchable, 1, 2).map(({ id }) => id)
  }
  if (distributed && chance.maybe(0.4)) acrossShards(chance, model, table)
  return table
}

export function addColumn(chance: Chance, model: Model, table: TableModel) {
  const id = takeId(model)
  const column = randomColumn(chance, id, columnName(chance, table, id))
  table.columns.push(column)
  return column
}

function plainColumn(
  model: Model,
  table: TableModel,
  name: string,
  kind: ColumnKind,
  notNull: boolean,
): number {
  const id = takeId(model)
  table.columns.push({ id, name, kind, notNull, default: null, generated: null, unique: false })
  return id
}

function addKey(chance: Chance, model: Model, table: TableModel): void {
  const kind = chance.pick(['integer', 'integer', 'autoincrement', 'text', 'composite', 'unique'])
  const key = (type: ColumnKind, notNull: boolean) => {
    const name = columnName(chance, table, model.nextId + 1)
    return plainColumn(model, table, name, type, notNull)
  }
  if (kind === 'unique' && table.placement.kind !== 'reference') {
    const id = key(chance.pick(['integer', 'text']), chance.maybe(0.7))
    table.uniques.push({ name: `only_${takeId(model)}`, columns: [id] })
  } else if (kind === 'composite') {
    const types: ColumnKind[] = ['integer', 'text']
    table.primaryKey = [key(chance.pick(types), true), key(chance.pick(types), true)]
  } else {
    table.primaryKey = [key(kind === 'text' ? 'text' : 'integer', true)]
    table.autoincrement = kind === 'autoincrement'
  }
}

/** Makes a table distributed: by its own key, or by the key of one that is. */
function distribute(chance: Chance, model: Model, table: TableModel): void {
  const roots = model.tables.filter(
    ({ placement, primaryKey }) =>
      placement.kind === 'distributed' && primaryKey.length === 1 && primaryKey[0] === placement.by,
  )
  if (roots.length === 0 || chance.maybe(0.2)) {
    if (table.primaryKey.length !== 1) return
    table.placement = { kind: 'distributed', by: table.primaryKey[0] as number }
    return
  }
  const root = chance.pick(roots)
  const [rootKey] = root.primaryKey as [number]
  const by = plainColumn(model, table, `by_${takeId(model)}`, columnOf(root, rootKey).kind, true)
  table.placement = { kind: 'distributed', by }
  table.foreignKeys.push({
    ...randomActions(chance),
    columns: [by],
    parent: root.id,
    parentColumns: [rootKey],
    name: null,
  })
  table.indexes.push({ name: `by_${takeId(model)}`, unique: false, parts: [by], where: null })
}

function acrossShards(chance: Chance, model: Model, table: TableModel): void {
  const id = plainColumn(model, table, `code_${takeId(model)}`, chance.pick(['integer', 'text']), false)
  columnOf(table, id).unique = true
  table.uniqueAcrossShards = [id]
}

export function addGenerated(
  chance: Chance,
  model: Model,
  table: TableModel,
  mode?: 'virtual' | 'stored',
): void {
  const id = takeId(model)
  const expression = generatedExpression(chance, table)
  table.columns.push({
    id,
    name: columnName(chance, table, id),
    kind: chance.pick(['text', 'integer', 'numeric', 'real']),
    notNull: false,
    default: null,
    generated: { expression, mode: mode ?? chance.pick(['virtual', 'stored']) },
    unique: false,
  })
}

export function addUnique(chance: Chance, model: Model, table: TableModel): void {
  const columns = chance.some(
    table.columns.filter(({ generated }) => !generated),
    1,
    2,
  )
  table.uniques.push({ name: `u ${takeId(model)}`, columns: columns.map(({ id }) => id) })
}

const randomActions = (chance: Chance): Pick<ForeignKeyModel, 'onDelete' | 'onUpdate'> => ({
  onDelete: chance.maybe(0.3) ? null : chance.pick(actions),
  onUpdate: chance.maybe(0.5) ? null : chance.pick(actions),
})

/** Whether rows of one table can refer to another's in every database. */
function canRefer(child: TableModel, parent: TableModel): boolean {
  const shared = (table: TableModel) =>
    table.placement.kind === 'local' || table.placement.kind === 'undeclared'
  if (parent.placement.kind === 'reference') return true
  return shared(child) && shared(parent)
}

/** Gives a table columns that refer to another, or to itself. */
export function addForeignKey(chance: Chance, model: Model, child: TableModel): boolean {
  const parents = model.tables.filter(
    (parent) => canRefer(child, parent) && parentKeys(parent).length > 0 && !parent.isLog,
  )
  if (parents.length === 0) return false
  const parent = chance.pick(parents)
  const key = chance.pick(parentKeys(parent))
  if (key.some((id) => columnOf(parent, id).generated)) return false
  const notNull = parent.id !== child.id && chance.maybe(0.3)
  const columns = key.map((id) => {
    const number = takeId(model)
    return plainColumn(model, child, columnName(chance, child, number), columnOf(parent, id).kind, notNull)
  })
  child.foreignKeys.push({
    ...randomActions(chance),
    columns,
    parent: parent.id,
    parentColumns: [...key],
    name: chance.maybe(0.2) ? `fk ${takeId(model)}` : null,
  })
  return true
}

export function randomView(chance: Chance, model: Model): ViewModel {
  const table = tableOf(model, chance.pick(model.tables).id)
  const id = takeId(model)
  return {
    id,
    name: chance.maybe(0.3) ? `vi ew ${id}` : `view_${id}`,
    kind: chance.pick(['builder', 'sql']),
    table: table.id,
    columns: chance.some(table.columns, 1, 4).map((column) => column.id),
    where: chance.maybe(0.3) ? whereExpression(chance, table) : null,
  }
}
