/**
 * Bodies on their way through: bounded, measured, and repeated where that is possible.
 * @module
 */
import { errors } from '../errors.ts'

/** Bodies up to so many bytes are kept to be sent once more. */
const keptBytes = 65_536

/** The body of a request, for one try or several. */
export interface SentBody {
  /** Whether it can still be sent from the beginning. */
  readonly isWhole: boolean
  /** For the next try. */
  take(): ReadableStream | Uint8Array<ArrayBuffer> | null
  /** Throws 413 when it was cut off for being too large. */
  check(): void
}

/**
 * @param mayRepeat whether a small body is worth keeping
 * @throws 413 when it says that it is too large
 */
export async function receiveBody(request: Request, maxBytes: number, mayRepeat: boolean): Promise<SentBody> {
  const { body } = request
  const none = { isWhole: true, take: () => null, check: () => undefined }
  if (body === null) return none
  const said = request.headers.get('content-length')
  const length = said !== null && /^\d+$/.test(said) ? Number(said) : null
  if (length !== null && length > maxBytes) throw errors.proxiedTooLarge(maxBytes)
  if (length !== null && length <= keptBytes && mayRepeat) {
    const bytes = new Uint8Array(await request.arrayBuffer())
    return { isWhole: true, take: () => bytes, check: () => undefined }
  }
  let isTaken = false
  let isTooLarge = false
  return {
    get isWhole() {
      return !isTaken
    },
    take() {
      isTaken = true
      // A body that says how long it is is passed on as it is, and the platform sees to it that it keeps its word.
      if (length !== null || maxBytes === Number.POSITIVE_INFINITY) return body
      return body.pipeThrough(
        bounded(maxBytes, () => {
          isTooLarge = true
          return errors.proxiedTooLarge(maxBytes)
        }),
      )
    },
    check() {
      if (isTooLarge) throw errors.proxiedTooLarge(maxBytes)
    },
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
