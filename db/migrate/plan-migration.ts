import { quoteName, quoteText } from '../quote.ts'
import { type AttachmentsOf, isAtollTrigger } from './attachments.ts'
import { withColumn, withConstraint, withoutColumns } from './create-table.ts'
import { type Effect, effectOf } from './effect.ts'
import type { Migration } from './migration.ts'
import { MigrationError } from './migration-error.ts'
import { Planner, problemsOfWrites, type Step } from './planner.ts'
import { type Operation, type RebuildOperation, readMigration } from './read-migration.ts'
import { parentsFirst, type Rebuild, rebuildTables } from './rebuild-tables.ts'
import { type ModelTable, readTable, type SchemaModel } from './schema-model.ts'
import { columnText, foreignKeyText, formerColumn, indexNames, type Snapshot, tableIn } from './snapshot.ts'
import { foldName, nameOf, sameName, tokensOf } from './sql-tokens.ts'
import type { StatementOf } from './statement.ts'

/** A migration as it will be carried out on a database. */
export interface PlannedMigration {
  readonly migration: Migration
  /** Run in this order, in one transaction in which foreign keys are checked at the end. */
  readonly steps: readonly Step[]
  /** What it means for those who use the database. */
  readonly effects: readonly Effect[]
  /** Whether rows can make it fail, so that it is to be tried first. */
  readonly canFail: boolean
  /** Tables that it renames. */
  readonly renames: readonly { readonly from: string; readonly to: string }[]
}

export interface PlanOptions {
  /** The snapshot of the migration before. */
  readonly before: Snapshot | null
  readonly attachmentsOf: AttachmentsOf
}

/**
 * Works out how a migration is carried out on a database, and takes the model of it along to what it will be.
 *
 * @throws MigrationError for what cannot be done without loss, or leads to a schema that does not hold
 */
export function planMigration(
  model: SchemaModel,
  migration: Migration,
  { before, attachmentsOf }: PlanOptions,
): PlannedMigration {
  const planner = new Planner(model, migration.name, attachmentsOf)
  const operations = readMigration(migration, before)
  const effects: Effect[] = []
  const known = problemsOf(model)
  const created = new Set<string>()
  for (let i = 0; i < operations.length; ) {
    const operation = operations[i] as Operation
    planner.source = operation.sql
    const group = groupAt(operations, i)
    effects.push(...group.flatMap((one) => effectOf(one, model)))
    if (operation.kind === 'rebuild')
      rebuild(planner, group as RebuildOperation[], operations, migration, before)
    else if (operation.kind === 'drop-column') dropColumns(planner, group as StatementOf<'drop-column'>[])
    else if (operation.kind === 'drop-table') dropTables(planner, group as StatementOf<'drop-table'>[])
    else carryOut(planner, operation, created)
    i += group.length
  }
  planner.source = null
  addStoredColumns(planner, migration.snapshot)
  addForeignKeys(planner, operations, migration.snapshot)
  for (const table of created) if (model.table(table)) planner.detach(table)
  planner.attach()
  for (const [problem, remedy] of problemsOf(model)) {
    if (!known.has(problem)) throw new MigrationError(problem, { migration: migration.name, remedy })
  }
  if (planner.rewritten.size > 0) planner.runOnRows(forgetCached)
  const renames = operations.flatMap((operation) =>
    operation.kind === 'rename-table' ? [{ from: operation.table, to: operation.to }] : [],
  )
  return { migration, steps: planner.steps, effects, canFail: operations.some(canFail), renames }
}

/** To whoever follows the log for the cache: that it does not tell everything up to here. */
const forgetCached = `INSERT INTO _atoll_cursors (consumer, sequence) SELECT 'cache:lost', ifnull(max(sequence), 0) FROM (SELECT max(seq) AS sequence FROM sqlite_sequence WHERE name = '_atoll_changes') WHERE true ON CONFLICT DO UPDATE SET sequence = max(sequence, excluded.sequence)`

/** Operations of one kind that are carried out together. */
function groupAt(operations: readonly Operation[], at: number): Operation[] {
  const first = operations[at] as Operation
  if (!['rebuild', 'drop-column', 'drop-table'].includes(first.kind)) return [first]
  const group = [first]
  for (const next of operations.slice(at + 1)) {
    const isSame =
      next.kind === first.kind &&
      (next.kind !== 'drop-column' || sameName(next.table, (first as typeof next).table))
    if (!isSame) break
    group.push(next)
  }
  return group
}

