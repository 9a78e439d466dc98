/**
 * The mover at work: a Durable Object's alarm takes moves on, a while at a time, and rests as long as the databases have worked for it, so that
 * at least half of their time is left to callers.
 * @module
 */
import { isBehind } from '../../db/cluster/consumers.ts'
import { mapPosition, positionText } from '../../db/cluster/fence.ts'
import { pause } from '../../db/cluster/pause.ts'
import { laterOf } from '../../db/cluster/session.ts'
import { MoveRefused } from '../../db/errors/constraint-error.ts'
import { Mover } from '../../db/moves/mover.ts'
import type { MoverWorld } from '../../db/moves/mover-world.ts'
import { nextMove } from '../../db/moves/moves.ts'
import { invalidate, renewalOfMap } from '../cache/area.ts'
import { emit } from './events.ts'
import { conversionWorldOf, openConversion, stepConversion } from './run-conversion.ts'
import type { Engine, Services } from './services.ts'

/** How long one alarm works, in milliseconds. */
const roundMs = 2000
/** How long others are waited for who read a change log, while slots are closed, in milliseconds. */
const passMs = 2000
/** Pauses after a failure, in milliseconds: doubled each time. */
const [firstPauseMs, longestPauseMs] = [500, 60_000]

/** One mover, as long as its Durable Object lives. */
export class MoverRounds {
  #mover: { readonly of: Engine; readonly mover: Mover } | null = null
  #failures = 0

  /**
   * @param stayAwake sees to it that it is called again, though it should die
   * @returns when it wants to be called again, in milliseconds from now; null: when somebody asks for a move
   */
  async run(services: Services, engine: Engine, stayAwake: () => Promise<void>): Promise<number | null> {
    const { cluster } = services
    const world = worldOf(services, engine)
    const converting = conversionWorldOf(services, engine, world.renew)
    const isConverting = (await openConversion(converting)) !== null
    if (!isConverting && (await nextMove(cluster.open({ reads: false, seen: new Map() }))) === null)
      return null
    await stayAwake()
    // Tables that were converted travel otherwise.
    if (this.#mover?.of !== engine) this.#mover = { of: engine, mover: new Mover(world) }
    const { mover } = this.#mover
    const end = Date.now() + roundMs
    try {
      do {
        const start = Date.now()
        const conversion = isConverting ? await openConversion(converting) : null
        const isChanging = conversion?.state === 'changing'
        // While tables change, nobody else is answered.
        let left = isChanging ? 'nothing' : await mover.step()
        if (left === 'nothing' && conversion !== null) left = await stepConversion(converting)
        this.#failures = 0
        // From here on it is another engine's.
        if (left === 'at once' && isChanging) return 0
        if (left === 'nothing') return null
        if (left === 'later') return firstPauseMs
        await pause(Date.now() - start)
      } while (Date.now() < end)
      return 0
    } catch (error) {
      // A younger one is at work; this one begins anew, with a token of its own, when nothing is heard of it.
      const isOvertaken = error instanceof MoveRefused && error.why === 'overtaken'
      if (isOvertaken) this.#mover = null
      else emit({ kind: 'move-failed', error })
      return Math.min(longestPauseMs, firstPauseMs * 2 ** this.#failures++)
    }
  }
}

function worldOf(services: Services, { catalog }: Engine): MoverWorld {
  const { cluster, cache, registry, relay, followed } = services
  const session = cluster.open({ reads: false, seen: new Map() })
  return {
    session,
    catalog,
    now: Date.now,
    async pass(database, upTo) {
      const consumers = [
        ...(registry.subscriptions.size > 0 ? (['jobs'] as const) : []),
        ...(followed.size > 0 ? (['realtime'] as const) : []),
      ]
      if (consumers.length === 0) return true
      await relay?.carry(database)
      for (const end = Date.now() + passMs; Date.now() < end; await pause(20)) {
        const answers = await session.on(
          database,
          consumers.map((consumer) => isBehind(consumer, upTo)),
        )
        if (answers.every((rows) => rows.length === 0)) return true
      }
      return false
    },
    async renew(epoch) {
      if (cache === null) return
      // What is read under it comes from no replica that knows less than this.
      const seen = laterOf(session.bookmarks, new Map([[mapPosition, positionText(epoch)]]))
      await invalidate(cache, [], seen, [renewalOfMap(cache.prefix, seen)])
    },
    async landed(database) {
      await relay?.carry(database).catch(() => undefined)
    },
    strayed: (database, count) => emit({ kind: 'rows-astray', database, count }),
  }
}
