/**
 * D1's `/query` splits what it is sent, and not as SQLite would. Its code is not public; this is the worst that is consistent with
 * what people have seen of it, so that what survives this survives that.
 *
 * - https://github.com/cloudflare/workers-sdk/issues/10998 and 15314: a trigger is whole only when BEGIN is in capitals
 * - https://github.com/cloudflare/workers-sdk/issues/4727: the END of a CASE ends a trigger
 * - https://github.com/cloudflare/workers-sdk/issues/15690: a trigger in several lines is cut when nothing follows it
 * - a semicolon in a comment ends a statement
 * @module
 */
export function splitAsQuery(sql: string): string[] {
  const statements: string[] = []
  let current = ''
  let isTrigger = false
  let depth = 0
  for (const [piece] of sql.matchAll(pieces)) {
    if (/^trigger$/i.test(piece) && /^\s*create\s+(?:temp(?:orary)?\s+)?$/i.test(current)) isTrigger = true
    if (isTrigger && piece === 'BEGIN') depth++
    if (isTrigger && /^end$/i.test(piece)) depth = Math.max(0, depth - 1)
    if (piece === ';' && depth === 0) {
      statements.push(current)
      current = ''
      isTrigger = false
    } else current += piece
  }
  if (current.trim() === '') return statements
  return [...statements, ...(isTrigger ? current.split(/;(?=[ \t\r]*\n)/) : [current])]
}

const pieces = /'(?:[^']|'')*'?|"(?:[^"]|"")*"?|`(?:[^`]|``)*`?|\w+|[\s\S]/g
