import { errors } from '../errors.ts'

/** Deepest nesting of selects and logic trees; SQLite's limit on expression depth is 100. */
export const maxDepth = 40

/**
 * Reads a parameter from left to right. Fails with PGRST100, saying where.
 */
export class Scanner {
  readonly #what: string
  readonly #text: string
  #at: number

  constructor(what: string, text: string, start = 0) {
    this.#what = what
    this.#text = text
    this.#at = start
  }

  get done(): boolean {
    return this.#at >= this.#text.length
  }

  get at(): number {
    return this.#at
  }

  back(to: number): void {
    this.#at = to
  }

  peek(length = 1): string {
    return this.#text.slice(this.#at, this.#at + length)
  }

  /** Steps over `token` when it is next. */
  take(token: string): boolean {
    if (!this.#text.startsWith(token, this.#at)) return false
    this.#at += token.length
    return true
  }

  /** Steps over what `pattern` (sticky) matches here and returns the match. */
  match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)
    if (found) this.#at = pattern.lastIndex
    return found
  }

  spaces(): void {
    while (this.#text[this.#at] === ' ') this.#at++
  }

  rest(): string {
    const text = this.#text.slice(this.#at)
    this.#at = this.#text.length
    return text
  }

  expect(token: string, expecting: string): void {
    if (!this.take(token)) this.fail(expecting)
  }

  /** Fails unless everything is read. */
  end(expecting: string): void {
    if (!this.done) this.#refuse(`unexpected '${this.peek()}'`, expecting)
  }

  fail(expecting: string): never {
    this.#refuse(this.done ? 'unexpected end of input' : `unexpected "${this.peek()}"`, expecting)
  }

  #refuse(found: string, expecting: string): never {
    throw errors.unparsable(this.#what, this.#text, this.#at + 1, `${found} expecting ${expecting}`)
  }

  /**
   * A name: quoted, with `\` before a character that stands for itself, or of letters, digits, `_`, `$`, spaces,
   * and dashes that begin no arrow. Spaces around an unquoted name do not count.
   */
  name(): string {
    if (this.peek() === '"') return this.quoted()
    const found = this.match(/(?:[\p{L}\p{N}\p{M}_ $]|-(?!>))+/uy)
    const name = found?.[0].trim() ?? ''
    if (name === '') this.fail('field name (* or [a..z0..9_$])')
    return name
  }

  quoted(): string {
    const found = this.match(/"((?:[^"\\]|\\[\s\S])*)"/y)
    if (!found) this.fail('a closing quote')
    return unescaped(found[1] as string)
  }
}

/** The text with each `\` taken off and the character behind it kept. */
export function unescaped(text: string): string {
  return text.replace(/\\([\s\S])/g, '$1')
}
