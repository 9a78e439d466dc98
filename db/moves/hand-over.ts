/**
 * How slots change hands, in steps that can each be made again. The source closes them; the target lays their rows and has them as `arriving`,
 * asked by nobody; the source lets go of rows and slots in one transaction, from where there is no way back; the map says so; caches forget
 * where rows lay; the target opens. `README.md` says why in this order.
 * @module
 */
import { MoveRefused } from '../errors/constraint-error.ts'
import type { BoundStatement } from '../sql/statement.ts'
import { endPermits, permitAll } from '../system/permits.ts'
import {
  copyMarks,
  dropEntries,
  dropJobs,
  entriesAtHome,
  type JobsOnBoard,
  jobsOf,
  landJobs,
} from './beside-rows.ts'
import {
  type Cargo,
  hasOwnKey,
  type Imaged,
  laidRight,
  layText,
  type Manifest,
  plain,
  readManifest,
  takeAwayText,
  withoutTriggers,
} from './cargo.ts'
import { isMine, refuseUnless } from './mover-token.ts'
import type { MoverWorld } from './mover-world.ts'
import type { Piece, Slots } from './moves.ts'
import {
  addSlots,
  allAre,
  dropSlots,
  epochOf,
  joinSlots,
  remap,
  setEpoch,
  stateParameters,
  statesOf,
  turnSlots,
} from './slot-states.ts'
import { type Carrier, catchUp, differenceOf, stagedValues } from './staging.ts'

/** What a piece is handed over with. */
export interface HandOver {
  readonly carrier: Carrier
  readonly world: MoverWorld
  /** What travels, as the source has it and as the target has it. */
  readonly source: Manifest
  readonly target: Manifest
  readonly piece: Piece
  /** When marks began to be copied, in milliseconds since 1970. */
  readonly marksFrom: number | null
}

const rangeOf = ({ first, last }: Piece): Slots => [first, last]

/** Rounds in which jobs may change under the mover's hands before it gives the slots back for a while. */
const maxJobRounds = 20

/** What became of a piece. */
export type Handed = 'handed' | 'not yet'

/**
 * Hands a piece over, from wherever an earlier mover has left it.
 *
 * @param isWanted false: what can be is put back
 * @returns `not yet` when it must be tried again later; then the source has its slots, open
 * @throws MoveRefused when rows differ; then the source has its slots, open
 */
export async function handOver(work: HandOver, position: number, isWanted: boolean): Promise<Handed> {
  const { carrier, piece } = work
  const { session, move } = carrier
  const held = await statesOf(session, move.source, rangeOf(piece))
  // It had let go already.
  if (held.size === 0) return finish(work)
  if (!isWanted) {
    await giveBack(work)
    return 'not yet'
  }
  try {
    await session.on(move.source, [
      isMine(carrier.token),
      refuseUnless('changed', 'epoch', '(SELECT epoch FROM _atoll_shard) = CAST(?1 AS INTEGER)', [
        String(piece.from),
      ]),
      ...turnSlots(rangeOf(piece), 'open', 'closed'),
    ])
    const upTo = await followToEnd(work, position)
    if (upTo === null || !(await work.world.pass(move.source, upTo))) {
      await giveBack(work)
      return 'not yet'
    }
    // Nothing of it changes any more.
    const values = await stagedValues(carrier, rangeOf(piece))
    await lay(work, values)
    if (!(await letGo(work, values))) {
      await giveBack(work)
      return 'not yet'
    }
  } catch (error) {
    if (error instanceof MoveRefused && error.why === 'overtaken') throw error
    // Before anything else is said of the move, its slots are open again. Of a source that has let go, though it did not say so, the next
    // round will know.
    await giveBack(work)
    if (error instanceof MoveRefused && error.why === 'changed') return 'not yet'
    throw error
  }
  return finish(work)
}

/** Whoever changed the map since the piece was cut has used its epoch up. */
function isOlder({ epoch }: Piece): BoundStatement {
  return refuseUnless('changed', 'epoch', '(SELECT epoch FROM _atoll_shard) < CAST(?1 AS INTEGER)', [
    String(epoch),
  ])
}

/** Takes what is left of the log into staging. Slots are closed, so there is an end. @returns null when the log does not reach back */
async function followToEnd({ carrier, source }: HandOver, position: number): Promise<number | null> {
  for (let at = position; ; ) {
    const caught = await catchUp(carrier, source.cargo, at)
    if (caught === null) return null
    at = caught.position
    if (caught.lag === 0) return at
  }
}

/** Lays rows and what is beside them at the target, where nobody asks for them yet, and compares. @throws MoveRefused when they differ */
async function lay(work: HandOver, values: readonly string[]): Promise<void> {
  const { carrier, source, target, piece } = work
  const { session, move, token } = carrier
  const range = rangeOf(piece)
  // Slots are closed meanwhile, so what does not wait for the other is done at once.
  const [held, differs, entries] = await Promise.all([
    statesOf(session, move.target, range),
    differenceOf(carrier, source.cargo, range, values),
    entriesAtHome(carrier, range),
    copyMarks(carrier, work.marksFrom),
  ])
  if (differs !== null) throw new MoveRefused('differs', differs)
  // Since the slots were closed, nothing has changed of what an earlier try has laid.
  if (held.has('arriving')) return
  const parameters = [move.id, String(piece.first), String(piece.last)]
  await session.on(move.target, [
    isMine(token),
    isOlder(piece),
    hasStayed(target.cargo),
    ...quietly(target.cargo, [
      ...source.cargo.map((one) => ({ text: layText(one), parameters })),
      ...entries,
    ]),
    ...source.cargo.flatMap((one) =>
      hasOwnKey(one) ? [refuseUnless('differs', one.name, laidRight(one), parameters)] : [],
    ),
    addSlots(range, 'arriving'),
    setEpoch(piece.epoch),
  ])
}

