/**
 * What a write runs on one of its databases. Pure: text and parameters.
 * @module
 */

import { noAnswer, readAnswer } from '../../../db/cluster/write-keys.ts'
import type { Part } from '../../../db/slots/parts.ts'
import type { BoundStatement } from '../../../db/sql/statement.ts'
import { byteLength } from '../../core/byte-length.ts'
import { compileKeyed } from '../compile/compile-keyed.ts'
import { compileRollback } from '../compile/compile-rollback.ts'
import { affectedRows } from '../compile/compile-write.ts'
import { guardRows } from '../compile/guard-answer.ts'
import type { Statement } from '../compile/sql.ts'
import { chunksOf, type StoredRow } from '../compile/storage-rows.ts'
import { errors } from '../errors.ts'
import { bind } from './bound-read.ts'
import type { BoundWrite, Keyed } from './bound-write.ts'
import { aroundWrite, partText } from './execute-parts.ts'

/**
 * @param after comes behind the write, and looks at what it has changed
 * @param planned the databases of all parts
 */
export function statementsFor(
  bound: BoundWrite,
  rows: readonly StoredRow[],
  after: readonly Statement[],
  part: Part,
  planned: readonly string[],
): readonly BoundStatement[] {
  const { plan, compiled, payload } = bound
  const chunks = plan.action === 'delete' ? ['[]'] : chunksOf(rows)
  const { existing, forbid, doomed, measured, write, single, returns, guards } = compiled
  if (plan.preferences.tx === 'rollback') {
    const { before, after: undo } = compileRollback(plan, compiled, bound)
    const [chunk = '[]', ...others] = chunks
    if (others.length > 0) throw errors.rollbackTooLarge()
    return [...before, write, ...after, ...guards, undo].map((statement) => bind(statement, bound, chunk))
  }
  // Guards see the last statement only; rows that take several statements are not one row.
  if (chunks.length > 1 && plan.media.kind === 'object') throw errors.notSingular(payload.rows.length)
  if (bound.keyed)
    return keyedStatements({ ...bound, keyed: bound.keyed }, rows, chunks, after, part, planned)
  // A row that tells of itself saves a statement.
  const alone = rows.length === 1 ? single : null
  const statements = chunks.flatMap((chunk) => [
    ...(existing ? [bind(existing, bound, chunk)] : []),
    ...(forbid ? [bind(forbid, bound, chunk)] : []),
    ...(doomed ? [guardRows(bind(doomed, bound), bound.budget.answerBytes)] : []),
    bind(alone ?? write, bound, chunk),
    ...(returns || alone ? [] : [bind(affectedRows, bound)]),
  ])
  const behind = [...after, ...guards].map((guard) => bind(guard, bound))
  if (!measured) return [...statements, ...behind]
  // What an update writes is in the payload; the rest of its rows is as it was.
  const rowsBefore = guardRows(bind(measured, bound), bound.budget.answerBytes, byteLength(chunks[0] ?? ''))
  const measure = { ...rowsBefore, text: `SELECT count(*) AS n FROM (${rowsBefore.text})` }
  return [measure, ...statements, ...behind]
}

/** The same with what its key needs around it. */
function keyedStatements(
  bound: BoundWrite & { readonly keyed: Keyed },
  rows: readonly StoredRow[],
  chunks: readonly string[],
  after: readonly Statement[],
  { database }: Part,
  planned: readonly string[],
): readonly BoundStatement[] {
  const { plan, compiled, keyed } = bound
  if (plan.action === 'update' || plan.action === 'delete') {
    const done = keyed.done.find((one) => one.database === database)
    if (done) return [readAnswer(keyed.key, done.attempt)]
    // Rows that have come since to match are not what was asked for then.
    if (keyed.done.length > 0 && !planned.includes(database)) return [noAnswer]
  }
  const noted = compileKeyed(plan, compiled, bound)
  const around = aroundWrite(keyed, partText(bound, rows, planned))
  const own = chunks.flatMap((chunk, i) =>
    [
      ...noted.beforeEach,
      compiled.write,
      // It looks at what the statement before has changed.
      ...(i === chunks.length - 1 ? after : []),
      noted.affected,
    ].map((statement) => bind(statement, bound, chunk)),
  )
  const plain = (statements: readonly Statement[]) => statements.map((statement) => bind(statement, bound))
  return [
    ...around.before,
    ...plain(noted.before),
    ...own,
    ...plain(noted.guards),
    ...plain(noted.after),
    ...around.after,
  ]
}
