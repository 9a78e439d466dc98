import { MigrationError } from '../errors/migration-error.ts'
import { quoteName, quoteText } from '../sql/quote.ts'
import { foldName, sameName } from '../sql/sql-tokens.ts'
import type { AttachmentsOf } from './attachments.ts'
import { carryOutRebuilds, carryOutSwap } from './carry-out-rebuilds.ts'
import { addColumn, checkThere, dropColumns, redefine } from './change-columns.ts'
import { checkRows, type PlaceRows, runOnRows } from './change-rows.ts'
import { TableDrops } from './drop-tables.ts'
import { type Effect, effectOf } from './effect.ts'
import { addForeignKeys, mendStoredColumns } from './mend-schema.ts'
import type { Migration } from './migration.ts'
import { isAboutRows, isMerelyCopied, type Operation, type RebuildOperation } from './operation.ts'
import { Planner, type Step } from './planner.ts'
import { readMigration } from './read-migration.ts'
import type { Rename } from './rename.ts'
import { maxColumns, type SchemaModel } from './schema-model.ts'
import { problemsOf } from './schema-problems.ts'
import type { Snapshot } from './snapshot.ts'
import type { StatementOf } from './statement.ts'

/** A migration as it will be carried out on a database. */
export interface PlannedMigration {
  readonly migration: Migration
  /** Run in this order, in one transaction in which foreign keys are checked at the end. */
  readonly steps: readonly Step[]
  /** What it means for those who use the database. */
  readonly effects: readonly Effect[]
  readonly renames: readonly Rename[]
  /** Tables whose rows its statements write. */
  readonly writes: readonly string[]
}

export interface PlanOptions {
  /** The snapshot of the migration before. */
  readonly before: Snapshot | null
  readonly attachmentsOf: AttachmentsOf
  /** Whether rows may be put into a table by this statement, on this database; see `PlaceRows`. @throws for what cannot be */
  readonly placeRows?: PlaceRows
}

/**
 * Works out how a migration is carried out on a database, and takes the model of it along to what it will be.
 *
 * @throws MigrationError for what cannot be done without loss, or leads to a schema that does not hold
 */
export function planMigration(
  model: SchemaModel,
  migration: Migration,
  { before, attachmentsOf, placeRows = () => true }: PlanOptions,
): PlannedMigration {
  const planner = new Planner(model, migration.name, attachmentsOf)
  const operations = readMigration(migration, before)
  const drops = new TableDrops(planner)
  const effects: Effect[] = []
  const known = problemsOf(model)
  const created = new Set<string>()
  let later: readonly Operation[] = operations
  while (later.length > 0) {
    const group = groupOf(later)
    const [operation] = group as [Operation]
    later = later.slice(group.length)
    planner.source = operation.sql
    for (const one of group) checkNames(planner, one)
    effects.push(...group.flatMap((one) => effectOf(one, model)))
    const context = { migration, before, later }
    if (operation.kind === 'rebuild') carryOutRebuilds(planner, group as RebuildOperation[], context)
    else if (operation.kind === 'swap') carryOutSwap(planner, operation, context)
    else if (operation.kind === 'drop-column') {
      const columns = group as StatementOf<'drop-column'>[]
      checkThere(planner, columns)
      later = withoutBlockers(planner, operation, later, () => dropColumns(planner, columns))
    } else if (operation.kind === 'drop-table') drops.drop(operation)
    else if (isAboutRows(operation)) {
      drops.finish()
      // What writes rows is told like any write.
      for (const table of created) if (model.table(table)) planner.detach(table)
      planner.attach()
      // Rows of a table that is exchanged afterwards are not meant to take others along.
      const isLeft = later.some(
        (other) => other.kind === 'swap' && 'table' in operation && sameName(other.table, operation.table),
      )
      runOnRows(planner, created, isLeft ? { ...operation, withoutKeys: true } : operation, placeRows)
    } else later = withoutBlockers(planner, operation, later, () => carryOut(planner, operation, created))
    drops.settle()
  }
  planner.source = null
  drops.finish()
  mendStoredColumns(planner, migration.snapshot)
  addForeignKeys(planner, operations, migration.snapshot)
  for (const table of created) if (model.table(table)) planner.detach(table)
  planner.attach()
  for (const [problem, remedy] of problemsOf(model)) {
    if (!known.has(problem)) throw new MigrationError(problem, { migration: migration.name, remedy })
  }
  checkRows(planner, operations)
  if (planner.rewritten.size > 0) planner.runOnRows(forgetCached)
  const { steps, renames } = planner
  return { migration, steps, effects, renames, writes: [...planner.writes] }
}

/** To whoever follows the log for the cache: that it does not tell everything up to here. */
const forgetCached = `INSERT INTO _atoll_cursors (consumer, sequence) SELECT 'cache:lost', ifnull(max(sequence), 0) FROM (SELECT max(seq) AS sequence FROM sqlite_sequence WHERE name = '_atoll_changes') WHERE true ON CONFLICT DO UPDATE SET sequence = max(sequence, excluded.sequence)`

