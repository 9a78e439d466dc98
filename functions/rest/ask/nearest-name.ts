/**
 * The name most like `name`, when it is at least three quarters alike (PostgREST's bound), else null.
 * Alike: one less the edit distance by the longer length.
 */
export function nearestName(name: string, candidates: Iterable<string>): string | null {
  if (name.length > 100) return null
  let best: string | null = null
  let bestLikeness = 0.75
  for (const candidate of candidates) {
    const longer = Math.max(name.length, candidate.length)
    const likeness = 1 - editDistance(name, candidate) / longer
    if (likeness >= bestLikeness && (best === null || likeness > bestLikeness)) {
      best = candidate
      bestLikeness = likeness
    }
  }
  return best
}

/** Levenshtein's distance, with one row of memory. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(change, (row[j] as number) + 1, (next[j - 1] as number) + 1))
    }
    row = next
  }
  return row[b.length] as number
}
