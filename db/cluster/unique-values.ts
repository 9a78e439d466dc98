/**
 * Values that are unique over all shards. A lookup table, distributed by the value, says in which slot the row lies that has
 * it. It is written in Vitess's order for consistent lookups: reserved before the row is written, released after the row is
 * gone, so that a row never lacks its entry, and an entry without a row (an orphan) does no harm: who needs the value takes
 * it over, and a sweep removes the rest. Source: https://vitess.io/docs/reference/features/vindexes/#consistent-lookup
 *
 * There are no locks between databases. What Vitess locks, a token decides here: an entry has one, and a row takes the value only with
 * that token, and as long as nobody has revoked it on the row's shard (`permits.ts`). Who takes over an orphan revokes its token there first, in
 * one transaction with the look that finds no row. Only one of the two can happen, so a slow writer cannot come back and write a second row.
 * Writers of one slot share the entry's token: their shard decides who may have the value, and whoever revokes it refuses all of them.
 * @module
 */

import type { Column, Table } from '../catalog/catalog.ts'
import { AtollError } from '../errors/atoll-error.ts'
import { errors } from '../errors/errors.ts'
import type { Outcome, Part } from '../slots/parts.ts'
import { keySlot, slotOf } from '../slots/slots.ts'
import { quoteName } from '../sql/quote.ts'
import type { BoundStatement, Row } from '../sql/statement.ts'
import { pause } from './pause.ts'
import type { ClusterSession } from './session.ts'

/** A value, and the slot of the row that is to have it. */
export interface Claim {
  readonly table: Table
  readonly column: Column
  /** As text: whole numbers in digits. */
  readonly value: string
  readonly slot: number
}

/** An entry of the lookup table. */
export interface Held extends Claim {
  readonly token: string
  /** When it was reserved, in milliseconds since 1970. */
  readonly at: number
  /** Whether two rows have the value since a restore: then nobody can have it, and no entry leads to both. */
  readonly twice: boolean
}

/** A claim that was reserved, and the token that its row shows. */
export interface Permit {
  readonly claim: Claim
  readonly token: string
}

/** What came of a reservation. */
export interface Reserved {
  readonly permits: readonly Permit[]
  /** Claims whose value another row has. */
  readonly taken: readonly Claim[]
  /** Whether others were writing the same values each time. */
  readonly contended: boolean
  /** Claims of which nobody knows now whether another row has their value. */
  readonly unproven: readonly Unproven[]
}

/** A claim whose value is known on a database that does not answer, or that was put back in time and is being repaired. */
export interface Unproven {
  readonly claim: Claim
  readonly database: string
  /** What the database said; null: it is being repaired. */
  readonly cause: unknown
}

/** Whether a database could not be asked; what a reservation may have written there all the same does no harm. */
function isOutage(error: unknown): boolean {
  return error instanceof AtollError && (error.body.code === 'SHARD002' || error.body.code === 'SHARD025')
}

/** A writer has so long, in milliseconds, before one that waits for the same value revokes its token. */
const courtesyMs = 2000
const waitMs = 50
const maxRounds = 60

/**
 * Reserves values for a writer; what is left over from dead writers is taken over.
 *
 * @param token of entries that are new
 * @param isAgain whether a permit that this gave before was refused: then tokens of others in the same slot are not trusted
 * @param fillsAnew whether it is the repair of a lookup itself that asks
 */
