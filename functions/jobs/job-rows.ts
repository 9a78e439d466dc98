/**
 * The statements over jobs' rows. What a row says, `db/system/job-objects.ts` tells.
 *
 * Longer than other files because it is one list: what can become of a row is seen in one place.
 * @module
 */
import type { BoundStatement, Row } from '../../db/sql/statement.ts'

/** A job that is to be put in. */
export interface NewJob {
  readonly id: string
  readonly name: string
  readonly queue: string
  /** JSON; null when it is in R2. */
  readonly payload: string | null
  readonly value: string | null
  readonly lane: string | null
  readonly key: string | null
  readonly key_until: 'started' | 'finished' | null
  /** Milliseconds since 1970, as all times here. */
  readonly due: number
  readonly created: number
  readonly deadline: number | null
}

/** A job that somebody has begun to run. */
export interface ClaimedJob {
  readonly id: string
  readonly name: string
  readonly payload: string | null
  readonly value: string | null
  readonly attempts: number
  readonly deadline: number | null
  readonly cancelled: boolean
  /** Why the last try failed; null when there was none, or it did not come to say so. */
  readonly error: string | null
  readonly hasLane: boolean
}

const insertText = `INSERT INTO _atoll_jobs (id, name, queue, state, due, payload, value, lane, key, key_until, created, deadline)
  SELECT value->>'id', value->>'name', value->>'queue', 'waiting', value->>'due', value->>'payload', value->>'value', value->>'lane',
  value->>'key', value->>'key_until', value->>'created', value->>'deadline' FROM json_each(?1) WHERE true
  ON CONFLICT (name, key) WHERE key IS NOT NULL DO UPDATE SET key = key`

/** Bytes of jobs in one statement: D1 takes 2,000,000 as a parameter. */
const maxStatementBytes = 1_500_000

/**
 * Puts jobs in, in their order; of one whose key is taken, it answers with the id of the job that has it.
 *
 * @param answers whether it answers with ids at all
 */
export function insertJobs(jobs: readonly NewJob[], answers = true): BoundStatement[] {
  const text = answers ? `${insertText} RETURNING id` : insertText
  const lists: string[][] = []
  let bytes = Number.POSITIVE_INFINITY
  for (const job of jobs) {
    const row = JSON.stringify(job)
    const own = encoder.encode(row).byteLength + 1
    if (bytes + own > maxStatementBytes) {
      lists.push([])
      bytes = 0
    }
    lists.at(-1)?.push(row)
    bytes += own
  }
  return lists.map((list) => ({ text, parameters: [`[${list.join(',')}]`] }))
}

const encoder = new TextEncoder()

/**
 * Jobs whose time has come, as rows of `id`, `queue` and `name`; they count as sent, and are sent again if nobody begins them.
 * They come in the index's order, by name: no more rows are read than are taken.
 */
export function takeDue(
  names: readonly string[],
  now: number,
  resendMs: number,
  limit: number,
): BoundStatement {
  return {
    text: `UPDATE _atoll_jobs SET lapsed = lapsed + (state = 'running'), state = 'sent', token = NULL, sends = sends + 1,
      due = CAST(?2 AS INTEGER) + (CAST(?3 AS INTEGER) << min(sends, 6)) WHERE sequence IN
      (SELECT sequence FROM _atoll_jobs WHERE name IN (SELECT value FROM json_each(?1)) AND due <= CAST(?2 AS INTEGER)
      LIMIT CAST(?4 AS INTEGER)) RETURNING id, queue, name`,
    parameters: [JSON.stringify(names), String(now), String(resendMs), String(limit)],
  }
}

/** Jobs of one name whose time has come, as rows of `id` and `sends`. */
export function listDue(name: string, now: number, limit: number): BoundStatement {
  return {
    text: 'SELECT id, sends FROM _atoll_jobs WHERE name = ?1 AND due <= CAST(?2 AS INTEGER) ORDER BY due LIMIT CAST(?3 AS INTEGER)',
    parameters: [name, String(now), String(limit)],
  }
}

