/**
 * What footprints are made by, as it is, or with one rule broken on purpose.
 * @module
 */
import type { FootprintCode } from './footprints.ts'
import { type CodeMutant, loadMutant } from './load-mutant.ts'

const plan = 'functions/rest/plan/footprints.ts'
const compare = 'functions/cache/footprint.ts'

export const footprintMutants: readonly CodeMutant[] = [
  {
    name: 'forget what rows are filtered by',
    file: plan,
    from: 'for (const predicate of where) this.predicate(predicate)\n    for (const { field } of order)',
    to: 'for (const { field } of order)',
  },
  {
    name: 'forget what rows are ordered by',
    file: plan,
    from: "for (const { field } of order) this.#decides('output' in field ? field.output.field : field)",
    to: '',
  },
  {
    name: "forget a policy's columns",
    file: plan,
    from: 'this.policy(policy, table)\n    for (const predicate of where)',
    to: 'for (const predicate of where)',
  },
  {
    name: 'forget what a policy reads beside',
    file: plan,
    from: 'for (const name of [table.name, ...(policy.reads ?? [])])',
    to: 'for (const name of [table.name])',
  },
  {
    name: "forget an embed's rows",
    file: plan,
    from: 'if (name === null) found.marks = null',
    to: 'if (name === null) return',
  },
  {
    name: "forget a spread's rows",
    file: plan,
    from: 'if (isSpread) this.#of(table.name).marks = null',
    to: '',
  },
  {
    name: 'forget what rows are joined by',
    file: plan,
    from: 'this.#column(parent.name, here)\n      this.#column(table.name, there)',
    to: '',
  },
  {
    name: 'forget what rows are grouped by',
    file: plan,
    from: 'if (grouped || item.aggregate) this.#decides(item.field)',
    to: 'if (false) return',
  },
  {
    name: 'forget what is computed from other columns',
    file: plan,
    from: 'if (!into.has(other.name) && named(other.name)) this.#add(table, other, into)',
    to: 'break',
  },
  {
    name: 'forget columns that decide',
    file: compare,
    from: 'if (columns.some((column) => deciding.includes(column))) return true',
    to: '',
  },
  {
    name: 'compare the keys of shown rows the wrong way',
    file: compare,
    from: "if (next === ',' || next === '}') return true",
    to: "if (next === '}') return true",
  },
  {
    name: 'take an insert for an update',
    file: 'functions/cache/change-window.ts',
    from: 'if (columns === null) return null',
    to: 'if (columns === null) continue',
  },
]

/** Loads the code with a rule broken; as it is for null. */
export function loadFootprints(mutant: CodeMutant | null): Promise<FootprintCode> {
  return loadMutant(
    `export { footprintsOf } from './functions/rest/plan/footprints.ts'
export { isTouched } from './functions/cache/footprint.ts'
export { stepOf } from './functions/cache/change-window.ts'`,
    /(?:functions\/cache\/|functions\/rest\/plan\/footprints).*\.ts$/,
    mutant,
  )
}
