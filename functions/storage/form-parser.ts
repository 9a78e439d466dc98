/**
 * Takes a `multipart/form-data` body apart while it flows, wherever its packets end. Of multipasta, it is the search for boundaries
 * and the reading of header lines. Its parser is not used: it refuses a body that is cut between its last two dashes, and
 * loses names beyond U+00FF.
 * @module
 */
import { make as makeHeadersParser } from 'multipasta/HeadersParser'
import { make as makeSearch } from 'multipasta/Search'
import { errors } from './errors.ts'
import { type FormHeader, readFormHeader } from './form-header.ts'

export interface FormPart {
  readonly name: string
  readonly hasFilename: boolean
  /** Its Content-Type; null when there is none that can be read. */
  readonly type: FormHeader | null
}

/** Where a part's bytes go. */
export interface PartSink {
  add(bytes: Uint8Array): void
  end(): void
}

const maxParts = 20

const lineBreak = new TextEncoder().encode('\r\n')
const [dash, space, tab, cr, lf] = [45, 32, 9, 13, 10]

export const unreadable = (why: string) => errors.invalidStorageRequest(`the form cannot be read: ${why}`)

/** Both methods throw an AtollError for what is no such form; then it is of no further use. */
export class FormParser {
  readonly #search: ReturnType<typeof makeSearch>
  readonly #readHeaders = makeHeadersParser()
  readonly #onPart: (part: FormPart) => PartSink
  /** What the next byte belongs to; `boundary` is the rest of a boundary's line. */
  #place: 'preamble' | 'boundary' | 'headers' | 'body' | 'end' = 'preamble'
  /** Boundaries that have come. */
  #boundaries = 0
  /** Of the boundary's line, the byte before; 0 at its beginning. */
  #before = 0
  #sink: PartSink | null = null

  constructor(boundary: string, onPart: (part: FormPart) => PartSink) {
    this.#onPart = onPart
    this.#search = makeSearch(`\r\n--${boundary}`, (boundaries, bytes) => this.#take(boundaries, bytes))
    // The first boundary needs no line break before it.
    this.#search.write(lineBreak)
  }

  get hasEnded(): boolean {
    return this.#place === 'end'
  }

  write(bytes: Uint8Array): void {
    if (!this.hasEnded) this.#search.write(bytes)
  }

  /** Says that there is no more. */
  end(): void {
    if (!this.hasEnded) this.#search.end()
    if (!this.hasEnded) throw unreadable('it ends before its last boundary')
  }

  /** @param boundaries how many came before these bytes, which hold none and are at least one byte */
  #take(boundaries: number, bytes: Uint8Array): void {
    if (this.hasEnded || boundaries === 0) return
    if (boundaries !== this.#boundaries) this.#pass(boundaries)
    let from = 0
    if (this.#place === 'boundary') from = this.#takeBoundaryLine(bytes)
    if (this.#place === 'headers' && from < bytes.length) from = this.#takeHeaders(bytes, from)
    if (this.#place === 'body' && from < bytes.length) this.#sink?.add(bytes.subarray(from))
  }

  #pass(boundaries: number): void {
    const isInside = this.#place === 'boundary' || this.#place === 'headers'
    if (isInside || boundaries !== this.#boundaries + 1) throw unreadable('a part has no end of its headers')
    this.#sink?.end()
    this.#sink = null
    this.#boundaries = boundaries
    this.#place = 'boundary'
    this.#before = 0
  }

  /** Two dashes behind the last boundary, or spaces and a line break. Each byte may come alone. */
  #takeBoundaryLine(bytes: Uint8Array): number {
    for (let i = 0; i < bytes.length; i++) {
      const before = this.#before
      const byte = bytes[i] as number
      this.#before = byte
      if (byte === dash && before === dash) {
        this.#place = 'end'
        return bytes.length
      }
      if (byte === lf && before === cr) {
        if (this.#boundaries > maxParts) throw unreadable(`it has more than ${maxParts} parts`)
        this.#place = 'headers'
        return i + 1
      }
      const isPadding = byte === space || byte === tab || byte === cr
      const fits = byte === dash ? before === 0 : isPadding && before !== dash && before !== cr
      if (!fits) throw unreadable('a boundary goes on behind its end')
    }
    return bytes.length
  }

  #takeHeaders(bytes: Uint8Array, from: number): number {
    const result = this.#readHeaders(bytes, from)
    if (result._tag === 'Continue') return bytes.length
    if (result._tag === 'Failure') throw unreadable(`headers of a part: ${result.reason}`)
    this.#sink = this.#onPart(partOf(result.headers))
    this.#place = 'body'
    return result.endPosition
  }
}

function partOf(headers: Readonly<Record<string, string | readonly string[]>>): FormPart {
  const read = (name: string) => {
    const header = headers[name]
    return typeof header === 'string' ? readFormHeader(header) : null
  }
  const disposition = read('content-disposition')
  const name = disposition?.parameters.get('name')
  if (disposition?.value !== 'form-data' || name === undefined) {
    throw unreadable('a part has no Content-Disposition with a name')
  }
  return { name, hasFilename: disposition.parameters.has('filename'), type: read('content-type') }
}
