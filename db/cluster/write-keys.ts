/**
 * Writes that may be sent again, by the key that they carry (`Idempotency-Key`). That a key's write is done, and what it answered, is a row
 * that commits with it: in the same transaction of the same database, so that it is there if and only if the write is.
 *
 * Where the write can only be on one database, that row does it all: it is put in before the write, which a second one is refused by.
 *
 * Where it may be on several, the same request can go to another database the next time: ids are new, rows have moved, others match. Then each try
 * of it, an *attempt*, first opens a row on every database that it may write to, and takes away what earlier attempts have open there. Its
 * transactions are refused where their row is not open any more. So when all rows are open, no earlier attempt can commit any more, and what they have
 * committed is there to be read: it counts as done, and the rest of the write is made. As with fencing tokens, a slow writer that comes back is
 * harmless. (Kleppmann, How to do distributed locking: https://martin.kleppmann.com/2016/02/08/how-to-do-distributed-locking.html)
 *
 * `test/faults/write-keys.ts` plays it with delays, deaths and late commits, and finds its mutants.
 * @module
 */

import { keyMark } from '../errors/constraint-error.ts'
import type { BoundStatement, Row } from '../sql/statement.ts'
import { notedRows, notedSum } from './noted-rows.ts'

/** The key of a write, whose it is and what it stands for. */
export interface WriteKey {
  /** Hash of the caller. */
  readonly scope: string
  readonly key: string
  /** Hash of the request. */
  readonly fingerprint: string
  /** This try. */
  readonly attempt: string
  /** How long keys are kept, in milliseconds. */
  readonly keepMs: number
  /** Most bytes of an answer that is kept. */
  readonly maxAnswerBytes: number
  /** Most bytes of all that is kept for a caller on a database. */
  readonly maxBytes: number
}

/** What a database knows of a key. */
export interface KeyRow {
  readonly database: string
  readonly attempt: string
  readonly fingerprint: string
  readonly state: 'open' | 'done'
  readonly part: string | null
  readonly answer: string | null
}

/** An attempt is not disturbed by others for so long, in milliseconds. */
export const courtesyMs = 2000

const own = 'scope = ?1 AND key = ?2'

function expired({ scope, key, keepMs }: WriteKey, now: number): BoundStatement {
  return {
    text: `DELETE FROM _atoll_idempotency WHERE ${own} AND at < CAST(?3 AS INTEGER)`,
    parameters: [scope, key, String(now - keepMs)],
  }
}

function open({ scope, key, attempt, fingerprint }: WriteKey, now: number): BoundStatement {
  return {
    text: `INSERT INTO _atoll_idempotency (scope, key, attempt, fingerprint, state, at, until)
 SELECT ?1, ?2, ?3, ?4, 'open', CAST(?5 AS INTEGER), CAST(?6 AS INTEGER)
 WHERE NOT EXISTS (SELECT 1 FROM _atoll_idempotency WHERE ${own} AND (state = 'open' OR fingerprint <> ?4))`,
    parameters: [scope, key, attempt, fingerprint, String(now), String(now + courtesyMs)],
  }
}

/** A key that is done already is answered however much there is. */
function bounded({ scope, key, maxBytes }: WriteKey): BoundStatement {
  return {
    text: `INSERT INTO _atoll_guard SELECT '${keyMark}full/${maxBytes}' WHERE (SELECT bytes FROM _atoll_idempotency_use WHERE scope = ?1) > ${maxBytes} AND NOT EXISTS (SELECT 1 FROM _atoll_idempotency WHERE ${own} AND state = 'done')`,
    parameters: [scope, key],
  }
}

/** What is known of a key that has not expired. */
export function readKey({ scope, key, keepMs }: WriteKey, now = Date.now()): BoundStatement {
  return {
    text: `SELECT attempt, fingerprint, state, part, answer FROM _atoll_idempotency WHERE ${own} AND at >= CAST(?3 AS INTEGER) ORDER BY rowid`,
    parameters: [scope, key, String(now - keepMs)],
  }
}

/** A row of `_atoll_write_keys`, with the database that it lies on. */
export function keyRowOf(database: string, row: Row): KeyRow {
  return { ...(row as unknown as Omit<KeyRow, 'database'>), database }
}

/**
 * Opens a key for an attempt on one database, unless it stands for another request or an attempt is under way; the last statement answers with all
 * that is known of it then.
 */
