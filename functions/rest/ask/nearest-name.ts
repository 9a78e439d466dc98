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

/**
 * The text most like another, with which it shares two or three characters in a row, when it is at least a third alike (PostgREST's bound for
 * functions and their arguments), else null.
 */
export function closestText(text: string, candidates: readonly string[]): string | null {
  if (text.length > 200) return null
  for (const size of [3, 2]) {
    const own = pieces(text, size)
    let best: string | null = null
    let bestLikeness = 0.33
    for (const candidate of candidates) {
      if (![...pieces(candidate, size)].some((piece) => own.has(piece))) continue
      const likeness = 1 - editDistance(text, candidate) / Math.max(text.length, candidate.length)
      if (likeness > bestLikeness) {
        best = candidate
        bestLikeness = likeness
      }
    }
    if (best !== null) return best
  }
  return null
}

/** Runs of letters, digits, commas and spaces, with its ends marked. */
function pieces(text: string, size: number): Set<string> {
  const plain = `-${text.toLowerCase().replace(/[^\p{L}\p{N}, ]+/gu, '')}-`
  return new Set(
    Array.from({ length: Math.max(0, plain.length - size + 1) }, (_, i) => plain.slice(i, i + size)),
  )
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
