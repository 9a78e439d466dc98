/**
 * The mover: takes the next move a step further. Each step can be made again, and what is noted after it says where to go on, so a mover that
 * dies is followed by another one.
 * @module
 */
import { bringUpCopies } from '../cluster/bring-up-copies.ts'
import { ConstraintError, MoveRefused } from '../errors/constraint-error.ts'
import { parseMap } from '../slots/shard-map.ts'
import { quoteName } from '../sql/quote.ts'
import { copyMarks, indexEntries, unindexEntries } from './beside-rows.ts'
import { endCancelled } from './cancel-move.ts'
import { type Manifest, plain } from './cargo.ts'
import { type HandOver, handOver, manifestsOf } from './hand-over.ts'
import { beforeAll, lookForStrays, noLook } from './look-at.ts'
import { isMine, showToken, takeToken } from './mover-token.ts'
import type { MoverWorld } from './mover-world.ts'
import { type Move, nextMove, noteProgress, noteTrouble, type Progress, turnMove } from './moves.ts'
import { both, firstRows, nextPiece, rowsAfter, withPause } from './pieces.ts'
import { keepLogFromEnd, logEnd } from './read-rows.ts'
import { epochOf, readMapRow, slotsOf } from './slot-states.ts'
import { type Carrier, catchUp, copyChunk, cursorOf, stagedSlots } from './staging.ts'

/** So far behind the log slots are closed at most: what is left then takes a few calls. */
const closingLag = 50
/** Rows that the first look at a table takes in. */
const firstChunk = 50
/** How often rows are copied from the beginning before a move is given up. */
const maxRestarts = 5

/** What a step has left to do: more at once, more later, or nothing. */
export type Left = 'at once' | 'later' | 'nothing'

/** One mover, for as long as no younger one takes over. */
export class Mover {
  readonly #world: MoverWorld
  #token: number | null = null
  /** Databases that know the token. */
  readonly #shown = new Set<string>()

  constructor(world: MoverWorld) {
    this.#world = world
  }

