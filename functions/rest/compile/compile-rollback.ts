/**
 * `Prefer: tx=rollback`: a write that is done, shown and undone. D1 gives no results of a transaction that fails, so
 * the results leave as the failure's own message: triggers, made for this transaction only, note each row that is
 * written; then a guard row aborts everything, triggers included, with the notes as the reason.
 * @module
 */

import { notedRows, notedSum } from '../../../db/cluster/noted-rows.ts'
import { rollbackPrefix } from '../../../db/errors/constraint-error.ts'
import { quoteName } from '../../../db/sql/quote.ts'
import type { Bindings } from '../plan/bindings.ts'
import type { WritePlan } from '../plan/plan.ts'
import { policyTerms } from './compile-policy.ts'
import { ResourceCompiler } from './compile-resource.ts'
import { type CompiledWrite, existsAlready } from './compile-write.ts'
import { allOf, LiteralList, type Statement, writeStatement } from './sql.ts'

export interface CompiledRollback {
  /** Run before the write. */
  readonly before: readonly Statement[]
  /** Aborts the transaction; its reason begins with `rollbackPrefix` and goes on with JSON. */
  readonly after: Statement
}

/** A written row's text, null when it is not shown, and what it is sorted by, null when it is sorted. */
export interface NotedRow {
  readonly text: string | null
  readonly keys: readonly unknown[] | null
}

/** What the reason says, as JSON. */
export interface RollbackNotes {
  readonly rows: readonly NotedRow[]
  readonly existing: number
}

/** Compiled for each request: triggers take no parameters, so operands are written into their text. */
export function compileRollback(
  plan: WritePlan,
  compiled: CompiledWrite,
  bindings: Bindings,
): CompiledRollback {
  const { existing, forbid, doomed } = compiled
  return {
    before: [
      ...(existing ? [noteResult(existing, 'n', 'existing')] : []),
      ...(forbid ? [forbid] : []),
      ...(doomed ? [noteResult(doomed, 'r', 'row')] : [...chosenRows(plan), ...triggersFor(plan, bindings)]),
    ],
    after: plainStatement(
      `INSERT INTO _atoll_guard SELECT '${rollbackPrefix}'||json_object('rows', ${notedRows}, 'existing', ${notedSum('existing')})`,
    ),
  }
}

/** Notes a column of what a query answers. */
export function noteResult(statement: Statement, column: string, kind: string): Statement {
  return {
    ...statement,
    text: `INSERT INTO _atoll_undone (kind, text) SELECT '${kind}', ${column} FROM (${statement.text})`,
  }
}

/**
 * Notes which rows the write is about, before it is made: triggers also see the rows that foreign keys and the app's own
 * triggers change along with them, which are not the answer's.
 */
export function chosenRows(plan: WritePlan): Statement[] {
  const table = quoteName(plan.root.table.name)
  const noted = (where: string) =>
    `INSERT INTO _atoll_undone (kind, text) SELECT 'chosen', ${table}.rowid FROM ${table}${where}`
  if (plan.action === 'update' || plan.action === 'delete') {
    const options = { media: plan.media, maxRows: null }
    return [
      writeStatement((parameters) => noted(new ResourceCompiler(parameters, plan.root, options).chosen())),
    ]
  }
  if (plan.conflict?.resolution !== 'merge') return []
  return [writeStatement((parameters) => noted(` WHERE ${existsAlready(plan, parameters) ?? '0'}`))]
}

export function triggersFor(
  plan: WritePlan,
  bindings: Bindings,
  noted: (row: 'NEW' | 'OLD') => string = (row) => `'row', ${noteOf(plan, row, bindings)}`,
): Statement[] {
  return eventsOf(plan).map((event) => {
    const alias = event === 'DELETE' ? 'OLD' : 'NEW'
    const isChosen = `kind = 'chosen' AND text = CAST(OLD.rowid AS TEXT)`
    const table = quoteName(plan.root.table.name)
    const literals = new LiteralList(bindings)
    const checks = [plan.check, plan.shown].flatMap((policy) => policyTerms(policy, 'NEW', table, literals))
    // A chosen row is noted once; a new row, when it is one that the write could have made.
    const when = event === 'INSERT' ? allOf(checks) : `EXISTS (SELECT 1 FROM _atoll_undone WHERE ${isChosen})`
    const once = event === 'INSERT' ? '' : `DELETE FROM _atoll_undone WHERE ${isChosen}; `
    return plainStatement(
      `CREATE TRIGGER ${triggerOf(event)} AFTER ${event} ON ${table} WHEN ${when} BEGIN ` +
        `${once}INSERT INTO _atoll_undone (kind, text, keys) VALUES (${noted(alias)}); END`,
    )
  })
}

/** Takes the triggers away again, where the transaction does not. */
export function dropTriggers(plan: WritePlan): Statement[] {
  return eventsOf(plan).map((event) => plainStatement(`DROP TRIGGER ${triggerOf(event)}`))
}

function eventsOf({ action }: WritePlan): readonly string[] {
  const events = {
    insert: ['INSERT', 'UPDATE'],
    upsert: ['INSERT', 'UPDATE'],
    update: ['UPDATE'],
    delete: ['DELETE'],
  }
  return events[action]
}

const triggerOf = (event: string) => `_atoll_undone_${event.toLowerCase()}`

/** The row's text and what it is sorted by. */
export function noteOf(plan: WritePlan, alias: 'NEW' | 'OLD', bindings: Bindings): string {
  if (plan.preferences.return !== 'representation') return 'NULL, NULL'
  const options = { media: plan.media, maxRows: null }
  const compiler = new ResourceCompiler(new LiteralList(bindings), plan.root, options, alias)
  return `${compiler.returned()}, json_array(${compiler.sortKeys().join(', ')})`
}

export function plainStatement(text: string): Statement {
  return writeStatement(() => text)
}