export async function reserve(
  session: ClusterSession,
  claims: readonly Claim[],
  token: string,
  isAgain = false,
  fillsAnew = false,
): Promise<Reserved> {
  const writing = session.writing()
  const byValue = claimsByValue(claims)
  const claimsOf = (entries: readonly Held[]) => entries.flatMap((entry) => byValue.get(keyOf(entry)) ?? [])
  const permits: Permit[] = []
  const taken: Claim[] = []
  const unproven: Unproven[] = []
  let open = claims
  for (let round = 0; round < maxRounds && open.length > 0; round++) {
    const { entries, unasked } = await tryReserve(writing, open, token, fillsAnew)
    unproven.push(...unasked)
    const isShared = (entry: Held) => entry.slot === byValue.get(keyOf(entry))?.slot
    const doubtful = (entry: Held) => !isShared(entry) || (isAgain && entry.token !== token)
    const held = entries.filter(doubtful)
    const now = Date.now()
    const revokes = (entry: Held) => now - entry.at >= courtesyMs || isShared(entry)
    const asked = held.filter(({ twice }) => !twice)
    const { absent, unknown } = await absentOf(writing, asked, revokes)
    for (const [entry, why] of unknown)
      unproven.push(...claimsOf([entry]).map((claim) => ({ claim, ...why })))
    const free = held.filter((entry) => absent.get(entry) === 'free')
    await takeOver(writing, free, byValue, token)
    const isTaken = (entry: Held) => !absent.has(entry) && !unknown.has(entry) && !isShared(entry)
    taken.push(...claimsOf(held.filter(isTaken)))
    for (const entry of entries) {
      if (absent.has(entry) || unknown.has(entry) || isTaken(entry)) continue
      permits.push(...claimsOf([entry]).map((claim) => ({ claim, token: entry.token })))
    }
    const waiting = held.filter((entry) => absent.get(entry) === 'pending')
    open = claimsOf([...waiting, ...free])
    if (waiting.length > 0) await pause(waitMs)
  }
  return { permits, taken, contended: open.length > 0, unproven }
}

/**
 * What a reservation would give, with nothing reserved or revoked, for a write that undoes itself: its permits have a token of their own.
 *
 * @throws AtollError `SHARD002` when a lookup does not answer
 */
export async function foresee(session: ClusterSession, claims: readonly Claim[]): Promise<Reserved> {
  const writing = session.writing()
  const held = await entriesOf(writing, claims)
  const byValue = claimsByValue(claims)
  const others = held.filter((entry) => entry.slot !== byValue.get(keyOf(entry))?.slot)
  const { absent, unknown } = await absentOf(writing, others, () => false)
  const takenKeys = new Set(others.filter((entry) => !absent.has(entry) && !unknown.has(entry)).map(keyOf))
  const unproven = [...unknown].map(([entry, why]) => ({ claim: byValue.get(keyOf(entry)) as Claim, ...why }))
  const unprovenKeys = new Set(unproven.map(({ claim }) => keyOf(claim)))
  const token = crypto.randomUUID()
  const free = claims.filter((claim) => !takenKeys.has(keyOf(claim)) && !unprovenKeys.has(keyOf(claim)))
  return {
    permits: free.map((claim) => ({ claim, token })),
    taken: claims.filter((claim) => takenKeys.has(keyOf(claim))),
    unproven,
    contended: false,
  }
}

/** Takes away entries whose value no row has. Safe at any time: entries that are in use stay. */
export async function release(session: ClusterSession, held: readonly Held[]): Promise<number> {
  const writing = session.writing()
  // Of two rows that have a value, the one that its entry does not lead to is still there: `db/restores/` sees to it.
  const single = held.filter(({ twice }) => !twice)
  const { absent } = await absentOf(writing, single, () => true)
  const orphans = single.filter((entry) => absent.get(entry) === 'free')
  await onLookups(writing, orphans, (own) => [
    {
      text: 'DELETE FROM _atoll_unique WHERE (name, value, token) IN (SELECT value->>0, value->>1, value->>2 FROM json_each(?1))',
      parameters: [listOf(own, (entry) => [nameOf(entry), entry.value, entry.token])],
    },
  ])
  return orphans.length
}

/** Entries of values, as they are now. They are read where they are written: a replica may not know of a row yet. */
export async function find(
  session: ClusterSession,
  table: Table,
  column: Column,
  values: readonly string[],
): Promise<Held[]> {
  const claims = values.map((value): Claim => ({ table, column, value, slot: 0 }))
  return entriesOf(session.writing(), claims)
}

async function entriesOf(writing: ClusterSession, claims: readonly Claim[]): Promise<Held[]> {
  const rows = await onLookups(writing, claims, (own) => [findText(own)])
  return rows.map((row) => heldOf(row, claims))
}

function findText(own: readonly Claim[]): BoundStatement {
  return {
    text: `SELECT ${entryColumns} FROM _atoll_unique AS u WHERE (u.name, u.value) IN (SELECT value->>0, value->>1 FROM json_each(?1))`,
    parameters: [listOf(own, (claim) => [nameOf(claim), claim.value])],
  }
}

