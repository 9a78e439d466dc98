/**
 * The bytes of bodies that an isolate is at work on: read, parsed, or gathered into a part of a file. Nobody can let go of them, so they
 * are let in: what does not fit waits a moment, unread, and is then refused. One alone always fits, and small bodies have a share that
 * large ones cannot take.
 * @module
 */
import { pause } from '../db/cluster/database.ts'
import { errors } from './errors.ts'
import type { IsolateBudget, Keeper } from './isolate-budget.ts'

/** Bodies up to so many bytes are small. */
const smallBytes = 262_144
/** The share of all that large ones may take. */
const largeShare = 0.75
/** How long who comes waits for room, and how often they look, in milliseconds. */
const waitMs = 3000
const lookMs = 20
/** More that wait are refused at once. */
const maxWaiting = 200
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
  #bytes: number
  #came = 0
  #isRead = false
  #isLost = false
  /** Lets go of what was read: nobody else can, as it belongs to another request. */
  onLost: () => void = () => undefined

  constructor(pending: PendingWork, bytes: number) {
    this.#pending = pending
    this.#bytes = bytes
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

  /**
   * @param ms how long it waits for room
   * @throws 503 when there is none, and none becomes free in time
   */
  async enter(bytes: number, ms = waitMs): Promise<Room> {
    const room = new Room(this, 0)
    await this.grow(room, bytes, ms)
    return room
  }

  /** The room of a request, until `done` is called for it. */
  async enterFor(request: Request, bytes: number): Promise<Room> {
    this.done(request)
    const room = await this.enter(bytes)
    this.#ofRequests.set(request, room)
    // The platform may end the request of a client that has gone without a further word.
    request.signal?.addEventListener('abort', () => room.release(), { once: true })
    return room
  }

  done(request: Request): void {
    this.#ofRequests.get(request)?.release()
    this.#ofRequests.delete(request)
  }

  async grow(room: Room, bytes: number, ms = waitMs): Promise<void> {
    if (this.#fits(room, bytes)) return room.take(bytes)
    if (this.#waiting < maxWaiting) {
      this.#waiting++
      try {
        for (const until = Date.now() + ms; Date.now() < until; ) {
          await pause(lookMs * (0.5 + Math.random()))
          if (this.#fits(room, bytes)) return room.take(bytes)
        }
      } finally {
        this.#waiting--
      }
    }
    this.#refused++
    throw errors.tooMuchPending(this.#maxBytes)
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
    let isAlone = true
    for (const other of this.#rooms) {
      if (other === room) continue
      others += other.bytes
      if (other.bytes > smallBytes) isAlone = false
    }
    return others + room.bytes + bytes <= max || (!isSmall && isAlone)
  }
}
