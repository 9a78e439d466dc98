/**
 * A write with an `Idempotency-Key`: what it answers is noted in its own transaction, as `tx=rollback` does it, and kept in the key's row. The
 * first answer is made of these notes as well as every later one, so that they are the same.
 * @module
 */
import type { Column } from '../../../db/catalog/catalog.ts'
import { quoteName } from '../../../db/sql/quote.ts'
import type { Bindings } from '../plan/bindings.ts'
import type { WritePlan } from '../plan/plan.ts'
import { keyText } from './compile-field.ts'
import { policyTerms } from './compile-policy.ts'
import { chosenRows, dropTriggers, noteResult, plainStatement, triggersFor } from './compile-rollback.ts'
import type { CompiledWrite } from './compile-write.ts'
import { allOf, LiteralList, type Statement } from './sql.ts'

export interface CompiledKeyed {
  /** Comes first. */
  readonly before: readonly Statement[]
  /** For each list of rows: comes before its write. */
  readonly beforeEach: readonly Statement[]
  /** Notes how many rows the statement before has changed. */
  readonly affected: Statement
  /** The write's guards, after that. */
  readonly guards: readonly Statement[]
  readonly after: readonly Statement[]
}

/** Compiled for each request, as `compileRollback` is. */
export function compileKeyed(plan: WritePlan, compiled: CompiledWrite, bindings: Bindings): CompiledKeyed {
  const { existing, forbid, doomed, guards } = compiled
  const noting = doomed === null ? noteOfRows(plan, bindings) : null
  return {
    before: noting ?? [],
    beforeEach: [
      ...(existing ? [noteResult(existing, 'n', 'existing')] : []),
      ...(forbid ? [forbid] : []),
      ...(doomed ? [noteResult(doomed, 'r', 'row')] : []),
      ...(noting === null ? [] : chosenRows(plan)),
    ],
    affected: plainStatement(`INSERT INTO _atoll_undone (kind, text) SELECT 'affected', changes()`),
    // What is noted is a change itself.
    guards: guards.map((guard) => ({ ...guard, text: guard.text.replaceAll('changes()', lastAffected) })),
    after: noting === null ? [] : dropTriggers(plan),
  }
}

const lastAffected = `(SELECT CAST(text AS INTEGER) FROM _atoll_undone WHERE kind = 'affected' ORDER BY sequence DESC LIMIT 1)`

/** Triggers that note what is shown of written rows; null when nothing is. */
function noteOfRows(plan: WritePlan, bindings: Bindings): readonly Statement[] | null {
  if (plan.preferences.return === 'representation') return triggersFor(plan, bindings)
  const { keyShown, root, action } = plan
  if (plan.preferences.return !== 'headers-only' || action !== 'insert' || keyShown === null) return null
  return triggersFor(plan, bindings, (row) => {
    const seen = policyTerms(keyShown, row, quoteName(root.table.name), new LiteralList(bindings))
    const key = root.table.primaryKey.map(
      (name) =>
        `CASE WHEN ${allOf(seen)} THEN ${keyText(root.table.columns.get(name) as Column, `${row}.${quoteName(name)}`)} END`,
    )
    return `'key', json_array(${key.join(', ')}), NULL`
  })
}
