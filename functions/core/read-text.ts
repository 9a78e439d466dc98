import { errors } from './errors.ts'
import type { PendingWork, Room } from './pending-work.ts'

/** Text of a body while it flows, given up as soon as it is known to be too large. */
export async function readText(
  body: ReadableStream<Uint8Array> | null,
  maxBytes: number,
  tooLarge: () => Error,
): Promise<string> {
  return new TextOfBody(maxBytes, tooLarge).read(body, null)
}

/** What a body takes while it is worked on, for each of its bytes: its text, what is parsed of it, and what is bound of that. */
export const bytesPerByte = 3

/**
 * Text of a request's body, for which there is room until `pending.done` is called for the request.
 *
 * @throws 503 when there is no room, 408 when it comes so slowly that others need its room
 */
export async function readTextOf(
  raw: Request,
  pending: PendingWork | null,
  maxBytes: number,
  tooLarge: () => Error,
): Promise<string> {
  if (raw.body === null) return ''
  const stated = statedBytes(raw, maxBytes, tooLarge)
  if (pending === null) return readText(raw.body, maxBytes, tooLarge)
  return inRoom(raw, pending, stated, (room) => new TextOfBody(maxBytes, tooLarge).read(raw.body, room))
}

/**
 * Bytes of a request's body, for which there is room, with that for what is made of them, until `pending.done` is called for the request.
 *
 * @throws 503 when there is no room, 408 when it comes so slowly that others need its room
 */
export async function readBytesOf(
  raw: Request,
  pending: PendingWork,
  maxBytes: number,
  tooLarge: () => Error,
): Promise<Uint8Array<ArrayBuffer>> {
  const stated = statedBytes(raw, maxBytes, tooLarge)
  return inRoom(raw, pending, stated, (room) => bytesOf(raw.body, room, maxBytes, tooLarge))
}

/** What a body says that it has, 0 when it does not. @throws when that is too much */
function statedBytes(raw: Request, maxBytes: number, tooLarge: () => Error): number {
  const stated = Number(raw.headers.get('content-length') ?? 0)
  if (stated > maxBytes) throw tooLarge()
  return Number.isSafeInteger(stated) ? stated : 0
}

/** Reads a body in a room of its own, which is given back when that fails. */
async function inRoom<Body>(
  raw: Request,
  pending: PendingWork,
  stated: number,
  read: (room: Room) => Promise<Body>,
): Promise<Body> {
  const room = await pending.enterFor(raw, bytesPerByte * stated)
  try {
    const body = await read(room)
    room.read()
    return body
  } catch (error) {
    pending.done(raw)
    throw error
  }
}

/** The chunks of a body, with room for each before it is kept; what is kept of them is let go of when the room is lost. */
async function* chunksOf(
  body: ReadableStream<Uint8Array> | null,
  room: Room | null,
  maxBytes: number,
  tooLarge: () => Error,
): AsyncGenerator<Uint8Array, void> {
  let bytes = 0
  for await (const chunk of body ?? []) {
    bytes += chunk.byteLength
    if (bytes > maxBytes) throw tooLarge()
    if (room?.isLost) throw errors.bodyTooSlow()
    room?.came(chunk.byteLength)
    // Of a body that does not say its length, twice as much as has come.
    if (room && bytesPerByte * bytes > room.bytes) await room.resize(bytesPerByte * 2 * bytes)
    yield chunk
  }
  if (room?.isLost) throw errors.bodyTooSlow()
}

async function bytesOf(
  body: ReadableStream<Uint8Array> | null,
  room: Room,
  maxBytes: number,
  tooLarge: () => Error,
): Promise<Uint8Array<ArrayBuffer>> {
  let chunks: Uint8Array[] = []
  let length = 0
  room.onLost = () => (chunks = [])
  for await (const chunk of chunksOf(body, room, maxBytes, tooLarge)) {
    length += chunk.byteLength
    chunks.push(chunk)
  }
  const bytes = new Uint8Array(length)
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.byteLength
  }
  return bytes
}

/** The text so far lies here, so that who makes room for others can let go of it. */
class TextOfBody {
  readonly #decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false })
  readonly #maxBytes: number
  readonly #tooLarge: () => Error
  #text = ''

  constructor(maxBytes: number, tooLarge: () => Error) {
    this.#maxBytes = maxBytes
    this.#tooLarge = tooLarge
  }

  async read(body: ReadableStream<Uint8Array> | null, room: Room | null): Promise<string> {
    if (room) room.onLost = () => (this.#text = '')
    for await (const chunk of chunksOf(body, room, this.#maxBytes, this.#tooLarge)) {
      this.#text += this.#decoder.decode(chunk, { stream: true })
    }
    return this.#text + this.#decoder.decode()
  }
}
