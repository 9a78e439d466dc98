/**
 * Writes of the data API that carry an `Idempotency-Key`: each is made once, however often it is sent, and answered again from what was kept
 * with it. `db/cluster/write-keys.ts` has the protocol.
 * @module
 */

import type { ClusterSession } from '../../../db/cluster/session.ts'
import { isUnknown } from '../../../db/cluster/unknown-outcome.ts'
import type { KeyRow, WriteKey } from '../../../db/cluster/write-keys.ts'
import { AtollError } from '../../../db/errors/atoll-error.ts'
import { KeyTaken } from '../../../db/errors/constraint-error.ts'
import { slotOf } from '../../../db/slots/slots.ts'
import { errors } from '../errors.ts'
import { canonicalText, slotsOf } from '../plan/place.ts'
import type { BoundWrite, DonePart } from './bound-write.ts'
import { beginKey, leaveKeys, lookUpKey } from './execute-keys.ts'
import { executeWrite } from './execute-write.ts'
import { joined, readKept, type WriteResult } from './written.ts'

export interface KeyedResult {
  readonly result: WriteResult
  /** Whether an earlier request has made the write, or a part of it. */
  readonly replayed: boolean
  /** Databases on which it had. */
  readonly databases: readonly string[]
}

/** Times that a key which was used meanwhile is looked at again. */
const maxTries = 4

/**
 * @param timeoutMs how long a database may take
 * @throws AtollError `IDEM002` while another request with the key is under way, `IDEM003` when the key stands for another request
 */
export async function executeKeyed(
  bound: BoundWrite,
  asked: WriteKey,
  timeoutMs: number,
  session: ClusterSession,
): Promise<KeyedResult> {
  const deadline = Date.now() + timeoutMs
  const { cluster } = session
  const isOne = !cluster.sharded || bound.plan.root.placement.kind !== 'distributed'
  const databases = isOne ? [cluster.primary] : await databasesFor(bound, session)
  const doneOf = (rows: readonly KeyRow[]) =>
    rows.filter(({ state }) => state === 'done').map((row) => donePart(bound, row))
  const own = new Set<string>()
  const answer = (result: WriteResult, done: readonly DonePart[]): KeyedResult => ({
    result,
    replayed: done.some(({ attempt }) => !own.has(attempt)),
    databases: [...new Set(done.map(({ database }) => database))],
  })
  const again = (done: readonly DonePart[]) =>
    answer(
      joined(
        done.map(({ result }) => result),
        bound.plan,
      ),
      done,
    )
  for (let tries = 1; ; tries++) {
    const key: WriteKey = { ...asked, attempt: crypto.randomUUID() }
    own.add(key.attempt)
    const looksFirst = !isOne || tries > 1
    const look = () =>
      isOne
        ? lookUpKey(key, databases, session)
        : beginKey(key, databases, session, (rows) => isWhole(bound, doneOf(rows)))
    const done = doneOf(looksFirst ? await look() : [])
    if (isWhole(bound, done)) return again(done)
    try {
      const result = await executeWrite({ ...bound, keyed: { key, isOpen: !isOne, done, deadline } }, session)
      return answer(result, done)
    } catch (error) {
      const isOver = !(error instanceof KeyTaken) || tries >= maxTries
      const unknown = isUnknown(error) || (error instanceof AtollError && error.status === 207)
      if (!isOne) await leaveKeys(key, databases, isOver && unknown, session)
      if (!isOver) continue
      if (isOne && !unknown) {
        // What refuses the write may be that it was made: its own row has the value.
        const made = doneOf(await lookUpKey(key, databases, session).catch(() => []))
        if (isWhole(bound, made)) return again(made)
      }
      throw error instanceof KeyTaken ? errors.keyBusy() : error
    }
  }
}

/** Whether nothing is left to be written. */
function isWhole({ plan, payload }: BoundWrite, done: readonly DonePart[]): boolean {
  if (done.length === 0) return false
  if (plan.action === 'update' || plan.action === 'delete') {
    if (plan.preferences.atomicity !== 'shard') return true
    const databases = new Set(done.map(({ database }) => database))
    return done.every(({ planned }) => planned.every((name) => databases.has(name)))
  }
  if (done.some(({ rows }) => rows === null)) return true
  const rows = new Set(done.flatMap((part) => [...(part.rows ?? [])]))
  return rows.size >= (plan.action === 'insert' ? payload.rows.length : Math.min(1, payload.rows.length))
}

/**
 * Where a write of a distributed table may go, today or when it is sent again: the one database that its request names, and the primary one,
 * which knows all keys; or all of them.
 */
async function databasesFor(bound: BoundWrite, session: ClusterSession): Promise<readonly string[]> {
  const { cluster } = session
  const slots = slotsNamed(bound)
  const named = slots === null ? null : await cluster.partsOf({ kind: 'slots', slots }, session)
  if (named?.length === 1) return [...new Set([cluster.primary, ...named.map(({ database }) => database)])]
  return cluster.databases
}

/** The slots that the request itself names; null when its rows may be elsewhere the next time. */
function slotsNamed({ plan, payload, operands, rights }: BoundWrite): readonly number[] | null {
  const { action, route, root, conflict, columns, numbered } = plan
  if (action === 'update' || action === 'delete') {
    // What a policy names may be another for the same caller's next token.
    return route.kind === 'pinned' && route.pin.kind === 'value' ? slotsOf(route, { operands, rights }) : null
  }
  const by = root.placement.kind === 'distributed' ? root.table.columns.get(root.placement.by) : undefined
  // A merge goes where it finds a row.
  if (!by || !columns.includes(by) || by === numbered || conflict !== null) return null
  const slots: number[] = []
  for (const row of payload.rows) {
    const value = row[by.name]
    if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'bigint') return null
    try {
      slots.push(slotOf(canonicalText(by, String(value))))
    } catch {
      return null
    }
  }
  return slots
}

function numbersOf(ranges: string): Set<number> {
  const numbers = new Set<number>()
  for (const range of ranges.split(',').filter(Boolean)) {
    const [first = 0, last = first] = range.split('-').map(Number)
    for (let number = first; number <= last; number++) numbers.add(number)
  }
  return numbers
}

function donePart(bound: BoundWrite, { database, attempt, part, answer }: KeyRow): DonePart {
  const text = part ?? ''
  const changes = bound.plan.action === 'update' || bound.plan.action === 'delete'
  return {
    database,
    attempt,
    rows: changes || text === '*' ? null : numbersOf(text),
    planned: changes ? text.split(',') : [],
    result: readKept(bound, answer ?? ''),
  }
}
