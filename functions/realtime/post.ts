/**
 * Sends frames to sockets, and knows what they have not read. A socket does not say how much of what was sent still waits; but a client
 * that sends a heartbeat has read the answer to the one before, and all that came before that.
 * @module
 */
import { type Channel, nameOf, roomOf } from './channel.ts'
import { type Frame, type Message, writeFrame, writeMessage } from './frames.ts'
import type { Member, Socket, Sockets } from './sockets.ts'

export class Post {
  readonly #sockets: Sockets
  /** Since the object woke up. */
  sent = 0

  constructor(sockets: Sockets) {
    this.#sockets = sockets
  }

  send(socket: Socket, data: string | Uint8Array): void {
    try {
      socket.ws.send(data)
      socket.sentBytes += data.length
      this.sent++
    } catch {
      // It is closing: its end is told by itself.
    }
  }

  frame(socket: Socket, frame: Frame): void {
    this.send(socket, writeFrame(socket.version, frame))
  }

  reply(
    socket: Socket,
    { joinRef, ref, topic }: Omit<Frame, 'event' | 'payload'>,
    response: unknown,
    status = 'ok',
  ) {
    this.frame(socket, { joinRef, ref, topic, event: 'phx_reply', payload: { status, response } })
  }

  /** Answers a heartbeat. */
  beat(socket: Socket, frame: Frame): void {
    socket.readBytes = socket.answeredBytes
    this.reply(socket, frame, {})
    socket.answeredBytes = socket.sentBytes
  }

  unreadBytes({ sentBytes, readBytes }: Socket): number {
    return sentBytes - readBytes
  }

  system(
    socket: Socket,
    channel: Channel,
    payload: {
      readonly status: 'ok' | 'error'
      readonly message: string
      readonly extension?: string
      readonly position?: string
    },
  ) {
    this.frame(socket, {
      joinRef: channel.joinRef,
      ref: null,
      topic: channel.topic,
      event: 'system',
      payload: { extension: 'system', ...payload, channel: nameOf(channel) },
    })
  }

  /** @param event `phx_close` for good; `phx_error`: the client joins again by itself */
  closed(socket: Socket, { joinRef, topic }: Channel, event: 'phx_close' | 'phx_error' = 'phx_close'): void {
    this.frame(socket, { joinRef, ref: joinRef, topic, event, payload: {} })
  }

  /** To all of a room who may hear it. @returns to how many */
  broadcast(room: string, message: Message, except: Channel | null = null): number {
    const now = Date.now()
    const written = new Map<string, string | Uint8Array | null>()
    let count = 0
    for (const { socket, channel } of this.#sockets.members(room)) {
      if (channel === except || !hears(channel, now)) continue
      let data = written.get(socket.version)
      if (data === undefined) {
        data = writeMessage(socket.version, channel.topic, message)
        written.set(socket.version, data)
      }
      if (data === null) continue
      this.send(socket, data)
      count++
    }
    return count
  }

  /** Tells who sees presence in a channel's room of what has changed there. */
  presence(of: Channel, payload: unknown): void {
    const now = Date.now()
    for (const { socket, channel } of this.#sockets.members(roomOf(of))) {
      if (!channel.seesPresence || !hears(channel, now)) continue
      this.frame(socket, { joinRef: null, ref: null, topic: channel.topic, event: 'presence_diff', payload })
    }
  }
}

/** Whether a channel's caller may hear what is said in it now. */
export function hears({ rights, expiresAt }: Member['channel'], now: number): boolean {
  return rights.join && (expiresAt === null || expiresAt > now)
}