/**
 * Where rows are that have values. What lies on a database that does not answer is looked for on all others: a row that is found is the only
 * one, but that none is found says nothing.
 *
 * @throws AtollError `SHARD002` when a value may be on the database that does not answer; `SHARD028` when two rows have it
 */
export async function locate(
  session: ClusterSession,
  table: Table,
  column: Column,
  values: readonly string[],
): Promise<readonly Pick<Held, 'value' | 'slot'>[]> {
  const claims = values.map((value): Claim => ({ table, column, value, slot: 0 }))
  const outcomes = await runOnLookups(session.writing(), claims, (own) => [findText(own)])
  const held = rowsOfAll(outcomes.filter((outcome) => !isDown(outcome))).map((row) => heldOf(row, claims))
  const twice = held.find((entry) => entry.twice)
  if (twice) throw errors.valueTwice(table.name, column.name, twice.value)
  const down = outcomes.filter(isDown)
  const [first] = down
  if (!first) return held
  const sought = claims.filter(({ value }) => down.some(({ part }) => part.slots?.has(keySlot(value))))
  const found = await lookElsewhere(
    session,
    table,
    column,
    sought.map(({ value }) => value),
    down.map(({ part }) => part.database),
  )
  if (sought.some(({ value }) => !found.some((row) => row.value === value)))
    throw (first as { error: unknown }).error
  return [...held, ...found]
}

const isDown = (outcome: Outcome) => 'error' in outcome && isOutage(outcome.error)

/** Asks the rows themselves, on all databases but some. */
async function lookElsewhere(
  session: ClusterSession,
  table: Table,
  column: Column,
  values: readonly string[],
  down: readonly string[],
): Promise<Pick<Held, 'value' | 'slot'>[]> {
  const { cluster } = session
  const by = table.placement.kind === 'distributed' ? table.placement.by : column.name
  const others = cluster.databases.filter((database) => !down.includes(database))
  const outcomes = await session.writing().onAll(others, [
    {
      text: `SELECT CAST(${quoteName(column.name)} AS TEXT) AS value, CAST(${quoteName(by)} AS TEXT) AS by FROM ${quoteName(table.name)} WHERE ${quoteName(column.name)} IN (SELECT value FROM json_each(?1))`,
      parameters: [JSON.stringify(values)],
    },
  ])
  const answered = outcomes.filter((outcome) => !isDown(outcome))
  return rowsOfAll(answered).map((row) => ({
    value: row.value as string,
    slot: slotOf((row.by as string | null) ?? ''),
  }))
}

/** What is read of an entry. */
export const entryColumns =
  "u.name, u.value, u.slot, u.token, u.at, EXISTS (SELECT 1 FROM _atoll_conflicts AS c WHERE c.kind = 'value' AND c.name = u.name AND c.key = u.value) AS twice"

/** Puts the claims into the lookup table, as far as their values are free; answers with the entries as they are then. */
async function tryReserve(
  session: ClusterSession,
  claims: readonly Claim[],
  token: string,
  fillsAnew: boolean,
): Promise<{ readonly entries: readonly Held[]; readonly unasked: readonly Unproven[] }> {
  const now = String(Date.now())
  const outcomes = await runOnLookups(session, claims, (own) => {
    const list = listOf(own, (claim) => [nameOf(claim), claim.value, keySlot(claim.value), claim.slot])
    return [
      // In the same slot the row's own database decides who may have the value.
      {
        text: `INSERT INTO _atoll_unique (name, value, home, slot, token, at)
 SELECT value->>0, value->>1, value->>2, value->>3, ?2, CAST(?3 AS INTEGER) FROM json_each(?1) WHERE true
 ON CONFLICT (name, value) DO UPDATE SET at = excluded.at WHERE slot = excluded.slot`,
        parameters: [list, token, now],
      },
      {
        text: `SELECT ${entryColumns}, ${isFilledAnew} AS repaired FROM json_each(?1) AS j JOIN _atoll_unique AS u ON u.name = j.value->>0 AND u.value = j.value->>1`,
        parameters: [list],
      },
    ]
  })
  const unasked: Unproven[] = []
  const entries: Held[] = []
  for (const outcome of outcomes) {
    const own = claims.filter(({ value }) => outcome.part.slots?.has(keySlot(value)))
    const { database } = outcome.part
    if ('error' in outcome && isDown(outcome)) {
      unasked.push(...own.map((claim) => ({ claim, database, cause: outcome.error })))
      continue
    }
    for (const row of rowsOfAll([outcome])) {
      const entry = heldOf(row, claims)
      // While its lookup is filled anew, that an entry is not there says nothing.
      if (!fillsAnew && Number(row.repaired) === 1) {
        const its = own.filter((claim) => keyOf(claim) === keyOf(entry))
        unasked.push(...its.map((claim) => ({ claim, database, cause: null })))
      } else entries.push(entry)
    }
  }
  return { entries, unasked }
}

