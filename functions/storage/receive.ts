/**
 * Takes bytes in while they flow: counted, hashed and stored in R2, without more of them in memory than one part.
 * @module
 */

import { within } from '../core/coalescer.ts'
import type { Room } from '../core/pending-work.ts'
import { errors } from './errors.ts'

/** Bytes of a part, of all but the last: R2 wants at least 5 MiB, and all the same. */
export const partBytes = 8 * 1024 * 1024

export type Chunks = AsyncIterable<Uint8Array>

/** What came in. */
export interface Received {
  readonly size: number
  /** With its quotation marks. */
  readonly etag: string
  /** Hexadecimal. */
  readonly sha256: string
}

/** Checksums that the client has given, as bytes. */
export interface WantedChecksums {
  readonly 'SHA-256'?: Uint8Array
  readonly MD5?: Uint8Array
}

export interface ReceiveTerms {
  readonly files: R2Bucket
  /** Key in R2. */
  readonly blob: string
  readonly mime: string
  readonly maxBytes: number
  readonly wanted: WantedChecksums
  /** Room for what is held of it. */
  readonly room: Room
  /** Is told of an upload in parts before its first part, so that somebody can clear it away. */
  readonly began: (multipart: string) => Promise<void>
}

/** Bytes that are read at a time: many small chunks cost more than few large ones. */
const readBytes = 256 * 1024

/** What a body takes that flows through: what was read, and what is being written. */
export const flowBytes = 2 * readBytes

/** A body's chunks. */
export async function* chunksOf(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = readerOf(body)
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (value && value.byteLength > 0) yield value
      if (done) return
    }
  } finally {
    reader.release()
  }
}

/** How often who waits for bytes looks whether others wait for room, in milliseconds. */
const tickMs = 500

/** Chunks as they come, and null now and then while none does. */
export async function* ticking(chunks: Chunks): AsyncGenerator<Uint8Array | null> {
  const reader = chunks[Symbol.asyncIterator]()
  let next: Promise<IteratorResult<Uint8Array>> | null = null
  try {
    for (;;) {
      next ??= reader.next()
      const found = await within(tickMs, next)
      if (found !== null) next = null
      if (found?.done) return
      yield found === null ? null : found.value
    }
  } finally {
    // A read that is under way ends with the request, and is not waited for.
    next?.catch(() => undefined)
    void reader.return?.()
  }
}

/** Chunks as they come. @throws 408 when they come so slowly that others were given their room */
async function* inTime(chunks: Chunks, room: Room): AsyncGenerator<Uint8Array> {
  for await (const chunk of ticking(chunks)) {
    if (room.isLost) throw errors.bodyTooSlow()
    if (chunk === null) continue
    room.came(chunk.byteLength)
    yield chunk
  }
}

interface ChunkReader {
  read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>
  release(): void
}

function readerOf(body: ReadableStream<Uint8Array>): ChunkReader {
  try {
    const reader = body.getReader({ mode: 'byob' })
    return {
      read: () => reader.readAtLeast(readBytes, new Uint8Array(readBytes)),
      release: () => reader.releaseLock(),
    }
  } catch {
    // A stream that is not of bytes by nature.
    const reader = body.getReader()
    return { read: () => reader.read(), release: () => reader.releaseLock() }
  }
}

/** Several hashes of the same bytes. */
class Digests {
  readonly #streams: ReadonlyMap<keyof WantedChecksums, InstanceType<typeof crypto.DigestStream>>
  readonly #writers: readonly WritableStreamDefaultWriter[]

