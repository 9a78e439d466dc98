/**
 * The object that holds the sockets: it hibernates while nothing is sent, so that it is woken by messages alone. Its storage has what its
 * memory loses meanwhile.
 * @module
 */
import { DurableObject } from 'cloudflare:workers'
import type { CoreEnv, HubBatch, HubCalls, HubMessage, HubStatus } from '../core/context.ts'
import { ChangeDesk } from './change-desk.ts'
import { type Channel, topicPrefix } from './channel.ts'
import { type Desk, leave, shut, take } from './conversation.ts'
import { readFrame } from './frames.ts'
import { type Opened, openedHeader } from './open-socket.ts'
import { Post } from './post.ts'
import { untrack } from './presence.ts'
import type { Engine, Services } from './services.ts'
import { type Socket, Sockets } from './sockets.ts'

/** What it works with. */
export interface HubParts {
  readonly engine: Engine
  readonly services: Services
}

/** How often it looks for sockets that are silent and tokens that have expired, in milliseconds. */
const lookEveryMs = 15_000

/**
 * The class that `wrangler.toml` names, for an app.
 *
 * @param open reads the app, as its rows lie now
 */
export function createHub(
  open: (env: CoreEnv) => Promise<HubParts>,
): new (
  state: DurableObjectState,
  env: CoreEnv,
) => HubCalls & DurableObject<CoreEnv> {
  return class Realtime extends DurableObject<CoreEnv> {
    readonly #sockets: Sockets
    readonly #post: Post
    readonly #changes: ChangeDesk

    constructor(state: DurableObjectState, env: CoreEnv) {
      super(state, env)
      this.#sockets = new Sockets(state)
      this.#post = new Post(this.#sockets)
      this.#changes = new ChangeDesk(state, this.#sockets, this.#post)
      for (const channel of this.#sockets.lost) this.#takeLeave(channel)
    }

    override async fetch(request: Request): Promise<Response> {
      const { version, caller, apikey, countedAs } = JSON.parse(
        request.headers.get(openedHeader) ?? '',
      ) as Opened
      const { config } = (await open(this.env)).engine
      const { 0: client, 1: server } = new WebSocketPair()
      if (countedAs !== null && this.#sockets.countOf(countedAs) >= config.realtimeSocketsPerCaller) {
        return new Response(null, { status: 429 })
      }
      this.ctx.acceptWebSocket(server)
      this.#sockets.open(server, { id: crypto.randomUUID(), version, caller, apikey, countedAs })
      if ((await this.ctx.storage.getAlarm()) === null)
        await this.ctx.storage.setAlarm(Date.now() + lookEveryMs)
      return new Response(null, { status: 101, webSocket: client })
    }

    override async webSocketMessage(ws: WebSocket, data: string | ArrayBuffer): Promise<void> {
      const socket = this.#sockets.of(ws)
      if (!socket) return
      this.#sockets.heard(socket)
      const frame = readFrame(socket.version, data)
      if (frame === null) return this.#close(socket, 1003, 'The frame is not understood')
      if (frame.topic === 'phoenix') {
        if (frame.event === 'heartbeat') this.#post.beat(socket, frame)
        return
      }
      const before = socket.turn
      const work = async () => {
        await before
        const { engine, services } = await open(this.env)
        const desk = this.#desk({ engine, services })
        const channel = socket.channels.get(frame.topic)
        const count = socket.messages.add()
        if (channel && count > engine.config.realtimeMessagesPerSecond) {
          return shut(desk, socket, channel, 'Too many messages per second')
        }
        await take(desk, socket, frame)
      }
      const turn = work().catch(() => this.#close(socket, 1011, 'It has failed'))
      socket.turn = turn
      await turn
      if (socket.turn === turn) socket.turn = null
    }

    override async webSocketClose(ws: WebSocket, code: number, reason: string): Promise<void> {
      const socket = this.#sockets.of(ws)
      if (socket) this.#forget(socket)
      // Hibernation does not answer close frames by itself. 1005 and 1006 say that there was none, and are never sent.
      if (ws.readyState !== WebSocket.CLOSED) ws.close(code === 1005 || code === 1006 ? 1000 : code, reason)
    }

    override async webSocketError(ws: WebSocket): Promise<void> {
      const socket = this.#sockets.of(ws)
      if (socket) this.#forget(socket)
    }

    override async alarm(): Promise<void> {
      const now = Date.now()
      const { config } = (await open(this.env)).engine
      for (const socket of [...this.#sockets.all()]) {
        if (socket.heardAt < now - config.realtimeSilenceSeconds * 1000) {
          this.#close(socket, 1002, 'No heartbeat')
          continue
        }
        for (const channel of [...socket.channels.values()]) {
          if (channel.expiresAt !== null && channel.expiresAt <= now) {
            const seconds = Math.floor((now - channel.expiresAt) / 1000)
            shut(this.#talk, socket, channel, `Token has expired ${seconds} seconds ago`)
          }
        }
      }
      if (this.#sockets.size > 0) await this.ctx.storage.setAlarm(now + lookEveryMs)
    }

    // --- what others ask of it -------------------------------------------------------------------------------------

    async broadcast(messages: readonly HubMessage[]): Promise<void> {
      for (const { topic, isPrivate, event, payload } of messages) {
        const room = `${isPrivate ? 'private' : 'public'}\n${topicPrefix}${topic}`
        this.#post.broadcast(room, { event, payload })
      }
    }

    async followed(): Promise<readonly string[]> {
      return this.#changes.followed()
    }

    async tell(batch: HubBatch): Promise<void> {
      await this.#changes.tell(batch, await open(this.env), (work) => this.ctx.waitUntil(work))
    }

    async status(): Promise<HubStatus> {
      const { size, rooms } = this.#sockets
      return { sockets: size, topics: rooms, sent: this.#post.sent, ...this.#changes.counts }
    }

    // -----------------------------------------------------------------------------------------------------------------

    get #talk(): Pick<Desk, 'sockets' | 'post'> {
      return { sockets: this.#sockets, post: this.#post }
    }

    #desk(parts: HubParts): Desk {
      const later = (work: Promise<unknown>) => this.ctx.waitUntil(work)
      return {
        ...parts,
        ...this.#talk,
        follow: (socket, channel, since) => this.#changes.follow(socket, channel, since, parts, later),
      }
    }

    #close(socket: Socket, code: number, reason: string): void {
      for (const channel of [...socket.channels.values()]) leave(this.#talk, socket, channel, 'phx_error')
      this.#forget(socket)
      socket.ws.close(code, reason)
    }

    #forget(socket: Socket): void {
      for (const channel of this.#sockets.close(socket)) this.#takeLeave(channel)
    }

    #takeLeave(channel: Channel): void {
      const diff = untrack(channel)
      if (diff) this.#post.presence(channel, diff)
    }
  }
}
