/**
 * Index advice: each candidate is tried on a scratch copy of the data, and kept only when the plan uses it and rows read fall.
 * @module
 */

import type { ShapeDelta } from '../../meter/area.ts'
import { type Candidate, candidateSets, covers, nameOf, sqlOf } from './candidates.ts'
import { tablesRead } from './statement-columns.ts'

/** A copy of the data to try things on. */
export interface Scratch {
  /** Rows read by a statement as it is run. */
  measure(text: string, parameters: readonly unknown[]): number
  /** Names of the indexes that a statement's plan uses. */
  indexesUsed(text: string, parameters: readonly unknown[]): readonly string[]
  run(text: string): void
  /** Indexes that are not made by constraints. */
  readonly indexes: readonly ExistingIndex[]
}

export interface ExistingIndex {
  readonly name: string
  readonly table: string
  readonly isUnique: boolean
  readonly columns: readonly string[]
}

export interface Advised {
  readonly candidate: Candidate
  readonly name: string
  readonly sql: string
  /** What it helps, with rows read on the copy. */
  readonly shapes: readonly { readonly shape: ShapeDelta; readonly before: number; readonly after: number }[]
}

export interface Advice {
  readonly indexes: readonly Advised[]
  /** Indexes that no statement used. */
  readonly unused: readonly ExistingIndex[]
  /** Shapes whose statement could not be run on the copy. */
  readonly untried: number
}

/** Fewer rows are read fast enough; more of them for each row that is returned say that most are thrown away. */
const fewRows = 100
/** What an index must leave of the rows read, at most. */
const worthwhile = 0.5
/** Shapes with a smaller share of all rows read are not worth an index. */
const smallShare = 0.01

export function findAdvice(scratch: Scratch, shapes: readonly ShapeDelta[]): Advice {
  const used = new Set<string>()
  const needs: Need[] = []
  let untried = 0
  const allRead = shapes.reduce((sum, { rowsRead }) => sum + rowsRead, 0)
  for (const shape of shapes) {
    const { statement } = shape
    if (statement === null) continue
    try {
      const need = needOf(scratch, shape, statement)
      for (const name of need.used) used.add(name)
      if (need.best && shape.rowsRead >= allRead * smallShare) needs.push(need)
    } catch {
      untried++
    }
  }
  const kept = withoutCovered(needs.flatMap(({ best }) => best ?? []))
  return {
    indexes: confirm(scratch, kept, needs),
    unused: scratch.indexes.filter(({ name, isUnique }) => !isUnique && !used.has(name)),
    untried,
  }
}

interface Need {
  readonly shape: ShapeDelta
  readonly statement: NonNullable<ShapeDelta['statement']>
  readonly used: readonly string[]
  readonly before: number
  readonly best: readonly Candidate[] | null
}

function needOf(scratch: Scratch, shape: ShapeDelta, statement: Need['statement']): Need {
  const { text, parameters } = statement
  const used = scratch.indexesUsed(text, parameters)
  // A statement that writes would change the copy: what it reads to find its rows is what counts.
  const before = scratch.measure(text, parameters)
  const need = { shape, statement, used, before }
  const perRow = shape.rowsRead / Math.max(1, shape.rowsReturned, shape.calls)
  if (before <= fewRows || (shape.rowsRead / shape.calls <= fewRows && perRow <= fewRows))
    return { ...need, best: null }
  let best: readonly Candidate[] | null = null
  let least = before * worthwhile
  for (const set of candidateSets(tablesRead(text))) {
    if (set.some((candidate) => exists(scratch, candidate))) continue
    const after = tried(scratch, set, () => {
      const names = scratch.indexesUsed(text, parameters)
      return set.every((candidate) => names.includes(nameOf(candidate)))
        ? scratch.measure(text, parameters)
        : Number.POSITIVE_INFINITY
    })
    // Later ones have more columns, and must be worth it.
    if (after < (best === null ? least : least * 0.8)) [best, least] = [set, after]
  }
  return { ...need, best }
}

function exists({ indexes }: Scratch, { table, columns }: Candidate): boolean {
  return indexes.some(
    (index) =>
      index.table === table &&
      columns.every(({ column }, i) => index.columns[i] === column) &&
      columns.length <= index.columns.length,
  )
}

/** Work with some indexes, which are gone again afterwards. */
function tried<T>(scratch: Scratch, set: readonly Candidate[], work: () => T): T {
  for (const candidate of set) scratch.run(sqlOf(candidate))
  try {
    return work()
  } finally {
    for (const candidate of set) scratch.run(`DROP INDEX "${nameOf(candidate)}"`)
  }
}

function withoutCovered(candidates: readonly Candidate[]): readonly Candidate[] {
  const unique = [...new Map(candidates.map((candidate) => [nameOf(candidate), candidate])).values()]
  return unique.filter(
    (candidate) => !unique.some((other) => other !== candidate && covers(other, candidate)),
  )
}

/** Tries all of them together: one that nothing uses beside the others is left out, and what each helps is measured again. */
function confirm(scratch: Scratch, kept: readonly Candidate[], needs: readonly Need[]): readonly Advised[] {
  return tried(scratch, kept, () =>
    kept.flatMap((candidate) => {
      const name = nameOf(candidate)
      const shapes = needs.flatMap(({ shape, statement: { text, parameters }, before }) => {
        if (!scratch.indexesUsed(text, parameters).includes(name)) return []
        const after = scratch.measure(text, parameters)
        return after < before * worthwhile ? [{ shape, before, after }] : []
      })
      return shapes.length === 0 ? [] : [{ candidate, name, sql: sqlOf(candidate), shapes }]
    }),
  )
}
