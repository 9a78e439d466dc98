/**
 * Joins terms with an operator as a balanced tree, since SQLite allows expressions of depth 100 only and reads
 * a chain as one level per term.
 */
export function joinBalanced(terms: readonly string[], operator: string): string {
  if (terms.length <= 2) return terms.join(operator)
  const middle = terms.length >> 1
  return `(${joinBalanced(terms.slice(0, middle), operator)})${operator}(${joinBalanced(terms.slice(middle), operator)})`
}