  constructor(names: readonly (keyof WantedChecksums)[]) {
    this.#streams = new Map(names.map((name) => [name, new crypto.DigestStream(name)]))
    this.#writers = [...this.#streams.values()].map((stream) => stream.getWriter())
    // Who fails does so at the end, or not at all when nobody asks.
    for (const stream of this.#streams.values()) stream.digest.catch(() => undefined)
  }

  async add(chunk: Uint8Array): Promise<void> {
    await Promise.all(this.#writers.map((writer) => writer.write(chunk)))
  }

  async end(): Promise<ReadonlyMap<keyof WantedChecksums, Uint8Array>> {
    await Promise.all(this.#writers.map((writer) => writer.close()))
    return new Map(
      await Promise.all(
        [...this.#streams].map(async ([name, { digest }]) => [name, new Uint8Array(await digest)] as const),
      ),
    )
  }

  abandon(): void {
    for (const writer of this.#writers) writer.abort().catch(() => undefined)
  }
}

/**
 * Stores bytes whose number is not known before their end: what fits into a part in one go, more in parts.
 *
 * @throws AtollError when they are too many or not those that were promised; then nothing of them is left
 */
export async function receiveChunks(chunks: Chunks, terms: ReceiveTerms): Promise<Received> {
  const { files, blob, maxBytes, wanted, mime } = terms
  const digests = new Digests(['SHA-256', ...(wanted.MD5 ? (['MD5'] as const) : [])])
  const options = { httpMetadata: { contentType: mime } }
  const buffer = new PartBuffer()
  terms.room.onLost = () => buffer.clear()
  const parts: R2UploadedPart[] = []
  let upload: R2MultipartUpload | null = null
  let size = 0
  try {
    for await (const chunk of inTime(chunks, terms.room)) {
      size += chunk.byteLength
      if (size > maxBytes) throw errors.objectTooLarge(maxBytes)
      await digests.add(chunk)
      await terms.room.resize(flowBytes + buffer.capacityWith(chunk.byteLength))
      for (const part of buffer.add(chunk)) {
        if (upload === null) {
          upload = await files.createMultipartUpload(blob, options)
          await terms.began(upload.uploadId)
        }
        parts.push(await upload.uploadPart(parts.length + 1, part))
      }
    }
    const sums = await digests.end()
    checkSums(sums, wanted)
    const sha256 = hex(sums.get('SHA-256') as Uint8Array)
    if (upload === null) {
      const stored = await files.put(blob, buffer.rest(), options)
      return { size, etag: stored.httpEtag, sha256 }
    }
    const rest = buffer.rest()
    if (rest.byteLength > 0) parts.push(await upload.uploadPart(parts.length + 1, rest))
    const stored = await upload.complete(parts)
    return { size, etag: stored.httpEtag, sha256 }
  } catch (error) {
    digests.abandon()
    await (upload ? upload.abort() : files.delete(blob)).catch(() => undefined)
    throw error
  }
}

/** Stores a body of known length in one go, as it flows. */
export async function receiveBody(
  body: ReadableStream<Uint8Array>,
  length: number,
  { files, blob, maxBytes, wanted, mime, room }: ReceiveTerms,
): Promise<Received> {
  if (length > maxBytes) throw errors.objectTooLarge(maxBytes)
  const digests = new Digests(['SHA-256', ...(wanted.MD5 ? (['MD5'] as const) : [])])
  const fixed = new FixedLengthStream(length)
  const writer = fixed.writable.getWriter()
  const flow = (async () => {
    for await (const chunk of inTime(chunksOf(body), room)) {
      await Promise.all([digests.add(chunk), writer.write(chunk)])
    }
    await writer.close()
  })()
  // Its failure is that of the put as well, which is told; nobody waits for bytes that do not come.
  flow.catch((error) => writer.abort(error).catch(() => undefined))
  try {
    const stored = await files.put(blob, fixed.readable, { httpMetadata: { contentType: mime } })
    await flow
    const sums = await digests.end()
    checkSums(sums, wanted)
    return { size: stored.size, etag: stored.httpEtag, sha256: hex(sums.get('SHA-256') as Uint8Array) }
  } catch (error) {
    digests.abandon()
    await files.delete(blob).catch(() => undefined)
    throw error
  }
}

/** Collects bytes until they are a part. One part's memory, used again and again. */
export class PartBuffer {
  #bytes = new Uint8Array(0)
  #length = 0

  get length(): number {
    return this.#length
  }

  /** Bytes of memory that it will have with so many more in it. */
  capacityWith(more: number): number {
    return Math.max(this.#bytes.byteLength, capacityFor(Math.min(partBytes, this.#length + more)))
  }

  /** Lets go of what it holds. */
  clear(): void {
    this.#bytes = new Uint8Array(0)
    this.#length = 0
  }

  /** Parts that are full now. Each must be used before the next is asked for. */
  *add(chunk: Uint8Array): Generator<Uint8Array> {
    for (let from = 0; from < chunk.byteLength; ) {
      const taken = Math.min(partBytes - this.#length, chunk.byteLength - from)
      this.#reserve(this.#length + taken)
      this.#bytes.set(chunk.subarray(from, from + taken), this.#length)
      this.#length += taken
      from += taken
      if (this.#length < partBytes) continue
      yield this.#bytes.subarray(0, partBytes)
      this.#length = 0
    }
  }

  /** What is too little for a part. */
  rest(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }

  /** Small bodies take little. */
  #reserve(length: number): void {
    if (length <= this.#bytes.byteLength) return
    const grown = new Uint8Array(capacityFor(length))
    grown.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = grown
  }
}

/** From a megabyte on it is a whole part at once: growing by steps would hold two of them for a moment. */
function capacityFor(length: number): number {
  if (length > partBytes / 8) return partBytes
  let capacity = 65_536
  while (capacity < length) capacity *= 2
  return capacity
}

function checkSums(found: ReadonlyMap<keyof WantedChecksums, Uint8Array>, wanted: WantedChecksums): void {
  for (const [name, bytes] of Object.entries(wanted) as [keyof WantedChecksums, Uint8Array][]) {
    if (hex(found.get(name) ?? new Uint8Array()) !== hex(bytes)) throw errors.checksumMismatch(name)
  }
}

export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