/** Whether the lookup of an entry's column is being filled anew, as its database was put back in time. */
const isFilledAnew = `EXISTS (SELECT 1 FROM _atoll_state AS s WHERE s.key = 'restored' AND instr(s.value, 'lookup:' || u.name || '"') > 0)`

/**
 * Asks the shards of entries whether a row has their value. `free`: none has, and none will, since the token is revoked; `pending`: none
 * has, but a writer may be at work. Entries in use are not in the answer; `unknown` are those whose shard does not answer.
 *
 * @param revokes whether an entry's token may be revoked
 */
async function absentOf(
  session: ClusterSession,
  held: readonly Held[],
  revokes: (entry: Held) => boolean,
): Promise<{
  readonly absent: ReadonlyMap<Held, 'free' | 'pending'>
  readonly unknown: ReadonlyMap<Held, Omit<Unproven, 'claim'>>
}> {
  const absent = new Map<Held, 'free' | 'pending'>()
  const unknown = new Map<Held, Omit<Unproven, 'claim'>>()
  if (held.length === 0) return { absent, unknown }
  const numbered = held.map((entry, i) => ({ entry, i }))
  const groups = [...Map.groupBy(numbered, ({ entry }) => nameOf(entry)).values()]
  const outcomes = await session.run(slotsSite(held), ({ slots }) =>
    groups.flatMap((group) => {
      const here = group.filter(({ entry }) => slots?.has(entry.slot))
      return pieces(here, ({ entry }) => entry.value.length).flatMap((own) => {
        const { table, column } = (own[0] as (typeof own)[number]).entry
        const list = listOf(own, ({ entry, i }) => [i, entry.value, entry.token, revokes(entry) ? 1 : 0])
        const hasRow = `EXISTS (SELECT 1 FROM ${quoteName(table.name)} WHERE ${quoteName(column.name)} = j.value->>1)`
        return [
          {
            text: `INSERT OR REPLACE INTO _atoll_unique_tokens (token, state, at) SELECT DISTINCT j.value->>2, 'revoked', CAST(?2 AS INTEGER) FROM json_each(?1) AS j WHERE j.value->>3 = 1 AND NOT ${hasRow}`,
            parameters: [list, String(Date.now())],
          },
          {
            text: `SELECT j.value->>0 AS i, EXISTS (SELECT 1 FROM _atoll_unique_tokens AS t WHERE t.token = j.value->>2 AND t.state = 'revoked') AS settled FROM json_each(?1) AS j WHERE NOT ${hasRow}`,
            parameters: [list],
          },
        ]
      })
    }),
  )
  for (const outcome of outcomes.filter(isDown)) {
    const { part, error } = outcome as Extract<Outcome, { error: unknown }>
    for (const entry of held)
      if (part.slots?.has(entry.slot)) unknown.set(entry, { database: part.database, cause: error })
  }
  for (const row of rowsOfAll(outcomes.filter((outcome) => !isDown(outcome)))) {
    absent.set(held[Number(row.i)] as Held, Number(row.settled) === 1 ? 'free' : 'pending')
  }
  return { absent, unknown }
}

