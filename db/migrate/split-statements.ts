import { isPunctuation, isWord, type Token, textOf, tokensOf } from './sql-tokens.ts'

/**
 * The statements of a migration. Where drizzle-kit marks their ends they end there, also one that it has cut off in the middle of a literal.
 */
export function splitMigration(sql: string): string[] {
  return sql.split('--> statement-breakpoint').flatMap(splitStatements)
}

/**
 * The statements of SQL text, without the semicolons that end them. Comments are passed over at the ends, and what holds
 * nothing else is no statement: D1 refuses those. A trigger's body is part of its statement.
 */
export function splitStatements(sql: string): string[] {
  const statements: string[] = []
  let own: Token[] = []
  let depth = 0
  for (const token of tokensOf(sql)) {
    if (isPunctuation(token, ';') && depth === 0) {
      if (own.length > 0) statements.push(textOf(sql, own))
      own = []
      continue
    }
    own.push(token)
    if (!isTrigger(own)) continue
    // BEGIN opens the body and CASE an expression in it; both end with END.
    if (isWord(token, 'BEGIN', 'CASE')) depth++
    if (isWord(token, 'END') && depth > 0) depth--
  }
  if (own.length > 0) statements.push(textOf(sql, own))
  return statements
}

function isTrigger(tokens: readonly Token[]): boolean {
  if (!isWord(tokens[0], 'CREATE')) return false
  return isWord(tokens[isWord(tokens[1], 'TEMP', 'TEMPORARY') ? 2 : 1], 'TRIGGER')
}
