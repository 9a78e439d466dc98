/**
 * The sockets of an object and the channels that they have joined: in memory by room, and in its storage, as it may sleep in between.
 * @module
 */
import type { Caller } from '../core/caller.ts'
import { type Channel, roomOf } from './channel.ts'
import type { Version } from './frames.ts'
import { Rate } from './rate.ts'

/** What a socket is remembered by. */
interface Kept {
  readonly id: string
  readonly version: Version
  /** Who has opened it. */
  readonly caller: Caller
  readonly apikey: string | null
  /** Who is counted for it; null: nobody. */
  readonly countedAs: string | null
}

export interface Socket extends Kept {
  readonly ws: WebSocket
  readonly channels: Map<string, Channel>
  /** When something was heard of it last, in milliseconds since 1970. */
  heardAt: number
  readonly messages: Rate
  readonly joins: Rate
  /** Bytes that were sent, that were when its last heartbeat was answered, and that are known to have been read. */
  sentBytes: number
  answeredBytes: number
  readBytes: number
  /** What is still being done for it: what it sends is seen to in order. */
  turn: Promise<void> | null
}

/** A channel and its socket. */
export interface Member {
  readonly socket: Socket
  readonly channel: Channel
}

/** What is attached to a socket: bounded, so all that may be long lies in the storage. */
interface Attached {
  readonly id: string
  readonly heardAt: number
}

export class Sockets {
  readonly #state: DurableObjectState
  readonly #byId = new Map<string, Socket>()
  readonly #rooms = new Map<string, Set<Member>>()
  /** Channels whose sockets went while nobody was here to see it: they are to be taken leave of. */
  readonly lost: readonly Channel[]

  constructor(state: DurableObjectState) {
    this.#state = state
    const { sql } = state.storage
    sql.exec('CREATE TABLE IF NOT EXISTS sockets (id TEXT PRIMARY KEY, kept TEXT NOT NULL)')
    sql.exec(
      'CREATE TABLE IF NOT EXISTS channels (socket TEXT NOT NULL, topic TEXT NOT NULL, state TEXT NOT NULL, PRIMARY KEY (socket, topic))',
    )
    const open = new Map(
      state.getWebSockets().map((ws) => [(ws.deserializeAttachment() as Attached).id, ws] as const),
    )
    for (const { id, kept } of sql.exec<{ id: string; kept: string }>('SELECT id, kept FROM sockets')) {
      const ws = open.get(id)
      if (ws) this.#byId.set(id, socketOf(ws, JSON.parse(kept) as Kept))
    }
    const lost: Channel[] = []
    for (const row of sql.exec<{ socket: string; state: string }>('SELECT socket, state FROM channels')) {
      const channel = JSON.parse(row.state) as Channel
      const socket = this.#byId.get(row.socket)
      if (socket) this.#index(socket, channel)
      else lost.push(channel)
    }
    this.lost = lost
    if (this.#byId.size > 0) return
    // Nobody is left.
    sql.exec('DELETE FROM channels')
    sql.exec('DELETE FROM sockets')
  }

  get size(): number {
    return this.#byId.size
  }

  get rooms(): number {
    return this.#rooms.size
  }

  all(): Iterable<Socket> {
    return this.#byId.values()
  }

  /** How many sockets are counted for one caller. */
  countOf(countedAs: string): number {
    return [...this.#byId.values()].filter((socket) => socket.countedAs === countedAs).length
  }

  open(ws: WebSocket, kept: Kept): Socket {
    ws.serializeAttachment({ id: kept.id, heardAt: Date.now() } satisfies Attached)
    this.#state.storage.sql.exec('INSERT INTO sockets VALUES (?, ?)', kept.id, JSON.stringify(kept))
    const socket = socketOf(ws, kept)
    this.#byId.set(kept.id, socket)
    return socket
  }

  /** Undefined for one that was closed. */
  of(ws: WebSocket): Socket | undefined {
    return this.#byId.get((ws.deserializeAttachment() as Attached).id)
  }

  heard(socket: Socket): void {
    socket.heardAt = Date.now()
    socket.ws.serializeAttachment({ id: socket.id, heardAt: socket.heardAt } satisfies Attached)
  }

  members(room: string): ReadonlySet<Member> {
    return this.#rooms.get(room) ?? nobody
  }

  *everybody(): Iterable<Member> {
    for (const members of this.#rooms.values()) yield* members
  }

  join(socket: Socket, channel: Channel): void {
    this.#index(socket, channel)
    this.keep(socket, channel)
  }

  /** Notes what has changed of a channel. */
  keep(socket: Socket, channel: Channel): void {
    this.#state.storage.sql.exec(
      'INSERT OR REPLACE INTO channels VALUES (?, ?, ?)',
      socket.id,
      channel.topic,
      JSON.stringify(channel),
    )
  }

  leave(socket: Socket, channel: Channel): void {
    socket.channels.delete(channel.topic)
    const room = roomOf(channel)
    const members = this.#rooms.get(room)
    for (const member of members ?? []) if (member.channel === channel) members?.delete(member)
    if (members?.size === 0) this.#rooms.delete(room)
    this.#state.storage.sql.exec(
      'DELETE FROM channels WHERE socket = ? AND topic = ?',
      socket.id,
      channel.topic,
    )
  }

  /** @returns the channels that it was in */
  close(socket: Socket): readonly Channel[] {
    const channels = [...socket.channels.values()]
    for (const channel of channels) this.leave(socket, channel)
    this.#byId.delete(socket.id)
    this.#state.storage.sql.exec('DELETE FROM sockets WHERE id = ?', socket.id)
    return channels
  }

  #index(socket: Socket, channel: Channel): void {
    socket.channels.set(channel.topic, channel)
    const room = roomOf(channel)
    const members = this.#rooms.get(room) ?? new Set()
    members.add({ socket, channel })
    this.#rooms.set(room, members)
  }
}

const nobody: ReadonlySet<Member> = new Set()

function socketOf(ws: WebSocket, kept: Kept): Socket {
  const { heardAt } = ws.deserializeAttachment() as Attached
  return {
    ...kept,
    ws,
    heardAt,
    channels: new Map(),
    messages: new Rate(),
    joins: new Rate(),
    sentBytes: 0,
    answeredBytes: 0,
    readBytes: 0,
    turn: null,
  }
}
