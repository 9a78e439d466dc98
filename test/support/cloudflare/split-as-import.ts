import { isPunctuation, isWord, type Token, tokensOf } from '../../../db/sql/sql-tokens.ts'

/**
 * An import splits where SQLite says that a statement is complete (`sqlite3_complete`): at a semicolon, and a trigger at `; END;`. What
 * comes after the last semicolon is left over, and a statement without a word is refused. So does workerd's `sql.ingest`, which a test
 * compares.
 */
export function splitAsImport(sql: string): { readonly statements: string[]; readonly rest: string } {
  const statements: string[] = []
  let start = 0
  let own: Token[] = []
  for (const token of tokensOf(sql)) {
    own.push(token)
    if (!isPunctuation(token, ';') || (isTrigger(own) && !isEnd(own))) continue
    statements.push(sql.slice(start, token.end))
    start = token.end
    own = []
  }
  return { statements, rest: sql.slice(start) }
}

function isTrigger(tokens: readonly Token[]): boolean {
  const [first, second, third] = isWord(tokens[0], 'EXPLAIN') ? tokens.slice(1) : tokens
  return isWord(first, 'CREATE') && isWord(isWord(second, 'TEMP', 'TEMPORARY') ? third : second, 'TRIGGER')
}

function isEnd(tokens: readonly Token[]): boolean {
  const [before, end] = tokens.slice(-3)
  return isPunctuation(before, ';') && isWord(end, 'END')
}
