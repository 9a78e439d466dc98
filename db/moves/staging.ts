/**
 * Rows on their way: read at the source in chunks, then wherever its change log says that one has changed, and kept in staging at the
 * target until their slots are handed over.
 * @module
 */
import type { ClusterSession } from '../cluster/session.ts'
import { slotOf } from '../slots/slots.ts'
import { quoteName, quoteText } from '../sql/quote.ts'
import type { Row } from '../sql/statement.ts'
import { type Cargo, imageText, keyText } from './cargo.ts'
import { beforeAll, lookAt, mostLooked } from './look-at.ts'
import { isMine } from './mover-token.ts'
import type { Move, Progress, Slots } from './moves.ts'
import { chunkBytes, logEnd, readChanged } from './read-rows.ts'

/** Rows of a chunk, at least and at most. */
const [fewest, most] = [10, 2000]
/** Changes that one look at the log takes in. */
const changesAtOnce = 200

/** Between whom, and by whom. */
export interface Carrier {
  readonly session: ClusterSession
  readonly move: Pick<Move, 'id' | 'source' | 'target' | 'ranges'>
  readonly token: number
}

export const includes = (ranges: readonly Slots[], slot: number) =>
  ranges.some(([first, last]) => first <= slot && slot <= last)

interface Staged {
  readonly name: string
  readonly key: string
  readonly slot: number
  readonly value: string
  readonly image: string
}

/** Copies the next rows of a table. What changes while they are read, the log says. */
export async function copyChunk(carrier: Carrier, cargo: Cargo, at: Progress): Promise<Progress> {
  const { session, move } = carrier
  // As many as are expected to have so many wanted ones among them.
  const share = Math.max(0.01, (at.rows + 1) / (at.looked + 1))
  const limit = Math.max(at.chunk, Math.min(mostLooked, Math.round(at.chunk / share)))
  const seen = await lookAt(session, move.source, cargo, at.after, limit)
  if (seen.length === 0) return { ...at, tables: at.tables + 1, after: beforeAll }
  const wanted = seen.filter(({ slot }) => slot !== null && includes(move.ranges, slot)).slice(0, at.chunk)
  const rowids = JSON.stringify(wanted.map(({ rowid }) => rowid))
  const images = `SELECT CAST(_atoll_at AS TEXT) AS at, ${keyText(cargo, '_atoll_at')} AS key, CAST(${quoteName(cargo.by)} AS TEXT) AS value, ${imageText(cargo)} AS image FROM (SELECT *, rowid AS _atoll_at FROM ${quoteName(cargo.name)} WHERE rowid IN (SELECT CAST(value AS INTEGER) FROM json_each(?1)))`
  const [rows = []] =
    wanted.length === 0
      ? []
      : await session.on(move.source, [
          {
            text: `SELECT * FROM (SELECT *, sum(octet_length(image)) OVER (ORDER BY CAST(at AS INTEGER)) - octet_length(image) AS before, count(*) OVER () AS found FROM (${images})) WHERE before <= ${chunkBytes}`,
            parameters: [rowids],
          },
        ])
  const isCut = rows.length > 0 && rows.length < Number(rows[0]?.found)
  const after = isCut
    ? (rows.at(-1)?.at as string)
    : ((wanted.length < at.chunk ? seen : wanted).at(-1)?.rowid as string)
  const staged = rows.flatMap((row) => stagedOf(cargo, row, move.ranges))
  if (staged.length > 0) await stage(carrier, staged, [])
  const bytes = staged.reduce((sum, { image }) => sum + image.length, 0)
  const fit = bytes === 0 ? most : Math.round((at.chunk * chunkBytes) / 2 / bytes)
  return {
    ...at,
    after,
    chunk: Math.max(fewest, Math.min(most, fit, at.chunk * 2)),
    looked: at.looked + seen.findIndex(({ rowid }) => rowid === after) + 1,
    rows: at.rows + staged.length,
    bytes: at.bytes + bytes,
  }
}

function stagedOf({ name }: Cargo, row: Row, ranges: readonly Slots[]): Staged[] {
  const value = row.value as string | null
  if (value === null) return []
  const slot = slotOf(value)
  return includes(ranges, slot)
    ? [{ name, key: row.key as string, slot, value, image: row.image as string }]
    : []
}

/** Puts rows into staging, and takes those away that are there under keys of which nothing was found. */
async function stage(
  { session, move, token }: Carrier,
  rows: readonly Staged[],
  gone: readonly (readonly [name: string, key: string])[],
): Promise<void> {
  const list = rows.map(
    ({ name, key, slot, value, image }) =>
      `${JSON.stringify([name, key, slot, value]).slice(0, -1)},${image}]`,
  )
  await session.on(move.target, [
    isMine(token),
    ...(gone.length === 0
      ? []
      : [
          {
            text: 'DELETE FROM _atoll_incoming WHERE move = ?1 AND (name, key) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?2))',
            parameters: [move.id, JSON.stringify(gone)],
          },
        ]),
    ...(rows.length === 0
      ? []
      : [
          {
            text: 'INSERT OR REPLACE INTO _atoll_incoming (move, name, key, slot, value, row) SELECT ?1, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value -> 4 FROM json_each(?2)',
            parameters: [move.id, `[${list.join(',')}]`],
          },
        ]),
  ])
}

/** Of the log, what is past. */
export interface CaughtUp {
  readonly position: number
  /** How far the log is beyond. */
  readonly lag: number
}

/**
 * Takes the next changes of the source's log into staging: rows are read as they are now.
 *
 * @returns null when the log no longer reaches back to where staging is
 */
