import { isPunctuation, isWord, type Token, textOf, tokensOf } from '../sql/sql-tokens.ts'

/**
 * The statements of a migration. Where drizzle-kit marks their ends they end there, also one that it has cut off in the middle of a
 * literal.
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
  let isInBody = false
  for (const token of tokensOf(sql)) {
    if (isPunctuation(token, ';') && !isInBody) {
      if (own.length > 0) statements.push(textOf(sql, own))
      own = []
      continue
    }
    // A body begins once, and ends with the END that stands behind a semicolon: other words of that kind are names, or end a CASE.
    if (isInBody && isWord(token, 'END') && isPunctuation(own.at(-1), ';')) isInBody = false
    own.push(token)
    if (isWord(token, 'BEGIN') && !hasBody(own) && isTrigger(own)) isInBody = true
  }
  if (own.length > 0) statements.push(textOf(sql, own))
  return statements
}

function isTrigger(tokens: readonly Token[]): boolean {
  if (!isWord(tokens[0], 'CREATE')) return false
  const at = isWord(tokens[1], 'TEMP', 'TEMPORARY') ? 2 : 1
  // The body comes behind the table, which comes behind ON.
  return isWord(tokens[at], 'TRIGGER') && tokens.some((token, i) => i > at && isWord(token, 'ON'))
}

/** Whether a statement's body has begun, and ended, before its last token. */
function hasBody(tokens: readonly Token[]): boolean {
  return tokens.slice(0, -1).some((token) => isWord(token, 'BEGIN')) && isTrigger(tokens)
}
