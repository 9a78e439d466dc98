/**
 * Bodies on their way through: bounded, measured, and repeated where that is possible.
 * @module
 */
import { AtollError } from '../../db/errors/atoll-error.ts'
import type { PendingWork } from '../core/pending-work.ts'
import { bytesPerByte, readBytesOf } from '../core/read-text.ts'
import { errors } from './errors.ts'

/** Bodies up to so many bytes are received before an origin is asked, and kept to be sent once more, while there is room for them. */
const keptBytes = 65_536

/** The body of a request, for one try or several. */
export interface SentBody {
  /** Whether it can still be sent from the beginning. */
  readonly isWhole: boolean
  /** Whether it broke off on the client's side, or was too large: no fault of an origin. */
  readonly isBroken: boolean
  /** Whether all of it has gone out: until then, it is the client that is waited for. */
  readonly isSent: boolean
  /** For the next try. */
  take(): ReadableStream | Uint8Array<ArrayBuffer> | null
  /** @throws 413 or 400 when it is broken */
  check(): void
}

/**
 * @param pending has room for what is kept until `done` is called for the request
 * @throws 413 when it says that it is too large, 400 when a small one breaks off, 408 when one comes so slowly that others need its room
 */
export async function receiveBody(
  request: Request,
  maxBytes: number,
  pending: PendingWork,
): Promise<SentBody> {
  const { body } = request
  const kept = (bytes: Uint8Array<ArrayBuffer> | null): SentBody => ({
    isWhole: true,
    isBroken: false,
    isSent: true,
    take: () => bytes,
    check: () => undefined,
  })
  if (body === null) return kept(null)
  const said = request.headers.get('content-length')
  const length = said !== null && /^\d+$/.test(said) ? Number(said) : null
  if (length !== null && length > maxBytes) throw errors.proxiedTooLarge(maxBytes)
  if (length !== null && length <= keptBytes && pending.hasRoomFor(request, bytesPerByte * length)) {
    return kept(
      await readBytesOf(request, pending, keptBytes, () => errors.proxiedTooLarge(maxBytes)).catch(
        (error) => {
          throw error instanceof AtollError ? error : errors.proxiedCutShort()
        },
      ),
    )
  }
  return new StreamedBody(body, length, maxBytes)
}

/** A large body: it goes through as it comes, once. */
class StreamedBody implements SentBody {
  readonly #body: ReadableStream<Uint8Array>
  readonly #length: number | null
  readonly #maxBytes: number
  #isTaken = false
  #isSent = false
  #broken: Error | null = null

  constructor(body: ReadableStream<Uint8Array>, length: number | null, maxBytes: number) {
    this.#body = body
    this.#length = length
    this.#maxBytes = maxBytes
  }

  get isWhole(): boolean {
    return !this.#isTaken
  }

  get isBroken(): boolean {
    return this.#broken !== null
  }

  get isSent(): boolean {
    return this.#isSent
  }

  take(): ReadableStream {
    this.#isTaken = true
    const { readable, writable } =
      this.#length === null ? new IdentityTransformStream() : new FixedLengthStream(this.#length)
    void this.#pump(writable.getWriter())
    return readable
  }

  check(): void {
    if (this.#broken) throw this.#broken
  }

  /** Read by ourselves: a pipe does not tell a client that has gone from an origin that has. */
  async #pump(writer: WritableStreamDefaultWriter<Uint8Array>): Promise<void> {
    const reader = this.#body.getReader()
    const cut = (error: Error) => {
      this.#broken = error
      return writer.abort(error).catch(() => undefined)
    }
    for (let bytes = 0; ; ) {
      const next = await reader.read().catch(() => null)
      if (next === null) return void (await cut(errors.proxiedCutShort()))
      try {
        if (next.done) {
          await writer.close()
          this.#isSent = true
          return
        }
        bytes += next.value.byteLength
        if (bytes > this.#maxBytes) {
          await cut(errors.proxiedTooLarge(this.#maxBytes))
          return await reader.cancel()
        }
        await writer.write(next.value)
      } catch {
        // The origin takes no more: what it answers says why, if it answers.
        return void (await reader.cancel().catch(() => undefined))
      }
    }
  }
}

/** Passes bytes on until there are too many. */
export function bounded(maxBytes: number, tooMany: () => Error): TransformStream<Uint8Array, Uint8Array> {
  let bytes = 0
  return new TransformStream({
    transform(chunk, controller) {
      bytes += chunk.byteLength
      if (bytes > maxBytes) controller.error(tooMany())
      else controller.enqueue(chunk)
    },
  })
}

/**
 * Passes an answer's body on, and says when it has ended: well, or cut off. The platform moves the bytes, as fast as the client takes
 * them.
 */
export function passOn(
  answer: Response,
  maxBytes: number,
  ended: (error: unknown) => void,
): { readonly body: ReadableStream; readonly done: Promise<void> } {
  const body = answer.body as ReadableStream<Uint8Array>
  const length = Number(answer.headers.get('content-length') ?? Number.NaN)
  // What is encoded is decoded and encoded again on its way, and its length is another.
  const isPlain = Number.isInteger(length) && !answer.headers.has('content-encoding')
  const { readable, writable } = isPlain ? new FixedLengthStream(length) : new IdentityTransformStream()
  const source =
    maxBytes === Number.POSITIVE_INFINITY || isPlain
      ? body
      : body.pipeThrough(bounded(maxBytes, () => errors.answerTooLarge(maxBytes)))
  const done = source.pipeTo(writable).then(
    () => ended(null),
    (error: unknown) => ended(error ?? new Error('cut off')),
  )
  return { body: readable, done }
}