/** As `takeDue`, of certain jobs. */
export function takeThese(ids: readonly string[], now: number, resendMs: number): BoundStatement {
  return {
    text: `UPDATE _atoll_jobs SET lapsed = lapsed + (state = 'running'), state = 'sent', token = NULL, sends = sends + 1,
      due = CAST(?2 AS INTEGER) + (CAST(?3 AS INTEGER) << min(sends, 6))
      WHERE id IN (SELECT value FROM json_each(?1)) AND due <= CAST(?2 AS INTEGER) RETURNING id, queue, name`,
    parameters: [JSON.stringify(ids), String(now), String(resendMs)],
  }
}

/** Puts off jobs that could not be sent. */
export function putOff(ids: readonly string[], due: number): BoundStatement {
  return {
    text: `UPDATE _atoll_jobs SET state = 'waiting', due = CAST(?2 AS INTEGER), sends = sends - 1
      WHERE id IN (SELECT value FROM json_each(?1)) AND state = 'sent'`,
    parameters: [JSON.stringify(ids), String(due)],
  }
}

/** For each name, when its next job is due. */
export function nextDue(names: readonly string[]): BoundStatement {
  return {
    text: `SELECT value AS name, (SELECT due FROM _atoll_jobs WHERE name = n.value AND due IS NOT NULL ORDER BY due LIMIT 1) AS due
      FROM json_each(?1) AS n`,
    parameters: [JSON.stringify(names)],
  }
}

/**
 * Begins jobs, for a lease: whoever does not prolong it is taken to be dead. Answers with those that may be begun: a message
 * can come twice, and too late.
 */
export function claim(
  ids: readonly string[],
  token: string,
  now: number,
  leaseMs: number,
  { limited = [], alone = false }: ClaimTerms = {},
): BoundStatement {
  return {
    text: `UPDATE _atoll_jobs SET state = 'running', attempts = attempts + 1, sends = 0, token = ?2,
        due = CAST(?3 AS INTEGER) + CAST(?4 AS INTEGER),
        key = CASE key_until WHEN 'started' THEN NULL ELSE key END WHERE id IN (SELECT value FROM json_each(?1))
        AND (state = 'sent' OR (state IN ('waiting', 'running') AND due <= CAST(?3 AS INTEGER)
        AND name NOT IN (SELECT value FROM json_each(?5)))) ${alone ? '' : 'AND lapsed = 0'}
        RETURNING id, name, payload, value, attempts, deadline, cancel, error, lane IS NOT NULL AS has_lane`,
    parameters: [JSON.stringify(ids), token, String(now), String(leaseMs), JSON.stringify(limited)],
  }
}

export interface ClaimTerms {
  /** Names that need a place, which only those have that were sent. */
  readonly limited?: readonly string[]
  /** Whether it runs by itself, as those do under which a Worker may have died. */
  readonly alone?: boolean
}

/** Which of some jobs run by themselves, as rows of `id`: a Worker fell silent under them. */
export function lapsedOf(ids: readonly string[]): BoundStatement {
  return {
    text: `SELECT id FROM _atoll_jobs WHERE id IN (SELECT value FROM json_each(?1)) AND lapsed > 0 AND finished IS NULL`,
    parameters: [JSON.stringify(ids)],
  }
}

/** Results of a job's steps. */
export function stepsOf(id: string): BoundStatement {
  return { text: 'SELECT step, result FROM _atoll_job_steps WHERE job = ?1', parameters: [id] }
}

export function claimedJobOf(row: Row): ClaimedJob {
  return {
    id: row.id as string,
    name: row.name as string,
    payload: row.payload as string | null,
    value: row.value as string | null,
    attempts: Number(row.attempts),
    deadline: row.deadline === null ? null : Number(row.deadline),
    cancelled: row.cancel === 1,
    error: row.error as string | null,
    hasLane: row.has_lane === 1,
  }
}

