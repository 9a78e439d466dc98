/**
 * What clients know of rows that they write: which value each must show, and which it may. A row has one writer at a time; its values
 * have numbers, later ones greater.
 * @module
 */

interface Known {
  /** Acknowledged values and when they were, latest last; enough of them for the age that readers allow. */
  acknowledged: { readonly version: number; readonly at: number }[]
  begun: number
  readonly refused: Set<number>
  /** Written or not, now or later: nobody said. */
  readonly unknown: Set<number>
}

const remembered = 64

export class RowOracle {
  readonly #rows = new Map<string, Known>()
  readonly #busy = new Set<string>()
  #versions = 0

  /** The next value of a row, for its one writer; null while it has one. */
  begin(row: string): number | null {
    if (this.#busy.has(row)) return null
    this.#busy.add(row)
    const version = ++this.#versions
    this.#of(row).begun = version
    return version
  }

  end(row: string, version: number, outcome: 'done' | 'refused' | 'unknown'): void {
    const known = this.#of(row)
    this.#busy.delete(row)
    if (outcome !== 'done') {
      known[outcome].add(version)
      return
    }
    known.acknowledged.push({ version, at: performance.now() })
    if (known.acknowledged.length > remembered) known.acknowledged.shift()
  }

  get rows(): readonly string[] {
    return [...this.#rows.keys()]
  }

  /**
   * @param seen null: a value of before the run
   * @param began when the read was sent, by `performance.now()`
   * @param maxStaleMs what the table allows
   * @returns what is wrong with it; null: nothing
   */
  judge(row: string, seen: number | null, began: number, maxStaleMs: number): string | null {
    const { acknowledged, begun, refused, unknown } = this.#of(row)
    const due = acknowledged.findLast(({ at }) => at < began - maxStaleMs)
    if (seen !== null && unknown.has(seen)) return null
    if (seen !== null && refused.has(seen)) return `${row} shows ${seen}, which was refused`
    if (seen !== null && seen > begun) return `${row} shows ${seen}, which nobody has written`
    if (due === undefined || (seen ?? 0) >= due.version) return null
    const late = (began - due.at).toFixed(0)
    return `${row} shows ${seen ?? 'what was before'}; ${due.version} was acknowledged ${late} ms before it was asked`
  }

  /** Whether nobody knows if a value was written. */
  isUnknown(row: string, version: number): boolean {
    return this.#of(row).unknown.has(version)
  }

  #of(row: string): Known {
    let known = this.#rows.get(row)
    if (known === undefined) {
      known = { acknowledged: [], begun: 0, refused: new Set(), unknown: new Set() }
      this.#rows.set(row, known)
    }
    return known
  }
}

/** A value as rows hold it. */
export const valueWith = (version: number) => `soak ${version}`

/** Null for what is none of ours. */
export function versionOf(value: unknown): number | null {
  const [, version] = /^soak (\d+)$/.exec(String(value)) ?? []
  return version === undefined ? null : Number(version)
}
