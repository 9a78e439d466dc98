import { hashText } from '../../core/hash-text.ts'

const slots = 16_384

/**
 * Remembers of shapes that they were asked and answered, by a hash each: 64 KB, whoever asks what. One that another has taken the place
 * of is compiled once more, and one that has the hash of another is kept from its first use on: neither is wrong.
 */
export class ShapeSketch {
  readonly #hashes = new Uint32Array(slots)

  /** Notes that a request of the shape was answered, and not refused. */
  note(key: string): void {
    const hash = hashText(key)
    this.#hashes[hash % slots] = hash
  }

  has(key: string): boolean {
    const hash = hashText(key)
    return this.#hashes[hash % slots] === hash
  }
}
