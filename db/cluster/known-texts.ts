/**
 * Texts that are known, bounded in number and characters. Two generations in the place of an order of use: a look costs one or two looks
 * into a map, and nothing is moved when the text was there.
 */
export class KnownTexts {
  readonly #maxTexts: number
  readonly #maxLength: number
  #young = new Set<string>()
  #old = new Set<string>()
  #length = 0

  /** @param maxLength characters of all texts of one generation; what is longer than a sixteenth of it is never known */
  constructor(maxTexts: number, maxLength: number) {
    this.#maxTexts = maxTexts
    this.#maxLength = maxLength
  }

  /** In texts. */
  get size(): number {
    return this.#young.size + this.#old.size
  }

  has(text: string): boolean {
    if (this.#young.has(text)) return true
    if (!this.#old.delete(text)) return false
    this.add(text)
    return true
  }

  add(text: string): void {
    if (text.length > this.#maxLength / 16 || this.#young.has(text)) return
    if (this.#young.size >= this.#maxTexts || this.#length + text.length > this.#maxLength) {
      this.#old = this.#young
      this.#young = new Set()
      this.#length = 0
    }
    this.#young.add(text)
    this.#length += text.length
  }

  delete(text: string): void {
    if (this.#young.delete(text)) this.#length -= text.length
    this.#old.delete(text)
  }
}
