/**
 * Tells the channels of an object of changes, one batch after the other, and those that come back of what they have missed.
 * @module
 */

import { sealingSecretOf } from '../core/config.ts'
import type { HubBatch } from '../core/context.ts'
import { Sealer } from '../core/sealer.ts'
import { changesBetween, readLogBounds } from './change-source.ts'
import { type Channel, nameOf } from './channel.ts'
import { leave } from './conversation.ts'
import { emit } from './events.ts'
import { writeFrameOf } from './frames.ts'
import { hears, type Post } from './post.ts'
import type { Source } from './seen-rows.ts'
import type { Engine, Services } from './services.ts'
import type { Member, Socket, Sockets } from './sockets.ts'
import { type Told, tellChanges } from './tell-changes.ts'

interface Parts {
  readonly engine: Engine
  readonly services: Services
}

type Later = (work: Promise<unknown>) => void

const readAnew = 'Changes were missed: read the rows anew'

export class ChangeDesk {
  readonly #state: DurableObjectState
  readonly #sockets: Sockets
  readonly #post: Post
  /** Channels that are being told of what they have missed, and of nothing else meanwhile. */
  readonly #catchingUp = new Set<Channel>()
  #turn: Promise<unknown> = Promise.resolve()
  #sealer: Sealer | null = null
  #told = 0
  #dropped = 0

  constructor(state: DurableObjectState, sockets: Sockets, post: Post) {
    this.#state = state
    this.#sockets = sockets
    this.#post = post
    state.storage.sql.exec(
      'CREATE TABLE IF NOT EXISTS told (database TEXT PRIMARY KEY, sequence INTEGER NOT NULL)',
    )
  }

  /** Changes told and readers dropped since the object woke up. */
  get counts(): { readonly changes: number; readonly dropped: number } {
    return { changes: this.#told, dropped: this.#dropped }
  }

  /** Names in SQL of the tables that somebody wants to be told of. */
  followed(): readonly string[] {
    const names = new Set<string>()
    for (const { channel } of this.#sockets.everybody()) {
      for (const { tables } of channel.subscriptions) for (const name of tables) names.add(name)
    }
    return [...names]
  }

  /** @throws what databases fail with: then it is to be told again */
  tell(batch: HubBatch, parts: Parts, later: Later): Promise<void> {
    return this.#inTurn(() => this.#tell(batch, parts, later))
  }

  /** Lets a channel go on from a position; it is told of what others are told from then on. */
  async follow(
    socket: Socket,
    channel: Channel,
    since: string | null,
    parts: Parts,
    later: Later,
  ): Promise<void> {
    this.#catchingUp.add(channel)
    try {
      await this.#inTurn(() => this.#catchUp({ socket, channel }, since, parts, later))
    } finally {
      this.#catchingUp.delete(channel)
    }
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const turn = this.#turn.then(work)
    this.#turn = turn.catch(() => undefined)
    return turn
  }

  async #tell(
    { database, changes, upTo, last, hasGap, seen }: HubBatch,
    parts: Parts,
    later: Later,
  ): Promise<void> {
    const { sql } = this.#state.storage
    const [row] = [
      ...sql.exec<{ sequence: number }>('SELECT sequence FROM told WHERE database = ?', database),
    ]
    const told = row?.sequence ?? 0
    // A database that was put back in time has numbers again that it had before.
    const wentBack = told > last
    if (wentBack || hasGap) this.#tellAllToReadAnew(database, wentBack ? last : null)
    const fresh = wentBack ? changes : changes.filter(({ sequence }) => sequence > told)
    const members = [...this.#sockets.everybody()].filter(
      ({ channel }) => channel.subscriptions.length > 0 && !this.#catchingUp.has(channel),
    )
    const source = { database, seen: new Map(seen), later }
    const callers = new Map(members.map((member) => [member, member.channel.caller]))
    const messages = await tellChanges(fresh, members, source, parts.engine, parts.services)
    // Whose token was replaced meanwhile is told by the rights of the new one.
    const renewed = new Set(members.filter((member) => callers.get(member) !== member.channel.caller))
    const again = await tellChanges(fresh, renewed, source, parts.engine, parts.services)
    const due =
      renewed.size === 0 ? messages : [...messages.filter(({ member }) => !renewed.has(member)), ...again]
    await this.#deliver(due, source, parts)
    sql.exec('INSERT OR REPLACE INTO told VALUES (?, ?)', database, upTo)
    await this.#advance(members, database, upTo, due, parts)
  }

