/**
 * Asks which rows of a write the policies deny, before anything is reserved for them. What protects is in the write's own transaction, as ever:
 * this keeps those who may not write from holding up those who may.
 * @module
 */

import type { ClusterSession } from '../../../db/cluster/session.ts'
import { violationIn } from '../../../db/errors/constraint-error.ts'
import type { Outcome, Part, Site } from '../../../db/slots/parts.ts'
import { chunksOf, type StoredRow } from '../compile/storage-rows.ts'
import { bind } from './bound-read.ts'
import type { BoundWrite } from './bound-write.ts'

/**
 * @param rowsOf the new rows of a part
 * @returns the parts that would be refused, as they will be
 */
export async function deniedParts(
  bound: BoundWrite,
  site: Site,
  session: ClusterSession,
  rowsOf: (part: Part) => readonly StoredRow[],
): Promise<readonly Outcome[]> {
  const { proposed } = bound.compiled
  if (proposed === null) return []
  const outcomes = await session.run(site, (part) =>
    chunksOf(rowsOf(part)).map((chunk) => bind(proposed, bound, chunk)),
  )
  return outcomes.flatMap((outcome): Outcome[] => {
    // What does not answer now is told by the write itself.
    if ('error' in outcome) return []
    const reason = outcome.results.flat()[0]?.reason as string | undefined
    const error = reason === undefined ? null : violationIn(reason)
    return error === null ? [] : [{ part: outcome.part, error }]
  })
}