/** Prolongs the lease of whoever has the token; answers with `id` and `cancel` of the jobs that are theirs still. */
export function prolong(ids: readonly string[], token: string, until: number): BoundStatement {
  return {
    text: `UPDATE _atoll_jobs SET due = CAST(?3 AS INTEGER) WHERE id IN (SELECT value FROM json_each(?1)) AND token = ?2
      RETURNING id, cancel`,
    parameters: [JSON.stringify(ids), token, String(until)],
  }
}

export function noteProgress(
  id: string,
  token: string,
  until: number,
  percent: number,
  note: string | null,
): BoundStatement {
  return {
    text: `UPDATE _atoll_jobs SET due = CAST(?3 AS INTEGER), percent = CAST(?4 AS REAL), note = ?5 WHERE id = ?1 AND token = ?2
      RETURNING cancel`,
    parameters: [id, token, String(until), String(percent), note],
  }
}

/** Remembers a step's result, if the job is still whose token it is; answers with `cancel`. */
export function noteStep(
  id: string,
  token: string,
  until: number,
  step: string,
  result: string,
): readonly BoundStatement[] {
  return [
    {
      text: `INSERT INTO _atoll_job_steps SELECT ?1, ?3, ?4 WHERE EXISTS (SELECT 1 FROM _atoll_jobs WHERE id = ?1 AND token = ?2)
        ON CONFLICT DO NOTHING`,
      parameters: [id, token, step, result],
    },
    {
      text: 'UPDATE _atoll_jobs SET due = CAST(?3 AS INTEGER) WHERE id = ?1 AND token = ?2 RETURNING cancel',
      parameters: [id, token, String(until)],
    },
  ]
}

/** @param places databases other than its own where it has left marks of effects */
export function finish(
  id: string,
  token: string,
  state: 'done' | 'cancelled',
  now: number,
  places: readonly string[],
): BoundStatement {
  return {
    text: `UPDATE _atoll_jobs SET state = ?3, due = NULL, key = NULL, token = NULL, finished = CAST(?4 AS INTEGER), places = ?5,
      percent = CASE ?3 WHEN 'done' THEN 100 ELSE percent END WHERE id = ?1 AND token = ?2 RETURNING id`,
    parameters: [id, token, state, String(now), places.length === 0 ? null : JSON.stringify(places)],
  }
}

export function tryAgain(id: string, token: string, due: number, error: string): BoundStatement {
  return {
    text: `UPDATE _atoll_jobs SET state = 'waiting', due = CAST(?3 AS INTEGER), error = ?4, token = NULL WHERE id = ?1 AND token = ?2 RETURNING id`,
    parameters: [id, token, String(due), error],
  }
}

/** Moves a job to the dead letters. */
export function giveUpOn(
  id: string,
  token: string,
  now: number,
  error: string,
  places: readonly string[],
): readonly BoundStatement[] {
  const own = 'WHERE id = ?1 AND token = ?2'
  return [
    {
      text: `INSERT OR REPLACE INTO _atoll_dead_letters (id, name, queue, payload, value, lane, created, attempts, error, died, places)
        SELECT id, name, queue, payload, value, lane, created, attempts, ?3, CAST(?4 AS INTEGER), ?5 FROM _atoll_jobs ${own}`,
      parameters: [id, token, error, String(now), places.length === 0 ? null : JSON.stringify(places)],
    },
    { text: `DELETE FROM _atoll_jobs ${own} RETURNING id`, parameters: [id, token] },
  ]
}

/** Puts jobs that cannot even be begun among the dead letters. */
export function insertDead(jobs: readonly NewJob[], error: string): BoundStatement {
  return {
    text: `INSERT INTO _atoll_dead_letters (id, name, queue, payload, value, lane, created, attempts, error, died)
      SELECT value->>'id', value->>'name', value->>'queue', value->>'payload', value->>'value', value->>'lane', value->>'created',
      0, ?2, value->>'created' FROM json_each(?1)`,
    parameters: [JSON.stringify(jobs), error],
  }
}

