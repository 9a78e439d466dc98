/**
 * The bytes of bodies that an isolate is at work on: read, parsed, or gathered into a part of a file. Nobody can let go of them, so they
 * are let in: what does not fit waits a moment, unread, and is then refused. One alone always fits, small bodies have a share that
 * large ones cannot take, and one caller's leave room for those of others.
 * @module
 */
import { pause } from '../../db/cluster/pause.ts'
import type { IsolateBudget, Keeper } from '../../db/memory/isolate-budget.ts'
import { errors } from './errors.ts'

/** Bodies up to so many bytes are small. */
const smallBytes = 262_144
/** The share of all that large ones may take. */
const largeShare = 0.75
/** How long who comes waits for room, and how often they look, in milliseconds. */
const waitMs = 3000
const lookMs = 20
/** More that wait are refused at once; of one caller, these. */
const maxWaiting = 200
const maxWaitingOfOne = 50
/** Up to this share of all, anybody takes what they want; beyond it, whose bodies have this share already waits. */
const freeShare = 0.5
const callerShare = 0.25
/** A body that has brought nothing for so long, or less than so much on the whole, makes room for others. */
const stallMs = 10_000
const slowBytesPerMs = 16
/** After how long work on a body that was read is taken to have ended with its request, in milliseconds. */
const lostMs = 60_000

/** Room that somebody has. */
export class Room {
  readonly #pending: PendingWork
  readonly #since = Date.now()
  #touched = Date.now()
  /** Whose it is; null: nobody's, who may have any share. */
  readonly caller: string | null
  #bytes: number
  #came = 0
  #isRead = false
  #isLost = false
  /** Lets go of what was read: nobody else can, as it belongs to another request. */
  onLost: () => void = () => undefined