  /** Sends what is due, where a channel is still there and may still hear it. */
  async #deliver(
    due: readonly Told[],
    { database, seen }: Source,
    { engine, services }: Parts,
  ): Promise<void> {
    if (due.length === 0) return
    const session = JSON.stringify(await services.sessions.write(seen))
    const seals = new Map<string, string>()
    const now = Date.now()
    for (const { member, sequence, body } of due) {
      const { socket, channel } = member
      const { positions } = channel
      if (socket.channels.get(channel.topic) !== channel || !hears(channel, now)) continue
      let position = ''
      if (positions !== null) {
        if ((positions[database] ?? 0) >= sequence) continue
        const at = JSON.stringify({ ...positions, [database]: sequence })
        const sealed = seals.get(at) ?? (await this.#seal(at, services))
        seals.set(at, sealed)
        position = `,"position":${JSON.stringify(sealed)}`
      }
      const unread = this.#post.unreadBytes(socket)
      if (unread > engine.config.realtimeMaxUnreadBytes) {
        this.#drop(member, unread)
        continue
      }
      const payload = `{${body}${position},"session":${session}}`
      this.#post.send(socket, writeFrameOf(socket.version, channel.topic, 'postgres_changes', payload))
      this.#told++
    }
  }

  /** It is told so, and joins again by itself: from its position, if it has one. */
  #drop({ socket, channel }: Member, unreadBytes: number): void {
    this.#dropped++
    emit({ kind: 'realtime-slow-reader', topic: nameOf(channel), unreadBytes })
    this.#post.system(socket, channel, { extension: 'postgres_changes', status: 'error', message: readAnew })
    leave({ sockets: this.#sockets, post: this.#post }, socket, channel, 'phx_error')
  }

  /** Notes how far channels have come that ask for it, and tells those who were told something. */
  async #advance(
    members: readonly Member[],
    database: string,
    upTo: number,
    due: readonly Told[],
    { services }: Parts,
  ): Promise<void> {
    const told = new Set(due.map(({ member }) => member))
    for (const member of members) {
      const { socket, channel } = member
      if (channel.positions === null || socket.channels.get(channel.topic) !== channel) continue
      channel.positions = {
        ...channel.positions,
        [database]: Math.max(upTo, channel.positions[database] ?? 0),
      }
      this.#sockets.keep(socket, channel)
      if (told.has(member)) await this.#tellPosition(member, services)
    }
  }

  async #tellPosition({ socket, channel }: Member, services: Services): Promise<void> {
    const position = await this.#seal(JSON.stringify(channel.positions), services)
    this.#post.system(socket, channel, {
      extension: 'postgres_changes',
      status: 'ok',
      message: 'Position',
      position,
    })
  }

  async #catchUp(member: Member, since: string | null, parts: Parts, later: Later): Promise<void> {
    const { engine, services } = parts
    const { socket, channel } = member
    const session = services.cluster.open({ reads: false, seen: new Map() })
    const opened = since === null ? null : await this.#open(since, services)
    let isComplete = since === null || opened !== null
    for (const database of services.cluster.databases) {
      const { last, cut } = await readLogBounds(session, database)
      const from = opened === null ? last : (opened[database] ?? 0)
      if (from < cut || from > last || last - from > engine.config.realtimeMaxMissed) isComplete = false
      else {
        channel.positions = { ...channel.positions, [database]: from }
        for (let at = from; at < last; ) {
          const changes = await changesBetween(session, database, at, last)
          at = changes.at(-1)?.sequence ?? last
          const own = changes.filter(({ table }) => this.#isToldOf(table, database, parts))
          const source = { database, seen: session.bookmarks, later }
          await this.#deliver(await tellChanges(own, [member], source, engine, services), source, parts)
        }
      }
      channel.positions = { ...channel.positions, [database]: last }
    }
    if (socket.channels.get(channel.topic) !== channel) return
    this.#sockets.keep(socket, channel)
    if (!isComplete) {
      this.#post.system(socket, channel, {
        extension: 'postgres_changes',
        status: 'error',
        message: readAnew,
      })
    }
    await this.#tellPosition(member, services)
  }

  /** Of reference tables, the primary database tells. */
  #isToldOf(name: string, database: string, { engine, services }: Parts): boolean {
    const table = engine.catalog.tables.get(name)
    return database === services.cluster.primary || table?.placement.kind === 'distributed'
  }

  /** @param last where those go on that ask for positions; null: where they are */
  #tellAllToReadAnew(database: string, last: number | null): void {
    for (const { socket, channel } of this.#sockets.everybody()) {
      if (channel.subscriptions.length === 0) continue
      if (channel.positions !== null && last !== null) {
        channel.positions = { ...channel.positions, [database]: last }
      }
      this.#post.system(socket, channel, {
        extension: 'postgres_changes',
        status: 'error',
        message: readAnew,
      })
    }
  }

  #seal(positions: string, { keys }: Services): Promise<string> {
    this.#sealer ??= new Sealer('atoll-realtime', sealingSecretOf(keys))
    return this.#sealer.seal(positions)
  }

  async #open(sealed: string, { keys }: Services): Promise<Record<string, number> | null> {
    this.#sealer ??= new Sealer('atoll-realtime', sealingSecretOf(keys))
    const opened = await this.#sealer.open(sealed)
    return typeof opened === 'string' ? (JSON.parse(opened) as Record<string, number>) : null
  }
}