function carryOut(planner: Planner, operation: Operation, created: Set<string>): void {
  switch (operation.kind) {
    case 'create-table':
      if (/^_atoll_|^_cf_/i.test(operation.table))
        throw planner.error(`${operation.table}: names that begin so are kept for Atoll's own tables`)
      planner.run(operation.sql)
      created.add(foldName(operation.table))
      return
    case 'rename-table':
      planner.detach(operation.table)
      planner.dropSearchOf(operation.table)
      planner.run(operation.sql)
      planner.renamed(operation.table, operation.to)
      for (const sql of renameNotes(operation)) planner.runOnRows(sql)
      return
    case 'rename-column':
      planner.detach(operation.table)
      planner.dropSearchOf(operation.table, operation.column)
      planner.run(operation.sql)
      return
    case 'add-column':
      addColumn(planner, operation)
      return
    case 'create-index':
      planner.run(operation.sql)
      return
    case 'copy':
    case 'data':
      planner.runOnRows(operation.sql)
      return
    case 'other':
      if (/^\s*(?:VACUUM|ATTACH|DETACH|CREATE\s+TEMP)/i.test(operation.sql))
        throw planner.error('D1 does not take this statement', 'Take it out of the migration.')
      planner.run(operation.sql)
      return
    default:
      planner.run(operation.sql)
  }
}

/** Atoll's notes that name a table. */
function renameNotes({ table, to }: StatementOf<'rename-table'>): string[] {
  const [from, name] = [quoteText(table), quoteText(to)]
  return [
    `UPDATE _atoll_changes SET name = ${name} WHERE name = ${from}`,
    `UPDATE _atoll_placements SET name = ${name} WHERE name = ${from}`,
  ]
}

function rebuild(
  planner: Planner,
  group: readonly RebuildOperation[],
  operations: readonly Operation[],
  { snapshot }: Migration,
  before: Snapshot | null,
): void {
  const makes = new Set(
    operations.flatMap((other) => (other.kind === 'create-index' ? [foldName(other.index)] : [])),
  )
  const rebuilds = group.map((operation): Rebuild => {
    planner.source = operation.sql
    const table = planner.model.table(operation.table)
    if (!table) throw planner.error(`there is no table ${operation.table}`)
    const managed = indexNames(before, table.name)
    const kept = indexNames(snapshot, table.name)
    return {
      table: table.name,
      sql: operation.create,
      ...filling(operation, table, snapshot),
      uniques: operation.uniques.map(({ sql }) => sql),
      leaves: (index) => {
        const name = foldName(index)
        return makes.has(name) || (managed.has(name) && !kept.has(name))
      },
    }
  })
  rebuildTables(planner, rebuilds)
}

/** What fills the new table. A column that the old one has not is left to its default: SQLite would take its quoted name as text. */
function filling({ copy, create }: RebuildOperation, table: ModelTable, snapshot: Snapshot | null) {
  const isOwn = copy.from !== null && sameName(copy.from, table.name) && copy.values.length > 0
  if (!isOwn) return { columns: copy.columns, values: copy.columns, isPlain: false, query: copy.query }
  const generated = new Set(
    readTable(create)?.columns.flatMap(({ name, generated: how }) => (how === null ? [] : [foldName(name)])),
  )
  const sources = copy.values.map((value) => quotedName(value))
  const isThere = (name: string) => table.columns.some((column) => sameName(column.name, name))
  const pairs = copy.columns
    .map((column, i) => {
      const source = sources[i] ?? null
      // A column that is renamed by a migration that makes its table anew is not renamed before.
      const former = source === null || isThere(source) ? null : formerColumn(snapshot, table.name, source)
      return { column, value: copy.values[i] as string, source: former ?? source }
    })
    .filter(({ column, source }) => !generated.has(foldName(column)) && (source === null || isThere(source)))
  return {
    columns: pairs.map(({ column }) => column),
    values: pairs.map(({ value, source }) => (source === null ? value : quoteName(source))),
    isPlain: pairs.every(({ column, source }) => source !== null && sameName(column, source)),
    query: null,
  }
}

