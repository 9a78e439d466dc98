import { isPunctuation, isWord, tokensOf } from '../sql/sql-tokens.ts'
import type { Statement, StatementOf } from './statement.ts'

/** A table that is made anew under its own name, as drizzle-kit writes it: made under another, filled from the old one, renamed. */
export interface RebuildOperation {
  readonly kind: 'rebuild'
  readonly table: string
  /** CREATE TABLE under the final name. */
  readonly create: string
  readonly copy: StatementOf<'copy'>
  /** Unique indexes that are made of it afterwards: foreign keys may refer to them, so that they must be there before rows are. */
  readonly uniques: readonly StatementOf<'create-index'>[]
  /** The statement that fills it. */
  readonly sql: string
}

/** A table that takes the place of another one, filled by whatever statements stood before. */
export interface SwapOperation {
  readonly kind: 'swap'
  readonly table: string
  /** Its name so far. */
  readonly from: string
  readonly sql: string
}

export type Operation = (Statement | RebuildOperation | SwapOperation) & {
  /** Of statements about rows: whether the migration has switched foreign keys off for them, which D1 does not do. */
  readonly withoutKeys?: boolean
  /** Of a column that is added: whether it takes the place of one that drizzle-kit drops before. */
  readonly redefines?: boolean
}

/** Whether a statement may read or write rows. */
export function isAboutRows(operation: Operation): boolean {
  const { kind, sql } = operation
  if (kind === 'create-table') return isMadeOfRows(sql)
  return kind === 'copy' || kind === 'data' || kind === 'other' || kind === 'swap'
}

/** CREATE TABLE … AS SELECT. */
function isMadeOfRows(sql: string): boolean {
  const tokens = tokensOf(sql)
  const open = tokens.findIndex((token) => isPunctuation(token, '('))
  return tokens.slice(0, open < 0 ? undefined : open).some((token) => isWord(token, 'AS'))
}

/** Whether a table is filled with nothing but columns of the old one. */
export function isMerelyCopied({ copy }: RebuildOperation): boolean {
  return copy.values.every((value) => {
    const [token, ...others] = tokensOf(value)
    return others.length === 0 && token?.kind === 'name'
  })
}