/** The first operations, as far as they are of one kind that is carried out together. */
function groupOf(operations: readonly Operation[]): Operation[] {
  const [first, ...others] = operations as [Operation, ...Operation[]]
  if (first.kind !== 'rebuild' && first.kind !== 'drop-column') return [first]
  const group = [first]
  for (const next of others) {
    const isOfTable = group.some(
      (one) => 'table' in one && 'table' in next && sameName(next.table, one.table),
    )
    const isSame =
      next.kind === 'rebuild' ? first.kind === 'rebuild' && !isOfTable && isMerelyCopied(next) : isOfTable
    if (next.kind !== first.kind || !isSame) break
    group.push(next)
  }
  return group
}

/**
 * SQLite looks at all views when a name changes. One that the migration drops later is dropped before, when it is in the way.
 *
 * @returns what is still to come
 */
function withoutBlockers(
  planner: Planner,
  operation: Operation,
  later: readonly Operation[],
  work: () => void,
): readonly Operation[] {
  try {
    work()
    return later
  } catch (error) {
    const [, view] = /error in view (.+?)(?::| after)/.exec((error as Error).message) ?? []
    const drop = later.find((other) => other.kind === 'drop-view' && sameName(other.view, view ?? ''))
    if (!drop || operation.kind === 'create-view') throw error
    const triggers = planner.model.triggersOn(view ?? '').map(({ name }) => foldName(name))
    planner.run(drop.sql)
    const isGone = (other: Operation) =>
      other === drop || (other.kind === 'drop-trigger' && triggers.includes(foldName(other.trigger)))
    planner.source = operation.sql
    return withoutBlockers(
      planner,
      operation,
      later.filter((other) => !isGone(other)),
      work,
    )
  }
}

function carryOut(planner: Planner, operation: Operation, created: Set<string>): void {
  switch (operation.kind) {
    case 'create-table':
      planner.run(operation.sql)
      checkColumns(planner, operation.table)
      created.add(foldName(operation.table))
      return
    case 'rename-table':
      planner.detach(operation.table)
      planner.dropSearchOf(operation.table)
      for (const sql of renames(operation)) planner.run(sql)
      planner.renamed(operation.table, operation.to)
      planner.renames.push({ kind: 'table', from: operation.table, to: operation.to })
      for (const sql of renameNotes(operation)) planner.runOnRows(sql)
      return
    case 'rename-column':
      planner.detach(operation.table)
      planner.dropSearchOf(operation.table, operation.column)
      planner.run(operation.sql)
      planner.renames.push({
        kind: 'column',
        table: operation.table,
        from: operation.column,
        to: operation.to,
      })
      return
    case 'add-column':
      if (operation.redefines) redefine(planner, operation)
      else addColumn(planner, operation)
      checkColumns(planner, operation.table)
      return
    case 'refused':
      throw planner.error(operation.reason, operation.remedy)
    default:
      planner.run(operation.sql)
  }
}

/** Atoll's own tables, triggers and notes are nobody else's to change. */
function checkNames(planner: Planner, operation: Operation): void {
  const names = (['table', 'to', 'index', 'view', 'trigger'] as const).flatMap((key) =>
    key in operation ? [(operation as unknown as Record<string, string>)[key] as string] : [],
  )
  const own = names.find((name) => /^(?:_atoll_|_cf_|d1_migrations$)/i.test(name))
  if (own !== undefined)
    throw planner.error(
      `${own}: names like this one are of Atoll's own tables, and of D1's`,
      'Choose another name.',
    )
}

function checkColumns(planner: Planner, name: string): void {
  const columns = planner.model.table(name)?.columns.length ?? 0
  if (columns > maxColumns)
    throw planner.error(
      `${name} would have ${columns} columns, and D1 takes ${maxColumns}`,
      'Divide the table.',
    )
}

/** SQLite takes a name in other letters for the same one, which is taken. */
function renames({ table, to, sql }: StatementOf<'rename-table'>): string[] {
  if (!sameName(table, to)) return [sql]
  const between = quoteName(`_atoll_renamed_${to}`)
  return [
    `ALTER TABLE ${quoteName(table)} RENAME TO ${between}`,
    `ALTER TABLE ${between} RENAME TO ${quoteName(to)}`,
  ]
}

/** Atoll's notes that name a table. */
function renameNotes({ table, to }: StatementOf<'rename-table'>): string[] {
  const [from, name] = [quoteText(table), quoteText(to)]
  return [
    `UPDATE _atoll_changes SET name = ${name} WHERE name = ${from}`,
    `UPDATE _atoll_placements SET name = ${name} WHERE name = ${from}`,
  ]
}