/** Transactions that no change log tells of, and no trigger of the app's hears of. */
export function quietly(cargo: readonly Imaged[], statements: readonly BoundStatement[]): BoundStatement[] {
  const ended = "ifnull((SELECT seq FROM sqlite_sequence WHERE name = '_atoll_changes'), 0)"
  return [
    permitAll,
    plain(`INSERT OR REPLACE INTO _atoll_state VALUES ('move', ${ended})`),
    ...withoutTriggers(cargo, statements),
    plain(
      "DELETE FROM _atoll_changes WHERE sequence > CAST((SELECT value FROM _atoll_state WHERE key = 'move') AS INTEGER)",
    ),
    plain("DELETE FROM _atoll_state WHERE key = 'move'"),
    endPermits,
  ]
}

/** The app's triggers are those that were read. */
function hasStayed(cargo: readonly Cargo[]): BoundStatement {
  const names = JSON.stringify(cargo.map(({ name }) => name))
  const known = cargo.flatMap(({ triggers }) => triggers.map(({ name }) => name)).sort()
  return refuseUnless(
    'changed',
    'triggers',
    "(SELECT json_group_array(name) FROM (SELECT name FROM sqlite_schema WHERE type = 'trigger' AND name NOT GLOB '_atoll_*' AND tbl_name IN (SELECT value FROM json_each(?1)) ORDER BY name)) = ?2",
    [names, JSON.stringify(known)],
  )
}

/** The source lets go of rows, entries, jobs and slots. @returns false when its jobs never hold still */
async function letGo(work: HandOver, values: readonly string[]): Promise<boolean> {
  const { carrier, source, piece } = work
  const { session, move, token } = carrier
  const range = rangeOf(piece)
  for (let round = 0; round < maxJobRounds; round++) {
    const jobs = await jobsOf(carrier, range)
    await session.on(move.target, jobs.staged)
    try {
      await session.on(move.source, [isMine(token), ...lettingGo(source.cargo, piece, values, jobs)])
      return true
    } catch (error) {
      if (!(error instanceof MoveRefused) || error.why !== 'changed' || error.subject !== 'jobs') throw error
    }
  }
  return false
}

function lettingGo(
  cargo: readonly Cargo[],
  piece: Piece,
  values: readonly string[],
  jobs: JobsOnBoard,
): BoundStatement[] {
  const range = rangeOf(piece)
  return [
    hasStayed(cargo),
    refuseUnless('changed', 'slots', allAre, stateParameters(range, 'closed')),
    jobs.unchanged,
    ...quietly(
      cargo,
      cargo.toReversed().map((one) => ({ text: takeAwayText(one), parameters: [JSON.stringify(values)] })),
    ),
    dropEntries(range),
    ...dropJobs(jobs.ids),
    dropSlots(range),
    setEpoch(piece.epoch),
  ]
}

/** From here on it only goes forward: the map, caches, and the target opens. */
async function finish({ carrier, world, piece }: HandOver): Promise<'handed'> {
  const { session, move, token } = carrier
  const range = rangeOf(piece)
  const [held, ...epochs] = await Promise.all([
    statesOf(session, move.target, range),
    ...[move.source, move.target].map(async (name) => [name, await epochOf(session, name)] as const),
  ])
  if (!held.has('arriving')) return 'handed'
  await session.primary([isMine(token), ...remap(range, move.target, epochs)])
  await world.renew(Math.max(...epochs.map(([, epoch]) => epoch)))
  await session.on(move.target, [
    isMine(token),
    ...landJobs(move.id, world.now()),
    {
      text: 'DELETE FROM _atoll_incoming WHERE move = ?1 AND slot BETWEEN CAST(?2 AS INTEGER) AND CAST(?3 AS INTEGER)',
      parameters: [move.id, String(piece.first), String(piece.last)],
    },
    ...turnSlots(range, 'arriving', 'open'),
    ...joinSlots,
  ])
  await world.landed(move.target)
  return 'handed'
}

/** Puts everything back as it was before the slots were closed. Of a source that has let go, nothing. */
export async function giveBack({ carrier, target, piece }: HandOver): Promise<void> {
  const { session, move, token } = carrier
  const range = rangeOf(piece)
  if ((await statesOf(session, move.source, range)).size === 0) return
  if ((await statesOf(session, move.target, range)).has('arriving')) {
    const values = await stagedValues(carrier, range)
    const [[map] = []] = await session.primary([
      { text: 'SELECT epoch FROM _atoll_shards WHERE name = ?1', parameters: [move.target] },
    ])
    await session.on(move.target, [
      isMine(token),
      ...quietly(
        target.cargo,
        target.cargo
          .toReversed()
          .map((one) => ({ text: takeAwayText(one), parameters: [JSON.stringify(values)] })),
      ),
      dropEntries(range),
      dropSlots(range),
      ...(map === undefined ? [] : [setEpoch(Number(map.epoch))]),
    ])
  }
  await session.on(move.source, [isMine(token), ...turnSlots(range, 'closed', 'open'), ...joinSlots])
}

/** Both sides' tables as they are now. */
export async function manifestsOf(
  { session, move }: Carrier,
  { catalog }: MoverWorld,
): Promise<readonly [source: Manifest, target: Manifest]> {
  return Promise.all([
    readManifest(session, move.source, catalog),
    readManifest(session, move.target, catalog),
  ])
}
