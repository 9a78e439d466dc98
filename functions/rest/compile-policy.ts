/**
 * Policies as SQL: a condition on the rows that a statement reads, and what makes a write of a denied row fail.
 * @module
 */
import type { Column } from '../../db/catalog/catalog.ts'
import { parameterMark, rowMark } from '../../db/catalog/grants.ts'
import { denialPrefix } from '../../db/cluster/constraint-error.ts'
import type { RowPolicy } from '../access/rights.ts'
import type { WritePlan } from './plan.ts'
import { allOf, type Parameters, quoteName, quoteText } from './sql.ts'
import { storedOrDefault } from './stored-value.ts'

const marks = new RegExp(`${parameterMark}(\\d*)${parameterMark}`, 'g')

/**
 * The conditions of a policy on the row that goes by `alias`; none when it is for all rows.
 *
 * @param table SQL name of the table that the row is of
 */
export function policyTerms(
  policy: RowPolicy,
  alias: string,
  table: string,
  parameters: Parameters,
): string[] {
  switch (policy.kind) {
    case 'all':
      return []
    case 'every':
      return policy.policies.flatMap((part) => policyTerms(part, alias, table, parameters))
    case 'condition': {
      const { name } = policy
      const conditionOn = (row: string) =>
        policy.text.replace(marks, (mark, index: string) =>
          mark === rowMark ? row : parameters.add({ kind: 'policy', name, index: Number(index) }),
        )
      // A written row goes by its table's name, which a subquery on the same table would take for its own rows.
      if (!policy.readsOwnTable || alias !== table) return [conditionOn(alias)]
      return [
        `EXISTS (SELECT 1 FROM ${table} AS _p WHERE _p.rowid = ${alias}.rowid AND (${conditionOn('_p')}))`,
      ]
    }
  }
}

/** An expression that fails, and with it the transaction; D1 has no RAISE outside of triggers. */
function fail(reason: string): string {
  return `json_extract('{}',${quoteText(denialPrefix + reason)})`
}

/** True for a row that the policies let through; for all others the statement fails. Null when all may pass. */
export function passOrFail(
  policy: RowPolicy,
  alias: string,
  table: string,
  parameters: Parameters,
): string | null {
  const terms = policyTerms(policy, alias, table, parameters)
  return terms.length === 0 ? null : `CASE WHEN ${allOf(terms)} THEN 1 ELSE ${fail('row')} END`
}

/** What RETURNING must work out of each written row, so that a denied one undoes the write; null when none can be. */
export function writtenChecks(plan: WritePlan, parameters: Parameters): string | null {
  const { alias } = plan.root
  const table = quoteName(plan.root.table.name)
  const terms = policyTerms(plan.check, alias, table, parameters)
  const whens = plan.references.map((reference, i) => {
    const matches = reference.on.map(
      ([here, there]) => `_p.${quoteName(there)} = ${alias}.${quoteName(here)}`,
    )
    const isSet = reference.on.map(([here]) => `${alias}.${quoteName(here)} IS NOT NULL`)
    const parent = quoteName(reference.parent)
    const known = allOf([...matches, ...policyTerms(reference.policy, '_p', parent, parameters)])
    return ` WHEN ${allOf(isSet)} AND NOT EXISTS (SELECT 1 FROM ${parent} AS _p WHERE ${known}) THEN ${fail(`parent/${i}`)}`
  })
  if (terms.length > 0) whens.unshift(` WHEN NOT ifnull(${allOf(terms)},0) THEN ${fail('row')}`)
  return whens.length === 0 ? null : `CASE${whens.join('')} ELSE 1 END`
}

/**
 * Rows of the payload that the check would not let through, were they written: `SELECT 1 …`. The check of the written
 * rows is what protects; this is asked where a row that exists already must not be told from one that is denied.
 */
export function deniedProposals(plan: WritePlan, parameters: Parameters): string | null {
  if (plan.check.kind === 'all') return null
  const set = [...plan.columns, ...plan.filled]
  const rows = parameters.add({ kind: 'rows' })
  const columns = [...plan.root.table.columns.values()]
    .filter((column) => column.expression === null)
    .map((column) => {
      const position = set.indexOf(column)
      const value = position >= 0 ? storedOrDefault(column, 'value', position) : defaultSql(column)
      return `${value} AS ${quoteName(column.name)}`
    })
  const terms = policyTerms(plan.check, '_p', quoteName(plan.root.table.name), parameters)
  return `SELECT 1 FROM (SELECT ${columns.join(', ')} FROM json_each(${rows})) AS _p WHERE NOT ifnull(${allOf(terms)},0)`
}

/** What the database puts into a column that is left out. */
function defaultSql({ default: fallback }: Column): string {
  if (fallback?.kind === 'sql') return `(${fallback.text})`
  if (fallback?.kind !== 'value' || fallback.value === null) return 'NULL'
  const { value } = fallback
  if (typeof value === 'object') return quoteText(JSON.stringify(value))
  return typeof value === 'string' ? quoteText(value) : String(Number(value))
}
