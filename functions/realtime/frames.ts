/**
 * What goes over a socket, in both versions of the protocol: 1.0.0 sends JSON objects, 2.0.0 JSON arrays, and broadcasts of users as
 * binary frames. https://supabase.com/docs/guides/realtime/protocol
 * @module
 */

export type Version = '1.0.0' | '2.0.0'

/** A message to or from a client. */
export interface Frame {
  readonly joinRef: string | null
  readonly ref: string | null
  readonly topic: string
  readonly event: string
  readonly payload: unknown
}

/** A broadcast of a user's as bytes, its payload JSON or anything. */
export interface UserBroadcast {
  readonly event: string
  readonly isJson: boolean
  readonly bytes: Uint8Array
}

/** What a client has sent: a broadcast of 2.0.0 comes as bytes, which need not be parsed to be sent on. */
export interface Received extends Frame {
  readonly broadcast: UserBroadcast | null
}

const kinds = { push: 3, broadcast: 4 } as const
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const encoder = new TextEncoder()

/** @returns null for what is no frame */
export function readFrame(version: Version, data: string | ArrayBuffer): Received | null {
  try {
    return typeof data === 'string' ? readText(version, data) : version === '2.0.0' ? readBytes(data) : null
  } catch {
    return null
  }
}

function readText(version: Version, text: string): Received | null {
  const json: unknown = JSON.parse(text)
  const [joinRef, ref, topic, event, payload] =
    version === '2.0.0'
      ? (json as unknown[])
      : (({ join_ref, ref, topic, event, payload }) => [join_ref, ref, topic, event, payload])(
          json as Record<string, unknown>,
        )
  if (typeof topic !== 'string' || typeof event !== 'string') return null
  return { joinRef: refOf(joinRef), ref: refOf(ref), topic, event, payload, broadcast: null }
}

/** Some clients count in numbers. */
function refOf(value: unknown): string | null {
  return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : null
}

function readBytes(data: ArrayBuffer): Received | null {
  const bytes = new Uint8Array(data)
  if (bytes[0] !== kinds.push || bytes.length < 7) return null
  const sizes = [...bytes.subarray(1, 6)]
  let at = 7
  const texts = sizes.map((size) => {
    if (at + size > bytes.length) throw new RangeError('the frame ends before its header does')
    at += size
    return decoder.decode(bytes.subarray(at - size, at))
  })
  const [joinRef = '', ref = '', topic = '', event = ''] = texts
  const broadcast = { event, isJson: bytes[6] === 1, bytes: bytes.slice(at) }
  return { joinRef: joinRef || null, ref: ref || null, topic, event: 'broadcast', payload: null, broadcast }
}

export function writeFrame(version: Version, { joinRef, ref, topic, event, payload }: Frame): string {
  return version === '2.0.0'
    ? JSON.stringify([joinRef, ref, topic, event, payload])
    : JSON.stringify({ topic, event, payload, ref, join_ref: joinRef })
}

/** The same, where the payload is JSON already. */
export function writeFrameOf(version: Version, topic: string, event: string, payload: string): string {
  const [t, e] = [JSON.stringify(topic), JSON.stringify(event)]
  return version === '2.0.0'
    ? `[null,null,${t},${e},${payload}]`
    : `{"topic":${t},"event":${e},"payload":${payload},"ref":null,"join_ref":null}`
}

/** A message that users send each other, on its way to all of a topic. */
export interface Message {
  readonly event: string
  /** JSON text, or bytes that are anything. */
  readonly payload: string | Uint8Array
  /** Of one that is sent again to who comes later. */
  readonly meta?: { readonly id: string; readonly replayed: true }
}

/**
 * A message as clients of a version have it.
 *
 * @returns null when it cannot be said in that version: 1.0.0 knows no bytes
 */
export function writeMessage(version: Version, topic: string, message: Message): string | Uint8Array | null {
  const { event, payload, meta } = message
  if (version === '2.0.0' && (meta === undefined || typeof payload !== 'string')) {
    const binary = binaryOf(topic, message)
    if (binary !== null) return binary
  }
  if (typeof payload !== 'string') return null
  const beside = meta === undefined ? '' : `,"meta":${JSON.stringify(meta)}`
  const body = `{"type":"broadcast","event":${JSON.stringify(event)},"payload":${payload}${beside}}`
  return writeFrameOf(version, topic, 'broadcast', body)
}

/** Null when a name is too long for its header, which has a byte for the length of each. */
function binaryOf(topic: string, { event, payload, meta }: Message): Uint8Array | null {
  const names = [topic, event, meta === undefined ? '' : JSON.stringify(meta)].map((name) =>
    encoder.encode(name),
  )
  if (names.some(({ length }) => length > 255)) return null
  const body = typeof payload === 'string' ? encoder.encode(payload) : payload
  const sizes = names.map(({ length }) => length)
  const head = [kinds.broadcast, ...sizes, typeof payload === 'string' ? 1 : 0]
  const frame = new Uint8Array(head.length + sizes.reduce((a, b) => a + b, 0) + body.length)
  let at = 0
  for (const part of [Uint8Array.from(head), ...names, body]) {
    frame.set(part, at)
    at += part.length
  }
  return frame
}

/** The message in what a client has sent; null for what is none. */
export function messageOf({ broadcast, payload }: Received): Message | null {
  if (broadcast !== null) {
    const { event, isJson, bytes } = broadcast
    if (!isJson) return { event, payload: bytes }
    try {
      const text = decoder.decode(bytes)
      // What is sent on as JSON must be JSON: it is put between other texts.
      JSON.parse(text)
      return { event, payload: text }
    } catch {
      return null
    }
  }
  const { event, payload: sent = {} } = (payload ?? {}) as Record<string, unknown>
  return typeof event === 'string' ? { event, payload: JSON.stringify(sent) } : null
}
