/**
 * Policies as SQL: a condition on the rows that a statement reads, and what makes a write of a denied row fail.
 * @module
 */
import { type Column, storedColumns } from '../../../db/catalog/catalog.ts'
import { parameterMark, rowMark } from '../../../db/catalog/grants.ts'
import { denialPrefix } from '../../../db/errors/constraint-error.ts'
import { quoteName, quoteText } from '../../../db/sql/quote.ts'
import type { RowPolicy } from '../../access/area.ts'
import type { ReferencePlan, WritePlan } from '../plan/plan.ts'
import { allOf, type Parameters } from './sql.ts'
import { storedOrDefault, updatedValue } from './stored-value.ts'

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
        `EXISTS (SELECT 1 FROM ${table} AS _atoll_p WHERE _atoll_p.rowid = ${alias}.rowid AND (${conditionOn('_atoll_p')}))`,
      ]
    }
  }
}

/** An expression that fails, and with it the transaction; D1 has no RAISE outside of triggers. */
function fail(reason: string): string {
  return `json_extract('{}',${quoteText(denialPrefix + reason)})`
}

/** True for a row of the written table that the policies let through; for all others the statement fails. Null when all may pass. */
export function passOrFail(policy: RowPolicy, table: string, parameters: Parameters): string | null {
  const terms = policyTerms(policy, table, table, parameters)
  return terms.length === 0 ? null : `CASE WHEN ${allOf(terms)} THEN 1 ELSE ${fail('row')} END`
}

/** What RETURNING must work out of each written row, so that a denied one undoes the write; null when none can be. */
export function writtenChecks(plan: WritePlan, parameters: Parameters): string | null {
  const { alias } = plan.root
  const table = quoteName(plan.root.table.name)
  const terms = [plan.check, plan.shown].flatMap((policy) => policyTerms(policy, alias, table, parameters))
  const whens = plan.references.map(
    (reference, i) => ` WHEN ${isDenied(reference, alias, parameters)} THEN ${fail(`parent/${i}`)}`,
  )
  if (terms.length > 0) whens.unshift(` WHEN NOT ifnull(${allOf(terms)},0) THEN ${fail('row')}`)
  return whens.length === 0 ? null : `CASE${whens.join('')} ELSE 1 END`
}

/**
 * Rows that would be denied, were they written: by the check, or by one of the foreign keys. `SELECT 1 …`; null when none
 * can be. What protects is the check of the written rows. This is asked where a row that exists already must not be told
 * from one that is denied.
 *
 * @param chosen FROM and WHERE of the rows that an update changes; null for new rows
 */
export function deniedProposals(
  plan: WritePlan,
  parameters: Parameters,
  by: 'check' | ReferencePlan,
  chosen: string | null = null,
): string | null {
  const table = quoteName(plan.root.table.name)
  if (by === 'check' && plan.check.kind === 'all') return null
  const set = [...plan.columns, ...plan.filled]
  const rows = parameters.add({ kind: 'rows' })
  const columns = storedColumns(plan.root.table).map((column) => {
    const position = set.indexOf(column)
    const name = quoteName(column.name)
    const value =
      position >= 0
        ? chosen === null
          ? storedOrDefault(column, 'value', position)
          : updatedValue(plan, column, `(${rows}->0)`, position)
        : chosen === null
          ? defaultSql(column)
          : `${table}.${name}`
    const typed = withType(value, column)
    // The database numbers it when it is written.
    const numbered =
      column.default?.kind === 'rowid' && chosen === null
        ? `ifnull(${typed},(SELECT ifnull(max(${name}),0)+1 FROM ${table}))`
        : typed
    return `${numbered} AS ${name}`
  })
  const from = chosen ?? ` FROM json_each(${rows})`
  const proposed = `SELECT 1 FROM (SELECT ${columns.join(', ')}${from}) AS _atoll_n WHERE`
  if (by === 'check') {
    return `${proposed} NOT ifnull(${allOf(policyTerms(plan.check, '_atoll_n', table, parameters))},0)`
  }
  return `${proposed} ${isDenied(by, '_atoll_n', parameters)}`
}

/** That a row names a parent which it may not name, or which is not there. */
function isDenied({ parent, on, policy }: ReferencePlan, row: string, parameters: Parameters): string {
  const matches = on.map(([here, there]) => `_atoll_p.${quoteName(there)} = ${row}.${quoteName(here)}`)
  const isSet = on.map(([here]) => `${row}.${quoteName(here)} IS NOT NULL`)
  const known = allOf([...matches, ...policyTerms(policy, '_atoll_p', quoteName(parent), parameters)])
  return `${allOf(isSet)} AND NOT EXISTS (SELECT 1 FROM ${quoteName(parent)} AS _atoll_p WHERE ${known})`
}

/** A value with the affinity that the column will give it: conditions compare by it. */
export function withType(sql: string, column: Column): string {
  switch (column.type) {
    case 'integer':
    case 'boolean':
      return `CAST(${sql} AS INTEGER)`
    case 'real':
      return `CAST(${sql} AS REAL)`
    case 'text':
    case 'json':
      return `CAST(${sql} AS TEXT)`
    case 'blob':
      return sql
    default:
      return `CAST(${sql} AS NUMERIC)`
  }
}

/** What the database puts into a column that is left out. */
function defaultSql({ default: fallback }: Column): string {
  if (fallback?.kind === 'sql') return `(${fallback.text})`
  if (fallback?.kind !== 'value' || fallback.value === null) return 'NULL'
  const { value } = fallback
  if (typeof value === 'object') return quoteText(JSON.stringify(value))
  return typeof value === 'string' ? quoteText(value) : String(Number(value))
}