export async function catchUp(
  carrier: Carrier,
  cargo: readonly Cargo[],
  position: number,
): Promise<CaughtUp | null> {
  const { session, move } = carrier
  const [[end] = [], [lost] = [], changes = []] = await session.on(move.source, [
    logEnd,
    {
      text: 'SELECT 1 FROM _atoll_cursors WHERE consumer = ?1 AND sequence > CAST(?2 AS INTEGER)',
      parameters: [`${cursorOf(move)}:lost`, String(position)],
    },
    {
      text: `SELECT sequence, name, key, value FROM _atoll_changes WHERE sequence > CAST(?1 AS INTEGER) ORDER BY sequence LIMIT ${changesAtOnce}`,
      parameters: [String(position)],
    },
  ])
  if (lost) return null
  const last = Number(end?.n ?? 0)
  const upTo = changes.length < changesAtOnce ? last : Number(changes.at(-1)?.sequence)
  const moved = changes.filter(
    ({ name, value }) =>
      value !== null &&
      cargo.some((one) => one.name === name) &&
      includes(move.ranges, slotOf(value as string)),
  )
  for (let from = 0; from < moved.length; ) from += await readAgain(carrier, cargo, moved.slice(from))
  return { position: Math.max(position, upTo), lag: last - Math.max(position, upTo) }
}

/** Takes rows that have changed into staging, as many as are not too large together. @returns how many changes are done */
async function readAgain(
  carrier: Carrier,
  cargo: readonly Cargo[],
  changes: readonly Row[],
): Promise<number> {
  const { session, move } = carrier
  const { count, found } = await readChanged(session, move.source, cargo, changes)
  const staged = cargo.flatMap((one) =>
    (found.get(one.name) ?? []).flatMap((row) => stagedOf(one, row, move.ranges)),
  )
  await stage(
    carrier,
    staged,
    changes.slice(0, count).map(({ name, key }) => [name as string, key as string]),
  )
  return count
}

/** Under which the source keeps its log for a move. */
export const cursorOf = ({ id }: Pick<Move, 'id'>) => `move:${id}`

/** How many rows of staging slots have, and of how many bytes; only those that have any. */
export async function stagedSlots({ session, move }: Carrier) {
  const [rows = []] = await session.on(move.target, [
    {
      text: 'SELECT slot, count(*) AS n, sum(octet_length(row)) AS bytes FROM _atoll_incoming WHERE move = ?1 GROUP BY slot ORDER BY slot',
      parameters: [move.id],
    },
  ])
  return rows.map(({ slot, n, bytes }) => ({ slot: Number(slot), rows: Number(n), bytes: Number(bytes) }))
}

/**
 * Compares rows of closed slots at the source with staging, all of them.
 *
 * @param values their distribution values
 * @returns null when they are the same; else a table where they are not
 */
export async function differenceOf(
  { session, move }: Carrier,
  cargo: readonly Cargo[],
  [first, last]: Slots,
  values: readonly string[],
): Promise<string | null> {
  const list = JSON.stringify(values)
  const staged = session.on(
    move.target,
    cargo.map(({ name }) => ({
      text: `SELECT count(*) AS n FROM _atoll_incoming WHERE move = ?1 AND slot BETWEEN CAST(?2 AS INTEGER) AND CAST(?3 AS INTEGER) AND name = ${quoteText(name)}`,
      parameters: [move.id, String(first), String(last)],
    })),
  )
  // Whatever becomes of the rest, nobody else waits for it.
  staged.catch(() => undefined)
  const found: number[] = []
  for (const one of cargo) {
    let count = 0
    for (let after = beforeAll, isOver = false; !isOver; ) {
      const [rows = []] = await session.on(move.source, [
        {
          text: `SELECT * FROM (SELECT *, sum(octet_length(image)) OVER (ORDER BY CAST(at AS INTEGER)) - octet_length(image) AS before, count(*) OVER () AS found FROM (SELECT CAST(_atoll_at AS TEXT) AS at, ${keyText(one, '_atoll_at')} AS key, ${imageText(one)} AS image FROM (SELECT *, rowid AS _atoll_at FROM ${quoteName(one.name)} WHERE ${quoteName(one.by)} IN (SELECT value FROM json_each(?1)) AND rowid > CAST(?2 AS INTEGER) ORDER BY rowid LIMIT ${most}))) WHERE before <= ${chunkBytes}`,
          parameters: [list, after],
        },
      ])
      const seen = Number(rows[0]?.found ?? 0)
      isOver = rows.length === seen && seen < most
      if (rows.length === 0) break
      const images = rows.map(({ key, image }) => `[${JSON.stringify(key)},${image}]`)
      const [[other] = []] = await session.on(move.target, [
        {
          text: `SELECT count(*) AS n FROM json_each(?1) AS j CROSS JOIN _atoll_incoming AS i ON i.move = ?2 AND i.name = ${quoteText(one.name)} AND i.key = j.value ->> 0 AND i.row = j.value -> 1`,
          parameters: [`[${images.join(',')}]`, move.id],
        },
      ])
      if (Number(other?.n) !== rows.length) return one.name
      count += rows.length
      after = rows.at(-1)?.at as string
    }
    found.push(count)
  }
  const counts = await staged
  return cargo.find((_, i) => Number(counts[i]?.[0]?.n) !== found[i])?.name ?? null
}

/** The distribution values of staged rows of slots. */
export async function stagedValues({ session, move }: Carrier, [first, last]: Slots): Promise<string[]> {
  const [rows = []] = await session.on(move.target, [
    {
      text: "SELECT DISTINCT value FROM _atoll_incoming WHERE move = ?1 AND slot BETWEEN CAST(?2 AS INTEGER) AND CAST(?3 AS INTEGER) AND name NOT GLOB '_atoll_*'",
      parameters: [move.id, String(first), String(last)],
    },
  ])
  return rows.map(({ value }) => value as string)
}