export function openKey(key: WriteKey, now = Date.now()): readonly BoundStatement[] {
  const { scope, key: name, attempt, fingerprint } = key
  return [
    expired(key, now),
    // From here on, what such an attempt sends is refused.
    {
      text: `DELETE FROM _atoll_idempotency WHERE ${own} AND attempt <> ?3 AND fingerprint = ?4 AND state = 'open' AND until <= CAST(?5 AS INTEGER)`,
      parameters: [scope, name, attempt, fingerprint, String(now)],
    },
    open(key, now),
    bounded(key),
    readKey(key, now),
  ]
}

/** Comes first in a transaction of an attempt whose key is open: undoes it when it is not. */
export function requireOpen({ scope, key, attempt }: WriteKey): BoundStatement {
  return {
    text: `INSERT INTO _atoll_guard SELECT '${keyMark}taken' WHERE NOT EXISTS (SELECT 1 FROM _atoll_idempotency WHERE ${own} AND attempt = ?3 AND state = 'open')`,
    parameters: [scope, key, attempt],
  }
}

/** The same for a write that can only be here: opens the key, and undoes everything when it is known already. */
export function requireNew(key: WriteKey, now = Date.now()): readonly BoundStatement[] {
  return [
    expired(key, now),
    {
      text: `INSERT INTO _atoll_guard SELECT '${keyMark}taken' WHERE EXISTS (SELECT 1 FROM _atoll_idempotency WHERE ${own})`,
      parameters: [key.scope, key.key],
    },
    open(key, now),
    bounded(key),
  ]
}

/** Notes of this transaction as JSON: what `finishKey` keeps. */
const notesText = `json_object('rows', ${notedRows}, 'affected', ${notedSum('affected')}, 'existing', ${notedSum('existing')}, 'key', (SELECT CASE WHEN count(*) = 1 THEN json(max(text)) END FROM _atoll_undone WHERE kind = 'key'))`

/**
 * Comes last in the transaction: from its commit on, the key is done. The last statement answers with what is kept, in `answer`.
 *
 * @param answer null: what was noted in `_atoll_undone`
 */
export function finishKey(
  asked: WriteKey,
  part: string,
  answer: string | null = null,
): readonly BoundStatement[] {
  const { scope, key, attempt, maxAnswerBytes } = asked
  return [
    {
      text: `INSERT INTO _atoll_guard SELECT '${keyMark}large/${maxAnswerBytes}' WHERE (SELECT sum(octet_length(text) + ifnull(octet_length(keys), 0)) FROM _atoll_undone WHERE kind = 'row') > ${maxAnswerBytes}`,
      parameters: [],
    },
    {
      text: `UPDATE _atoll_idempotency SET state = 'done', part = ?4, answer = ${answer === null ? notesText : '?5'} WHERE ${own} AND attempt = ?3`,
      parameters: [scope, key, attempt, part, ...(answer === null ? [] : [answer])],
    },
    { text: 'DELETE FROM _atoll_undone', parameters: [] },
    readAnswer(asked, attempt),
  ]
}

/** What an attempt, or an earlier one, has had as its answer on this database. */
export function readAnswer({ scope, key }: WriteKey, attempt: string): BoundStatement {
  return {
    text: `SELECT answer FROM _atoll_idempotency WHERE ${own} AND attempt = ?3`,
    parameters: [scope, key, attempt],
  }
}

/** Of a database on which nothing is to be written. */
export const noAnswer: BoundStatement = {
  text: `SELECT json_object('rows', json_array(), 'affected', 0, 'existing', 0, 'key', NULL) AS answer`,
  parameters: [],
}

/**
 * What an attempt leaves behind that has failed. Where nothing was written the key is free again, for another request too; where that is not
 * known it stands for this one, and the next attempt need not wait.
 */
export function leaveKey({ scope, key, attempt }: WriteKey, isUnknown: boolean): BoundStatement {
  const mine = `${own} AND attempt = ?3 AND state = 'open'`
  return {
    text: isUnknown
      ? `UPDATE _atoll_idempotency SET until = 0 WHERE ${mine}`
      : `DELETE FROM _atoll_idempotency WHERE ${mine}`,
    parameters: [scope, key, attempt],
  }
}

const sweptAtOnce = 500

/** Takes away keys whose time is over; answers with how many, in `n`. */
export function sweepKeys(keepMs: number, now = Date.now()): readonly BoundStatement[] {
  return [
    {
      text: `DELETE FROM _atoll_idempotency WHERE rowid IN (SELECT rowid FROM _atoll_idempotency WHERE at < CAST(?1 AS INTEGER) ORDER BY at LIMIT ${sweptAtOnce})`,
      parameters: [String(now - keepMs)],
    },
    { text: `SELECT changes() = ${sweptAtOnce} AS more`, parameters: [] },
  ]
}
