/**
 * A migration as what it means: its statements, with tables that are made anew seen as such.
 * @module
 */

import { isWord, mentions, nameOf, sameName, tokensOf } from '../sql/sql-tokens.ts'
import { renamedTable } from './create-table.ts'
import { mended, withoutRedefined } from './mend-statements.ts'
import type { Migration } from './migration.ts'
import {
  isAboutRows,
  isMerelyCopied,
  type Operation,
  type RebuildOperation,
  type SwapOperation,
} from './operation.ts'
import { readTable } from './schema-model.ts'
import type { Snapshot } from './snapshot.ts'
import { splitMigration } from './split-statements.ts'
import { readStatement, type Statement, type StatementOf } from './statement.ts'

/** @param before the snapshot of the migration before, if there is one */
export function readMigration({ sql, snapshot }: Migration, before: Snapshot | null): Operation[] {
  const read = withKeys(splitMigration(sql).map(readStatement))
  const statements = withoutRedefined(read, snapshot, before)
    .filter(({ kind }) => kind !== 'nothing')
    .map((statement) => mended(statement, snapshot, before))
  return withUniques(gathered(withSwaps(withRebuilds(statements))))
}

/** Notes which statements stand between `PRAGMA foreign_keys=OFF` and `=ON`. */
function withKeys(statements: readonly Statement[]): Operation[] {
  let isOff = false
  return statements.map((statement) => {
    const [pragma, name, , value] = tokensOf(statement.sql)
    if (isWord(pragma, 'PRAGMA') && isWord(name, 'FOREIGN_KEYS'))
      isOff = /^(?:off|0|no|false)$/i.test(nameOf(value))
    return { ...statement, withoutKeys: isOff }
  })
}

/** Whether an expression of a query gives its column a name. */
function hasAlias(value: string): boolean {
  const tokens = tokensOf(value)
  const [last, before] = [tokens.at(-1), tokens.at(-2)]
  if (tokens.length < 2 || (last?.kind !== 'name' && last?.kind !== 'word')) return false
  return (
    !isWord(last, 'END', 'NULL') &&
    before?.text !== '.' &&
    !(before?.kind === 'punctuation' && before.text !== ')')
  )
}

/** Puts what belongs to the making anew of one table into one operation, where nothing else has to do with it in between. */
function withRebuilds(operations: readonly Operation[]): Operation[] {
  let rest: Operation[] = [...operations]
  for (const { renamed, create, drop } of replacements(operations)) {
    const between = rest.slice(rest.indexOf(create), rest.indexOf(renamed) + 1)
    const [own, ...others] = between.filter(
      (other) => other.kind === 'copy' && sameName(other.table, renamed.table),
    )
    if (own?.kind !== 'copy' || others.length > 0 || !sameName(own.from ?? '', renamed.to)) continue
    const parts = new Set<Operation>([create, own, drop, renamed])
    const isApart = (other: Operation) =>
      parts.has(other) ||
      (!isAboutRows(other) && !mentions(other.sql, renamed.table) && !mentions(other.sql, renamed.to))
    if (own.values.length === 0 || own.values.some(hasAlias) || !between.every(isApart)) continue
    const rebuild: RebuildOperation = {
      kind: 'rebuild',
      table: renamed.to,
      create: renamedTable(create.sql, renamed.table, renamed.to),
      copy: own,
      uniques: [],
      sql: own.sql,
    }
    rest = rest.flatMap((other): Operation[] => (other === own ? [rebuild] : parts.has(other) ? [] : [other]))
  }
  return rest
}

interface Replacement {
  readonly create: StatementOf<'create-table'>
  readonly drop: StatementOf<'drop-table'>
  readonly renamed: StatementOf<'rename-table'>
}

/** Tables that are made by the migration and renamed to what one is called that it drops before. */
function replacements(operations: readonly Operation[]): Replacement[] {
  return operations.flatMap((renamed, at) => {
    if (renamed.kind !== 'rename-table') return []
    const before = operations.slice(0, at)
    const create = before.findLast(
      (other) => other.kind === 'create-table' && sameName(other.table, renamed.table),
    )
    const drop = before.findLast((other) => other.kind === 'drop-table' && sameName(other.table, renamed.to))
    if (create?.kind !== 'create-table' || drop?.kind !== 'drop-table') return []
    return before.indexOf(create) < before.indexOf(drop) ? [{ create, drop, renamed }] : []
  })
}

/** Replacements of any other form: what fills the new table is run as it stands, and the exchange is made where the old one is dropped. */
function withSwaps(operations: readonly Operation[]): Operation[] {
  let rest: Operation[] = [...operations]
  for (const { drop, renamed } of replacements(rest)) {
    const between = rest.slice(rest.indexOf(drop) + 1, rest.indexOf(renamed))
    if (between.some(({ sql }) => mentions(sql, renamed.to))) continue
    const swap: SwapOperation = { kind: 'swap', table: renamed.to, from: renamed.table, sql: drop.sql }
    rest = rest.flatMap((other): Operation[] => {
      if (other === drop) return [swap]
      if (other === renamed) return []
      // What stands in between speaks of the new table by a name that it has no longer.
      if (!between.includes(other) || !mentions(other.sql, renamed.table)) return [other]
      return [readStatement(renamedTable(other.sql, renamed.table, renamed.to))]
    })
  }
  return rest
}

/**
 * Tables that are made anew together, as their keys may change together: a later one goes to an earlier one when what stands between
 * is about other tables and no rows, and its own rows are what they were.
 */
function gathered(operations: readonly Operation[]): Operation[] {
  const done: Operation[] = []
  for (const operation of operations) {
    let at = done.length
    if (operation.kind === 'rebuild' && isMerelyCopied(operation)) {
      const isFree = (other: Operation) =>
        other.kind !== 'rebuild' && !isAboutRows(other) && !mentions(other.sql, operation.table)
      let before = done.length
      while (before > 0 && isFree(done[before - 1] as Operation)) before--
      const last = done[before - 1]
      if (last?.kind === 'rebuild' && !sameName(last.table, operation.table)) at = before
    }
    done.splice(at, 0, operation)
  }
  return done
}

/** Unique indexes of tables that are made anew are made along with them, when the table has their columns and no row is written before. */
function withUniques(operations: readonly Operation[]): Operation[] {
  const taken = new Set<Operation>()
  const done = operations.map((operation, i): Operation => {
    if (operation.kind !== 'rebuild') return operation
    const uniques: StatementOf<'create-index'>[] = []
    for (const other of operations.slice(i + 1)) {
      if (isAboutRows(other)) break
      if (other.kind !== 'create-index' || !other.isUnique || !sameName(other.table, operation.table))
        continue
      if (!hasColumns(operation.create, other)) continue
      uniques.push(other)
      taken.add(other)
    }
    return { ...operation, uniques }
  })
  return done.filter((operation) => !taken.has(operation))
}

/** Whether all names of an index are columns of a table: SQLite would take quoted ones that are not for text. */
function hasColumns(create: string, { sql, index, table }: StatementOf<'create-index'>): boolean {
  const columns = readTable(create)?.columns ?? []
  const names = tokensOf(sql).filter(({ kind }) => kind === 'name')
  return names.every((token) => {
    const name = nameOf(token)
    return [index, table, ...columns.map((column) => column.name)].some((known) => sameName(known, name))
  })
}