  /**
   * Makes the next step of the move whose turn it is.
   *
   * @throws MoveRefused when a younger mover has taken over; whatever databases say, after which the step is made again
   */
  async step(): Promise<Left> {
    const { session, now } = this.#world
    if (this.#token === null) {
      if ((await nextMove(session)) === null) return 'nothing'
      this.#token = await takeToken(session)
    }
    // Read under the token: what an older mover has just ended is not begun again.
    const move = await nextMove(session)
    if (move === null) return 'nothing'
    const carrier: Carrier = { session, move, token: this.#token }
    for (const database of ['DB', move.source, move.target]) {
      if (this.#shown.has(database)) continue
      await showToken(session, database, this.#token)
      this.#shown.add(database)
    }
    try {
      return await this.#stepOf(move, carrier)
    } catch (error) {
      if (error instanceof MoveRefused && error.why === 'overtaken') throw error
      // What rows are, trying again does not change.
      const isOver = error instanceof MoveRefused || error instanceof ConstraintError
      if (isOver) await leave(carrier)
      await session.primary([isMine(this.#token), noteTrouble(move.id, textOf(error), isOver, now())])
      if (isOver) return 'at once'
      throw error
    }
  }

  async #stepOf(move: Move, carrier: Carrier): Promise<Left> {
    const { session, now } = this.#world
    const { token } = carrier
    const [source, target] = await manifestsOf(carrier, this.#world)
    let { progress } = move
    if (progress?.piece) return this.#handOver(move, progress, carrier, source, target)
    if (move.state === 'cancelling') {
      await leave(carrier)
      await session.primary([isMine(token), ...endCancelled(move, now())])
      return 'at once'
    }
    if (progress === null || progress.shape !== source.shape) {
      progress = await this.#begin(carrier, source, progress)
      await this.#note(move, progress)
      return 'at once'
    }
    const next = source.cargo[progress.tables]
    if (next) progress = await copyChunk(carrier, next, progress)
    const caught = await catchUp(carrier, source.cargo, progress.position)
    if (caught === null) return this.#again(move, progress, carrier)
    progress = { ...progress, position: caught.position, lag: caught.lag }
    await session.on(move.source, [isMine(token), keepLog(move, progress.position)])
    if (next || caught.lag > closingLag) {
      await this.#note(move, progress)
      return 'at once'
    }
    if (progress.marksFrom === null) {
      const marksFrom = now()
      await copyMarks(carrier, null)
      await this.#note(move, { ...progress, marksFrom, since: [progress.since[0], marksFrom] })
      return 'at once'
    }
    // What is to be handed over may refer to reference rows that the target lacks yet.
    await bringUpCopies(session, this.#world.catalog, [move.target])
    const held = await slotsOf(session, move.source)
    if (held.epoch !== progress.epoch) return this.#again(move, progress, carrier)
    const staged = await stagedSlots(carrier)
    const left = both(move.ranges, held.slots)
    const piece = nextPiece(left, staged, progress.pieceRows)
    if (piece === null) {
      const before = progress.strays ?? noLook
      const strays = await lookForStrays(session, move.source, source.cargo, held.slots, before)
      if (strays !== before) {
        await this.#note(move, { ...progress, strays })
        return 'at once'
      }
      if (strays.found > 0) this.#world.strayed(move.source, strays.found)
      await leave(carrier)
      await session.primary([
        isMine(token),
        turnMove(move.id, ['waiting', 'running', 'paused'], 'done', now()),
      ])
      return 'at once'
    }
    const [first, last] = piece.slots
    await this.#note(move, {
      ...progress,
      piece: {
        first,
        last,
        rows: piece.rows,
        from: progress.epoch,
        epoch: await this.#nextEpoch(move),
      },
    })
    return 'at once'
  }

  /** Begins to copy, or begins anew when the tables have changed. */
  async #begin(carrier: Carrier, { shape, cargo }: Manifest, before: Progress | null): Promise<Progress> {
    const { session, move, token } = carrier
    // In one transaction: what is cut off between a look at the end and the hold on it would be lost unseen.
    const [, , , [end] = [], , [shard] = [], ...counts] = await session.on(move.source, [
      isMine(token),
      forgetLost(move),
      keepLogFromEnd(cursorOf(move)),
      logEnd,
      indexEntries,
      plain('SELECT epoch FROM _atoll_shard'),
      ...cargo.map(({ name }) => plain(`SELECT count(*) AS n FROM ${quoteName(name)}`)),
    ])
    const position = Number(end?.n ?? 0)
    const fresh: Progress = {
      shape,
      epoch: Number(shard?.epoch),
      position,
      tables: 0,
      after: beforeAll,
      chunk: firstChunk,
      looked: 0,
      total: counts.reduce((sum, [row]) => sum + Number(row?.n), 0),
      rows: 0,
      bytes: 0,
      handedRows: 0,
      lag: 0,
      since: [this.#world.now(), null],
      marksFrom: null,
      handed: [],
      piece: null,
      pieceRows: firstRows,
      pauses: { count: 0, longestMs: 0, lastMs: 0, shortestMs: 0 },
      strays: null,
      restarts: 0,
    }
    if (before === null) return fresh
    await session.on(move.target, [isMine(token), dropStaging(move)])
    const { handed, pieceRows, pauses, restarts } = before
    return { ...fresh, handed, pieceRows, pauses, restarts: restarts + 1 }
  }

  /** The log is cut off behind where staging is: rows are copied from the beginning. */
  async #again(move: Move, progress: Progress, carrier: Carrier): Promise<Left> {
    if (progress.restarts >= maxRestarts) {
      await leave(carrier)
      const why =
        'rows had to be copied from the beginning several times: the change log was cut off before it was read, or slots changed hands otherwise'
      await this.#world.session.primary([
        isMine(carrier.token),
        noteTrouble(move.id, why, true, this.#world.now()),
      ])
      return 'at once'
    }
    await this.#note(move, { ...progress, shape: '' })
    return 'at once'
  }

  async #handOver(
    move: Move,
    progress: Progress,
    carrier: Carrier,
    source: Manifest,
    target: Manifest,
  ): Promise<Left> {
    const { now } = this.#world
    const { marksFrom } = progress
    const piece = progress.piece as NonNullable<Progress['piece']>
    const isWanted = move.state === 'waiting' || move.state === 'running'
    // Another mover may have closed it long ago.
    const closedAt = now()
    const work: HandOver = { carrier, world: this.#world, source, target, piece, marksFrom }
    const isWhole = isWanted && progress.shape === source.shape
    const handed = await handOver(work, progress.position, isWhole)
    if (handed === 'not yet') {
      await this.#note(move, { ...progress, piece: null })
      return isWhole ? 'later' : 'at once'
    }
    const ms = now() - closedAt
    const pauses = withPause(progress.pauses, ms)
    await this.#note(move, {
      ...progress,
      piece: null,
      epoch: piece.epoch,
      handed: [...progress.handed, [piece.first, piece.last]],
      handedRows: progress.handedRows + piece.rows,
      pieceRows: rowsAfter(progress.pieceRows, piece.rows, ms, pauses.shortestMs),
      marksFrom: closedAt,
      pauses,
    })
    return 'at once'
  }

  /** Higher than any database and the map is at. */
  async #nextEpoch({ source, target }: Move): Promise<number> {
    const { session } = this.#world
    const map = parseMap(await readMapRow(session))
    const epochs = await Promise.all([source, target].map((name) => epochOf(session, name)))
    return Math.max(map?.epoch ?? 0, ...epochs) + 1
  }

  async #note(move: Move, progress: Progress): Promise<void> {
    await this.#world.session.primary(noteProgress(move.id, progress, this.#token ?? 0, this.#world.now()))
  }
}

/** Lets the source keep its log from a position on. */
function keepLog(move: Carrier['move'], position: number) {
  return {
    text: 'INSERT INTO _atoll_cursors VALUES (?1, CAST(?2 AS INTEGER)) ON CONFLICT DO UPDATE SET sequence = excluded.sequence',
    parameters: [cursorOf(move), String(position)],
  }
}

const forgetLost = (move: Carrier['move']) => ({
  text: 'DELETE FROM _atoll_cursors WHERE consumer = ?1',
  parameters: [`${cursorOf(move)}:lost`],
})

const dropStaging = ({ id }: Carrier['move']) => ({
  text: 'DELETE FROM _atoll_incoming WHERE move = ?1',
  parameters: [id],
})

/** Takes away what a move that is over has left. */
async function leave({ session, move, token }: Carrier): Promise<void> {
  await session.on(move.target, [isMine(token), dropStaging(move)])
  await session.on(move.source, [
    isMine(token),
    unindexEntries,
    {
      text: 'DELETE FROM _atoll_cursors WHERE consumer IN (?1, ?2)',
      parameters: [cursorOf(move), `${cursorOf(move)}:lost`],
    },
  ])
}

function textOf(error: unknown): string {
  if (error instanceof MoveRefused && error.why === 'differs') {
    return `rows of ${error.subject} are not the same at both sides: nothing of this piece has moved`
  }
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error)
}