/** Sends a dead letter once more, as if it were new. Answers with its id when there is one. */
export function revive(id: string, now: number): readonly BoundStatement[] {
  return [
    {
      text: `INSERT INTO _atoll_jobs (id, name, queue, state, due, payload, value, lane, created, places)
        SELECT id, name, queue, 'waiting', CAST(?2 AS INTEGER), payload, value, lane, created, places FROM _atoll_dead_letters WHERE id = ?1
        RETURNING id`,
      parameters: [id, String(now)],
    },
    { text: 'DELETE FROM _atoll_dead_letters WHERE id = ?1', parameters: [id] },
  ]
}

/** Cancels a job that nobody runs, and asks the one who runs it to stop. Answers with its state. */
export function cancel(id: string, now: number): readonly BoundStatement[] {
  return [
    {
      text: `UPDATE _atoll_jobs SET state = 'cancelled', due = NULL, key = NULL, token = NULL, finished = CAST(?2 AS INTEGER)
        WHERE id = ?1 AND state IN ('waiting', 'held', 'sent')`,
      parameters: [id, String(now)],
    },
    {
      text: `UPDATE _atoll_jobs SET cancel = 1 WHERE id = ?1 AND state = 'running'`,
      parameters: [id],
    },
    { text: 'SELECT state FROM _atoll_jobs WHERE id = ?1', parameters: [id] },
  ]
}

/** Takes away a job that is over, or a dead letter. Answers with what was there, in two results. */
export function discard(id: string): readonly BoundStatement[] {
  return [
    {
      text: 'DELETE FROM _atoll_jobs WHERE id = ?1 AND finished IS NOT NULL RETURNING id, payload IS NULL AS stored, places',
      parameters: [id],
    },
    {
      text: 'DELETE FROM _atoll_dead_letters WHERE id = ?1 RETURNING id, payload IS NULL AS stored, places',
      parameters: [id],
    },
  ]
}

/** Takes away jobs that ended some time ago. Answers with rows of `id`, `stored` and `places`. */
export function dropFinished(before: number, limit: number): BoundStatement {
  return {
    text: `DELETE FROM _atoll_jobs WHERE sequence IN (SELECT sequence FROM _atoll_jobs WHERE finished <= CAST(?1 AS INTEGER)
      ORDER BY finished LIMIT CAST(?2 AS INTEGER)) RETURNING id, payload IS NULL AS stored, places`,
    parameters: [String(before), String(limit)],
  }
}

/**
 * Takes away what jobs have left that are there no more.
 *
 * @param before marks that are younger stay: somebody who has lost the job may run it still
 */
export function forget(ids: readonly string[], before: number): readonly BoundStatement[] {
  const gone = `WHERE job IN (SELECT value FROM json_each(?1)) AND NOT EXISTS (SELECT 1 FROM _atoll_jobs WHERE id = job)
    AND NOT EXISTS (SELECT 1 FROM _atoll_dead_letters WHERE id = job)`
  return [
    {
      text: `DELETE FROM _atoll_job_effects ${gone} AND at <= CAST(?2 AS INTEGER)`,
      parameters: [JSON.stringify(ids), String(before)],
    },
    { text: `DELETE FROM _atoll_job_steps ${gone}`, parameters: [JSON.stringify(ids)] },
  ]
}

/** The oldest marks of effects, as rows of `job`. */
export function listOldEffects(before: number, limit: number): BoundStatement {
  return {
    text: 'SELECT job FROM _atoll_job_effects WHERE at <= CAST(?1 AS INTEGER) ORDER BY at LIMIT CAST(?2 AS INTEGER)',
    parameters: [String(before), String(limit)],
  }
}

/** Lets marks of jobs count as made now. */
export function renewEffects(ids: readonly string[], now: number): BoundStatement {
  return {
    text: 'UPDATE _atoll_job_effects SET at = CAST(?2 AS INTEGER) WHERE job IN (SELECT value FROM json_each(?1))',
    parameters: [JSON.stringify(ids), String(now)],
  }
}

/** Fails, and with it its transaction, when the effect has happened before. */
export function markEffect(job: string, effect: string, now: number): BoundStatement {
  return {
    text: 'INSERT INTO _atoll_job_effects VALUES (?1, ?2, CAST(?3 AS INTEGER))',
    parameters: [job, effect, String(now)],
  }
}