/** The name that an expression is, when it is nothing but one. */
function quotedName(expression: string): string | null {
  const [token, ...others] = tokensOf(expression)
  return others.length === 0 && (token?.kind === 'name' || token?.kind === 'word') ? nameOf(token) : null
}

/** Definitions that ALTER TABLE takes for empty tables only. Source: https://www.sqlite.org/lang_altertable.html#altertabaddcol */
function needsRebuild(definition: string): boolean {
  const hasDefault = /\bDEFAULT\s+(?!NULL\b)/i.test(definition)
  return (
    /\bDEFAULT\s+(?:\(|CURRENT_)/i.test(definition) ||
    (hasDefault && /\bREFERENCES\b/i.test(definition)) ||
    /\b(?:STORED|UNIQUE)\b|\bPRIMARY\s+KEY\b/i.test(definition)
  )
}

function addColumn(planner: Planner, operation: StatementOf<'add-column'>): void {
  const table = planner.model.table(operation.table)
  planner.detach(operation.table)
  if (!table || !needsRebuild(operation.definition)) {
    planner.run(operation.sql)
    return
  }
  remake(planner, table, withColumn(table.sql, operation.definition), table.columns)
}

/** Makes a table anew with the values of these columns. */
function remake(
  planner: Planner,
  table: ModelTable,
  sql: string | null,
  columns: ModelTable['columns'],
): void {
  if (sql === null) throw planner.error(`the definition of ${table.name} cannot be read`)
  const filled = columns.filter(({ generated }) => generated === null).map(({ name }) => name)
  rebuildTables(planner, [
    {
      table: table.name,
      sql,
      columns: filled,
      values: filled.map(quoteName),
      isPlain: true,
      query: null,
      leaves: () => false,
      uniques: [],
    },
  ])
}

function dropColumns(planner: Planner, group: readonly StatementOf<'drop-column'>[]): void {
  const { model } = planner
  const [{ table: name }] = group as [StatementOf<'drop-column'>]
  const names = group.map(({ column }) => column)
  planner.detach(name)
  for (const column of names) planner.dropSearchOf(name, column)
  const table = model.table(name)
  // What other columns are worked out from goes after them.
  const isSource = ({ column }: StatementOf<'drop-column'>) =>
    Number(table?.columns.find((one) => sameName(one.name, column))?.generated === null)
  const ordered = [...group].sort((a, b) => isSource(a) - isSource(b))
  const refusals = ordered.map(({ sql }) => tryDrop(planner, sql))
  const [refusal] = refusals.filter((reason) => reason !== null)
  if (refusal === undefined) return
  if (!table || !/cannot drop|error in table/i.test(refusal)) throw refusedDrop(planner, refusal)
  // ALTER TABLE does not take keys and unique columns away, nor what the table's own constraints name.
  const present = model.table(name) as ModelTable
  const left = present.columns.filter((column) => !names.some((gone) => sameName(gone, column.name)))
  try {
    remake(planner, present, withoutColumns(present.sql, names), left)
  } catch (error) {
    throw refusedDrop(planner, error instanceof MigrationError ? refusal : (error as Error).message)
  }
}

function tryDrop(planner: Planner, sql: string): string | null {
  planner.source = sql
  try {
    planner.run(sql)
    return null
  } catch (error) {
    return ((error as Error).cause as Error | undefined)?.message ?? (error as Error).message
  }
}

function refusedDrop(planner: Planner, reason: string): MigrationError {
  const [, what, name] = /error in (index|view|trigger) (\S+)/i.exec(reason) ?? []
  return planner.error(
    reason,
    what === undefined
      ? 'A key or constraint of the table needs the column: take that out of the schema as well.'
      : `The ${what} ${name} uses the column: drop or change it in the same migration.`,
  )
}

/** Tables go after those that refer to them. */
function dropTables(planner: Planner, group: readonly StatementOf<'drop-table'>[]): void {
  const { model } = planner
  const going = group.flatMap(({ table }) => model.table(table) ?? [])
  const isGoing = (name: string) => going.some((other) => sameName(other.name, name))
  for (const operation of group) {
    planner.source = operation.sql
    if (!model.table(operation.table) && !operation.ifExists)
      throw planner.error(`there is no table ${operation.table}`)
    for (const child of model.tables.values()) {
      const key = child.foreignKeys.find(({ parent }) => sameName(parent, operation.table))
      if (!key || isGoing(child.name)) continue
      throw planner.error(
        `${child.name}.${key.columns.join(', ')} still refers to ${operation.table}`,
        `Take the foreign key of ${child.name} out of the schema in the same migration, or before.`,
      )
    }
  }
  for (const table of parentsFirst(going).reverse()) {
    planner.source = group.find((operation) => sameName(operation.table, table.name))?.sql ?? null
    for (const { columns } of table.foreignKeys.filter(({ parent }) => isGoing(parent)))
      planner.temporaryIndex(table.name, columns)
    planner.dropSearchOf(table.name)
    planner.detach(table.name)
    planner.run(`DROP TABLE ${quoteName(table.name)}`)
    planner.rewritten.add(table.name)
  }
}

/** Stored generated columns that drizzle-kit left out, saying so only while it wrote the migration. */
function addStoredColumns(planner: Planner, snapshot: Snapshot | null): void {
  for (const present of [...planner.model.tables.values()]) {
    for (const column of Object.values(tableIn(snapshot, present.name)?.columns ?? {})) {
      const table = planner.model.table(present.name) as ModelTable
      if (column.generated?.type !== 'stored') continue
      if (table.columns.some(({ name }) => sameName(name, column.name))) continue
      planner.source = `ALTER TABLE ${quoteName(table.name)} ADD COLUMN ${columnText(column)}`
      planner.detach(table.name)
      remake(planner, table, withColumn(table.sql, columnText(column)), table.columns)
    }
  }
  planner.source = null
}

/** Foreign keys of several columns that came with columns that were added. */
function addForeignKeys(planner: Planner, operations: readonly Operation[], snapshot: Snapshot | null): void {
  for (const operation of operations) {
    if (operation.kind !== 'add-column') continue
    const table = planner.model.table(operation.table)
    for (const key of Object.values(tableIn(snapshot, operation.table)?.foreignKeys ?? {})) {
      if (!table || key.columnsFrom.length < 2) continue
      const names = key.columnsFrom.map(foldName)
      if (!names.includes(foldName(operation.column))) continue
      const isThere = planner.model
        .table(operation.table)
        ?.foreignKeys.some(({ columns }) => columns.map(foldName).join() === names.join())
      if (isThere) continue
      planner.source = foreignKeyText(key)
      planner.detach(table.name)
      remake(planner, table, withConstraint(table.sql, foreignKeyText(key)), table.columns)
    }
  }
  planner.source = null
}

function canFail(operation: Operation): boolean {
  switch (operation.kind) {
    case 'create-index':
      return operation.isUnique
    case 'add-column':
      return /\b(?:NOT\s+NULL|CHECK|UNIQUE|REFERENCES|PRIMARY)\b/i.test(operation.definition)
    case 'rebuild':
    case 'copy':
    case 'data':
    case 'other':
      return true
    default:
      return false
  }
}

/** What does not hold in a schema, each with what helps. */
function problemsOf(model: SchemaModel): Map<string, string> {
  const problems = new Map<string, string>()
  const [mismatch] = [model.mismatch()].filter((found) => found !== null)
  if (mismatch !== undefined)
    problems.set(
      mismatch,
      'A foreign key must refer to a primary key or a unique index: change both in one migration.',
    )
  for (const table of model.tables.values()) {
    for (const { parent, columns } of table.foreignKeys) {
      if (!model.table(parent))
        problems.set(
          `${table.name}.${columns.join(', ')} refers to ${parent}, which is not there`,
          'Change the foreign key in the same migration.',
        )
    }
    if (!model.triggersOn(table.name).some(({ name }) => !isAtollTrigger(name))) continue
    for (const problem of problemsOfWrites(model, table))
      problems.set(
        `a trigger of ${table.name} would fail: ${problem}`,
        'Drop the trigger in the same migration, and make it anew.',
      )
  }
  for (const { name } of model.objects('view')) {
    const problem = model.problemOf(`SELECT * FROM ${quoteName(name)}`)
    if (problem !== null)
      problems.set(`the view ${name} would fail: ${problem}`, 'Change the view in the same migration.')
  }
  return problems
}