  constructor(pending: PendingWork, caller: string | null) {
    this.#pending = pending
    this.caller = caller
    this.#bytes = 0
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Whether it was given to others, as its owner was too slow. */
  get isLost(): boolean {
    return this.#isLost
  }

  /** Whether others wait for room. */
  get isWanted(): boolean {
    return this.#pending.waiting > 0
  }

  /** Notes that so many bytes came. */
  came(bytes: number): void {
    this.#came += bytes
    this.#touched = Date.now()
  }

  /** All has come, and is worked on. */
  read(): void {
    this.#isRead = true
    this.#touched = Date.now()
  }

  /** Takes as much as is needed now; less is given back at once. @throws 503 when there is no room */
  async resize(bytes: number, ms?: number): Promise<void> {
    if (bytes > this.#bytes) await this.#pending.grow(this, bytes - this.#bytes, ms)
    else this.take(bytes - this.#bytes)
  }

  take(bytes: number): void {
    this.#bytes += bytes
    this.#pending.changed(this)
  }

  release(): void {
    this.#bytes = 0
    this.#pending.forget(this)
  }

  /** Gives its room to others when its owner is gone or too slow. */
  lapse(now: number): void {
    const age = now - this.#since
    const isSlow = now - this.#touched > stallMs || (age > stallMs && this.#came / age < slowBytesPerMs)
    if (this.#isRead ? now - this.#touched <= lostMs : !isSlow) return
    this.#isLost = true
    this.onLost()
    this.release()
  }
}

export class PendingWork implements Keeper {
  readonly name = 'pending'
  readonly floorBytes = Number.POSITIVE_INFINITY
  readonly weight = 1
  readonly #maxBytes: number
  readonly #budget: IsolateBudget | null
  readonly #rooms = new Set<Room>()
  readonly #ofRequests = new WeakMap<Request, Room>()
  readonly #callers = new WeakMap<Request, string>()
  readonly #waitingOf = new Map<string, number>()
  #waiting = 0
  #refused = 0

  /** @param maxBytes of all that is worked on at a time */
  constructor(maxBytes: number, budget: IsolateBudget | null = null) {
    this.#maxBytes = maxBytes
    this.#budget = budget
    budget?.register(this)
  }

  get bytes(): number {
    let sum = 0
    for (const room of this.#rooms) sum += room.bytes
    return sum
  }

  get entries(): number {
    return this.#rooms.size
  }

  get waiting(): number {
    return this.#waiting
  }

  /** How many were refused so far. */
  get refused(): number {
    return this.#refused
  }

  evict(): boolean {
    return false
  }

  /** Notes who sends a request. @param caller null: who may have any share */
  sentBy(request: Request, caller: string | null): void {
    if (caller !== null) this.#callers.set(request, caller)
  }

  /**
   * @param ms how long it waits for room
   * @param request whose bytes they are
   * @throws 503 when there is none, and none becomes free in time
   */
  async enter(bytes: number, ms = waitMs, request: Request | null = null): Promise<Room> {
    const room = new Room(this, (request && this.#callers.get(request)) ?? null)
    await this.grow(room, bytes, ms)
    return room
  }

  /** The room of a request, until `done` is called for it. */
  async enterFor(request: Request, bytes: number, ms = waitMs): Promise<Room> {
    this.done(request)
    const room = await this.enter(bytes, ms, request)
    this.#ofRequests.set(request, room)
    // The platform may end the request of a client that has gone without a further word.
    request.signal?.addEventListener('abort', () => room.release(), { once: true })
    return room
  }

  /** Whether a request may have so much at once. */
  hasRoomFor(request: Request, bytes: number): boolean {
    return this.#fits(new Room(this, this.#callers.get(request) ?? null), bytes)
  }

  /** Sees to it that a request which has room has so much. @throws 503 when there is none */
  async atLeast(request: Request, bytes: number): Promise<void> {
    const room = this.#ofRequests.get(request)
    if (room && bytes > room.bytes) await room.resize(bytes)
  }

  done(request: Request): void {
    this.#ofRequests.get(request)?.release()
    this.#ofRequests.delete(request)
  }

  async grow(room: Room, bytes: number, ms = waitMs): Promise<void> {
    if (this.#fits(room, bytes)) return room.take(bytes)
    const { caller } = room
    const ofCaller = (caller !== null && this.#waitingOf.get(caller)) || 0
    if (this.#waiting < maxWaiting && ofCaller < maxWaitingOfOne) {
      this.#waits(caller, 1)
      try {
        for (const until = Date.now() + ms; Date.now() < until; ) {
          await pause(lookMs * (0.5 + Math.random()))
          if (this.#fits(room, bytes)) return room.take(bytes)
        }
      } finally {
        this.#waits(caller, -1)
      }
    }
    this.#refused++
    throw errors.tooMuchPending(this.#maxBytes)
  }

  #waits(caller: string | null, by: 1 | -1): void {
    this.#waiting += by
    if (caller === null) return
    const left = (this.#waitingOf.get(caller) ?? 0) + by
    if (left === 0) this.#waitingOf.delete(caller)
    else this.#waitingOf.set(caller, left)
  }

  changed(room: Room): void {
    this.#rooms.add(room)
    this.#budget?.settle()
  }

  forget(room: Room): void {
    this.#rooms.delete(room)
  }

  #fits(room: Room, bytes: number): boolean {
    if (this.#hasRoom(room, bytes)) return true
    const now = Date.now()
    for (const other of this.#rooms) if (other !== room) other.lapse(now)
    return this.#hasRoom(room, bytes)
  }

  #hasRoom(room: Room, bytes: number): boolean {
    const isSmall = room.bytes + bytes <= smallBytes
    const max = isSmall ? this.#maxBytes : this.#maxBytes * largeShare
    let others = 0
    let ofCaller = 0
    let isAlone = true
    for (const other of this.#rooms) {
      if (other === room) continue
      others += other.bytes
      if (room.caller !== null && other.caller === room.caller) ofCaller += other.bytes
      if (other.bytes > smallBytes) isAlone = false
    }
    const wanted = room.bytes + bytes
    if (!isSmall && isAlone && ofCaller === 0) return true
    const all = others + wanted
    // Who has nothing yet is let in: their first is no larger than what is left.
    const isFair =
      ofCaller === 0 || all <= freeShare * this.#maxBytes || ofCaller + wanted <= callerShare * this.#maxBytes
    return isFair && all <= max
  }
}