/** Gives orphans to a new writer, unless another was faster. */
async function takeOver(
  session: ClusterSession,
  orphans: readonly Held[],
  byValue: ReadonlyMap<string, Claim>,
  token: string,
): Promise<void> {
  const now = String(Date.now())
  await onLookups(session, orphans, (own) => [
    {
      text: `UPDATE _atoll_unique AS u SET token = ?2, at = CAST(?3 AS INTEGER), slot = j.value->>3
 FROM json_each(?1) AS j WHERE u.name = j.value->>0 AND u.value = j.value->>1 AND u.token = j.value->>2`,
      parameters: [
        listOf(own, (entry) => [
          nameOf(entry),
          entry.value,
          entry.token,
          byValue.get(keyOf(entry))?.slot ?? entry.slot,
        ]),
        token,
        now,
      ],
    },
  ])
}

/** Runs statements where the lookup entries of claims lie; their rows, all together. */
async function onLookups<C extends Claim>(
  session: ClusterSession,
  claims: readonly C[],
  statementsOf: (own: readonly C[]) => BoundStatement[],
): Promise<Row[]> {
  return rowsOfAll(await runOnLookups(session, claims, statementsOf))
}

async function runOnLookups<C extends Claim>(
  session: ClusterSession,
  claims: readonly C[],
  statementsOf: (own: readonly C[]) => BoundStatement[],
): Promise<readonly Outcome[]> {
  if (claims.length === 0) return []
  const site = { kind: 'slots', slots: [...new Set(claims.map(({ value }) => keySlot(value)))] } as const
  const own = ({ slots }: Part) => claims.filter(({ value }) => slots?.has(keySlot(value)))
  return session.run(site, (part) => pieces(own(part), ({ value }) => value.length).flatMap(statementsOf))
}

function rowsOfAll(outcomes: readonly Outcome[]): Row[] {
  return outcomes.flatMap((outcome) => {
    if ('error' in outcome) throw outcome.error
    return outcome.results.flat()
  })
}

/** Most characters of values in one parameter: in bytes, with names and tokens beside them, that stays below what D1 takes. */
const maxValueLength = 250_000
const maxPiece = 4000

/** Items in pieces that fit into one parameter each. */
export function pieces<Item>(items: readonly Item[], lengthOf: (item: Item) => number): Item[][] {
  const found: Item[][] = []
  let length = 0
  for (const item of items) {
    const last = found.at(-1)
    length += lengthOf(item)
    if (last === undefined || last.length >= maxPiece || length > maxValueLength) {
      found.push([item])
      length = lengthOf(item)
    } else last.push(item)
  }
  return found
}

function slotsSite(entries: readonly Claim[]) {
  return { kind: 'slots', slots: [...new Set(entries.map(({ slot }) => slot))] } as const
}

function listOf<Item>(items: readonly Item[], cells: (item: Item) => readonly (string | number)[]): string {
  return JSON.stringify(items.map(cells))
}

/** The name under which a column's values are kept. */
export function nameOf({ table, column }: Pick<Claim, 'table' | 'column'>): string {
  return `${table.name}.${column.name}`
}

const keyOf = (claim: Claim) => `${nameOf(claim)}\n${claim.value}`

/** Claims by what they are called; of several for one value, the first. */
function claimsByValue(claims: readonly Claim[]): Map<string, Claim> {
  return new Map(claims.toReversed().map((claim) => [keyOf(claim), claim]))
}

/** An entry as its database has it. */
export function heldOf(row: Row, claims: readonly Pick<Claim, 'table' | 'column'>[]): Held {
  const { table, column } = claims.find((claim) => nameOf(claim) === row.name) as Claim
  return {
    table,
    column,
    value: row.value as string,
    slot: Number(row.slot),
    token: row.token as string,
    at: Number(row.at),
    twice: Number(row.twice) === 1,
  }
}

/** Begin a transaction that may give rows these values, which were reserved. */
export function permitClaims(permits: readonly Permit[]): BoundStatement[] {
  return pieces(permits, ({ claim }) => claim.value.length).map((piece) => ({
    text: 'INSERT OR REPLACE INTO _atoll_permits (name, value, token) SELECT value->>0, value->>1, value->>2 FROM json_each(?1)',
    parameters: [JSON.stringify(piece.map(({ claim, token }) => [nameOf(claim), claim.value, token]))],
  }))
}
