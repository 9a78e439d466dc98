import { quoteText } from '../quote.ts'
import type { AttachmentsOf } from './attachments.ts'
import { carryOutRebuilds } from './carry-out-rebuilds.ts'
import { addColumn, dropColumns, redefined } from './change-columns.ts'
import { dropTables } from './drop-tables.ts'
import { type Effect, effectOf } from './effect.ts'
import { addForeignKeys, addStoredColumns } from './mend-schema.ts'
import type { Migration } from './migration.ts'
import { MigrationError } from './migration-error.ts'
import { Planner, type Step } from './planner.ts'
import { type Operation, type RebuildOperation, readMigration } from './read-migration.ts'
import type { Rename } from './rename.ts'
import type { SchemaModel } from './schema-model.ts'
import { problemsOf } from './schema-problems.ts'
import type { Snapshot } from './snapshot.ts'
import { foldName, sameName } from './sql-tokens.ts'
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
  readonly renames: readonly Rename[]
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
      carryOutRebuilds(planner, group as RebuildOperation[], operations, migration, before)
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
  const { steps, renames } = planner
  return { migration, steps, effects, canFail: operations.some(canFail), renames }
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
      if (redefined(planner, operation)) return
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
