import type { Table } from '../catalog/catalog.ts'
import { numberOfId } from '../slots/slots.ts'
import { quoteName } from '../sql/quote.ts'
import { rowsOf } from './rows-of.ts'
import type { ClusterSession, ClusterView } from './session.ts'

/** Numbers that an isolate takes at once: one call to the primary database for so many rows. */
const blockSize = 100
/** Room that is left above an id that somebody chose, so that rows which come in order need one call in so many. */
const margin = 1000
/**
 * Room after a restore for what was given out since the database was last seen: a minute's worth at ten thousand a second. Never the same
 * twice: of a second restore, nobody may know what was taken after the first.
 */
export const restoredRoom = () => 600_000 + Math.floor(Math.random() * 600_000)

/** A block of numbers, as far as it is used up. */
interface Block {
  next: number
  end: number
  /** All numbers below are known to be given out. */
  known: number
  /** Numbers that were given out for rows that never came to be. */
  spare: number[]
}

/** Numbers that are kept to be given out again. */
const maxSpare = 10_000

const blocks = new WeakMap<ClusterView, Map<string, Block>>()

/** An id beyond is somebody's own affair: numbers that began behind it would come to an end. */
const greatestFollowed = 2 ** 52

function blockOf({ cluster }: ClusterSession, { name }: Table): Block {
  const byTable = blocks.get(cluster) ?? new Map<string, Block>()
  blocks.set(cluster, byTable)
  const block = byTable.get(name) ?? { next: 0, end: 0, known: 0, spare: [] }
  byTable.set(name, block)
  return block
}

/**
 * Numbers for new rows of a distributed table, unique over all shards (as Vitess's sequences, which are handed out in
 * blocks, too). They grow, but not in the order of the rows, and there are gaps.
 */
export async function nextNumbers(
  session: ClusterSession,
  table: Table,
  column: string,
  count: number,
): Promise<readonly number[]> {
  const block = blockOf(session, table)
  const numbers = block.spare.splice(0, count)
  while (numbers.length < count) {
    if (block.next >= block.end) {
      const size = Math.max(blockSize, count - numbers.length)
      const end = await take(session, table, column, size)
      block.next = end - size
      block.end = end
      block.known = Math.max(block.known, end)
    }
    numbers.push(block.next++)
  }
  return numbers
}

/** Takes numbers back whose rows never came to be, for certain: whoever may not write uses none up. */
export function giveBack(session: ClusterSession, table: Table, numbers: readonly number[]): void {
  if (numbers.length === 0) return
  const block = blockOf(session, table)
  block.spare = [...block.spare, ...numbers].sort((a, b) => a - b).slice(0, maxSpare)
}

/**
 * Lets the numbers go on above an id that a row has brought along, so that what is numbered later comes after it. Not needed for
 * them to be unique: a number that is taken is passed over when it is met.
 */
export async function followId(
  session: ClusterSession,
  table: Table,
  column: string,
  id: number,
): Promise<void> {
  const block = blockOf(session, table)
  const greatest = numberIn(table, id)
  if (greatest < block.known || id > greatestFollowed) return
  await begin(session, table, column)
  await goOnBehind(session, table, greatest, margin)
  block.known = Math.max(block.known, greatest + 1)
}

/** Goes on behind the greatest number that any row has: one that was to be given out was taken by hand. */
export async function skipTaken(session: ClusterSession, table: Table, column: string): Promise<void> {
  // A shard that is down has no part in this: its own numbers are passed over when they are met.
  await goOnBehind(session, table, await greatestOf(session, table, column, false), 0)
}

/** Lets the numbers go on behind one, with so much room between; what this isolate holds of lower ones is given up. */
export async function goOnBehind(
  session: ClusterSession,
  table: Table,
  greatest: number,
  room: number,
): Promise<void> {
  await session.writing().primary([
    {
      text: 'UPDATE _atoll_sequences SET next = CAST(?1 AS INTEGER) WHERE name = ?2 AND next <= CAST(?3 AS INTEGER)',
      parameters: [String(greatest + 1 + room), table.name, String(greatest)],
    },
  ])
  const block = blockOf(session, table)
  block.next = block.end
  block.spare = []
}

/** The number that an id of a table was made with. */
function numberIn({ ids }: Table, id: number): number {
  return ids === 'routed' ? numberOfId(id) : id
}

/**
 * @param isPassed whether the numbers have gone on behind all that a restore has made them forget
 * @returns the number after the block that was taken
 */
async function take(
  session: ClusterSession,
  table: Table,
  column: string,
  size: number,
  isPassed = false,
): Promise<number> {
  const statement = {
    text: 'UPDATE _atoll_sequences SET next = next + CAST(?1 AS INTEGER) WHERE name = ?2 RETURNING next, (SELECT tick FROM _atoll_incarnation) AS tick',
    parameters: [String(size), table.name],
  }
  const [[rows = []], seen] = await Promise.all([session.writing().primary([statement]), tickSeen(session)])
  if (rows[0] && (isPassed || Number(rows[0].tick) >= seen)) return Number(rows[0].next)
  if (rows[0]) {
    // The database was put back in time, as a shard knows: the numbers that it has are others' already.
    session.cluster.wentBack(session.cluster.primary, session)
    const greatest = Math.max(Number(rows[0].next), await greatestOf(session, table, column, true))
    await goOnBehind(session, table, greatest, restoredRoom())
  } else await begin(session, table, column)
  return take(session, table, column, size, rows.length > 0)
}

/** How far a shard has seen the primary database: one call for as many numbers as an isolate takes at once. */
async function tickSeen(session: ClusterSession): Promise<number> {
  const [witness] = session.cluster.shards
  if (witness === undefined) return 0
  const [outcome] = await session
    .writing()
    .onAll([witness], [{ text: "SELECT tick FROM _atoll_witnesses WHERE database = 'DB'", parameters: [] }])
  return outcome && 'results' in outcome ? Number(outcome.results[0]?.[0]?.tick ?? 0) : 0
}

/** The first number of a table is the one after the greatest that any shard has. */
async function begin(session: ClusterSession, table: Table, column: string): Promise<void> {
  const [known = []] = await session
    .writing()
    .primary([{ text: 'SELECT 1 FROM _atoll_sequences WHERE name = ?1', parameters: [table.name] }])
  if (known.length > 0) return
  const next = (await greatestOf(session, table, column, true)) + 1
  await session.writing().primary([
    {
      text: 'INSERT OR IGNORE INTO _atoll_sequences VALUES (?1, CAST(?2 AS INTEGER))',
      parameters: [table.name, String(next)],
    },
  ])
}

/**
 * The greatest number that a row on any shard has.
 *
 * @param all whether every shard must answer
 */
export async function greatestOf(
  session: ClusterSession,
  table: Table,
  column: string,
  all: boolean,
): Promise<number> {
  const text = `SELECT ifnull(max(${quoteName(column)}), 0) AS n FROM ${quoteName(table.name)} WHERE ${quoteName(column)} <= ${greatestFollowed}`
  const outcomes = await session.writing().run({ kind: 'everywhere' }, () => [{ text, parameters: [] }])
  const answered = outcomes.filter((outcome) => 'results' in outcome)
  const ids = (all || answered.length === 0 ? outcomes : answered).flatMap(rowsOf).map(({ n }) => Number(n))
  return Math.max(0, ...ids.map((id) => numberIn(table, id)))
}
