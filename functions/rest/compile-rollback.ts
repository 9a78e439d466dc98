/**
 * `Prefer: tx=rollback`: a write that is done, shown and undone. D1 gives no results of a transaction that fails, so
 * the results leave as the failure's own message: triggers, made for this transaction only, note each row that is
 * written; then a guard row aborts everything, triggers included, with the notes as the reason.
 * @module
 */

import { rollbackPrefix } from '../../db/cluster/constraint-error.ts'
import { ResourceCompiler } from './compile-resource.ts'
import type { CompiledWrite } from './compile-write.ts'
import type { WritePlan } from './plan.ts'
import { LiteralList, quoteName, type Statement, writeStatement } from './sql.ts'

export interface CompiledRollback {
  /** Run before the write. */
  readonly before: readonly Statement[]
  /** Aborts the transaction; its reason begins with `rollbackPrefix` and goes on with JSON. */
  readonly after: Statement
}

/** What the reason says, as JSON. */
export interface RollbackNotes {
  readonly rows: readonly (string | null)[]
  readonly existing: number
}

/** Compiled for each request: triggers take no parameters, so operands are written into their text. */
export function compileRollback(
  plan: WritePlan,
  compiled: CompiledWrite,
  operands: readonly string[],
): CompiledRollback {
  const { existing, doomed } = compiled
  const note = (statement: Statement, column: string, kind: string): Statement => ({
    ...statement,
    text: `INSERT INTO _atoll_dry_run (kind, text) SELECT '${kind}', ${column} FROM (${statement.text})`,
  })
  return {
    before: [
      ...(existing ? [note(existing, 'n', 'existing')] : []),
      ...(doomed ? [note(doomed, 'r', 'row')] : []),
      ...(doomed ? [] : triggersFor(plan, operands)),
    ],
    after: plainStatement(
      `INSERT INTO _atoll_guard SELECT '${rollbackPrefix}'||json_object(` +
        `'rows',(SELECT json_group_array(text ORDER BY sequence) FROM _atoll_dry_run WHERE kind = 'row'),` +
        `'existing',(SELECT ifnull(sum(text),0) FROM _atoll_dry_run WHERE kind = 'existing'))`,
    ),
  }
}

function triggersFor(plan: WritePlan, operands: readonly string[]): Statement[] {
  const events = {
    insert: ['INSERT', 'UPDATE'],
    upsert: ['INSERT', 'UPDATE'],
    update: ['UPDATE'],
    delete: ['DELETE'],
  }
  return events[plan.action].map((event) => {
    const alias = event === 'DELETE' ? 'OLD' : 'NEW'
    return plainStatement(
      `CREATE TRIGGER _atoll_dry_${event.toLowerCase()} AFTER ${event} ON ${quoteName(plan.root.table.name)} BEGIN ` +
        `INSERT INTO _atoll_dry_run (kind, text) VALUES ('row', ${rowText(plan, alias, operands)}); END`,
    )
  })
}

function rowText(plan: WritePlan, alias: 'NEW' | 'OLD', operands: readonly string[]): string {
  if (plan.preferences.return !== 'representation') return 'NULL'
  const compiler = new ResourceCompiler(
    new LiteralList(operands),
    plan.root,
    { media: plan.media, maxRows: null },
    alias,
  )
  return compiler.returned()
}

function plainStatement(text: string): Statement {
  return writeStatement(() => text)
}
