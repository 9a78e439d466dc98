import { RecentMap } from '../memory/recent-map.ts'
import type { Row } from '../sql/statement.ts'
import { KnownTexts } from './known-texts.ts'

/** A statement that takes so long, in milliseconds, or answers so much, in characters, is no company for others. */
const heavyMs = 20
const heavyLength = 100_000
/** Light runs, each alone, after which a statement that was heavy is light again. */
const probationRuns = 8
/** What is kept. */
const maxTexts = 2000
const maxTextsLength = 1_000_000
const maxHeavy = 500

/** Statements that are fast and answer little, as far as was seen: those travel together. What nobody has seen yet is not among them. */
export class LightTexts {
  readonly #light = new KnownTexts(maxTexts, maxTextsLength)
  readonly #probation = new RecentMap<number>({ maxEntries: maxHeavy, maxBytes: maxTextsLength })

  has(text: string): boolean {
    return this.#light.has(text)
  }

  /** Takes up what a statement has cost, in milliseconds, and its rows. */
  ran(text: string, ms: number, rows: readonly Row[]): void {
    if (ms >= heavyMs || isLong(rows)) {
      this.heavy(text)
      return
    }
    if (this.#light.has(text)) return
    const left = (this.#probation.get(text) ?? 0) - 1
    if (left > 0) {
      this.#probation.set(text, left)
      return
    }
    this.#probation.delete(text)
    this.#light.add(text)
  }

  /** It was slow, or has failed. */
  heavy(text: string): void {
    this.#light.delete(text)
    this.#probation.set(text, probationRuns)
  }
}

function isLong(rows: readonly Row[]): boolean {
  let length = 0
  for (const row of rows) {
    for (const name in row) {
      const value = row[name]
      length += typeof value === 'string' ? value.length : 8
    }
    if (length > heavyLength) return true
  }
  return false
}
