/**
 * Writes with keys under a hostile schedule: the engine's own statements on SQLite in memory, in virtual time. Requests are sent again and at the
 * same time, go elsewhere each time, die anywhere; what they sent commits late; keys are swept. In the end each is written once at most, and
 * once at least when it was answered, and all its answers are the same.
 */
import type { DatabaseSync } from 'node:sqlite'
import { pause } from '../../db/cluster/pause.ts'
import {
  finishKey,
  type KeyRow,
  keyRowOf,
  leaveKey,
  openKey,
  readKey,
  requireNew,
  requireOpen,
  sweepKeys,
  type WriteKey,
} from '../../db/cluster/write-keys.ts'
import type { BoundStatement, Row } from '../../db/sql/statement.ts'
import { seededRandom } from '../support/seeded-random.ts'
import { openMemory, transact } from './memory-database.ts'

const names = ['DB', 'SHARD_1', 'SHARD_2']
const timeoutMs = 1000
const keepMs = 60_000

/** What the protocol is made into. */
export interface Mutant {
  /** Changes a statement of the engine. */
  readonly text?: (text: string) => string
  /** Changes what is sent as one transaction into several. */
  readonly split?: (statements: readonly BoundStatement[]) => readonly (readonly BoundStatement[])[]
  /** Whether the fingerprint of what was found is looked at. */
  readonly looksAtRequest?: boolean
}

export interface RunOptions {
  readonly seed: number
  readonly mutant?: Mutant
}

class Unknown extends Error {}
class Taken extends Error {}
class Busy extends Error {}

/** @returns what went wrong, in words; null for nothing */
export async function runWriteKeys({ seed, mutant = {} }: RunOptions): Promise<string | null> {
  const { text: changed = (text) => text, split = (all) => [all], looksAtRequest = true } = mutant
  const random = seededRandom(seed)
  const below = (n: number) => Math.floor(random() * n)
  const databases = new Map(
    names.map((name) => [
      name,
      openMemory(['CREATE TABLE written (id INTEGER PRIMARY KEY, body TEXT NOT NULL)']),
    ]),
  )
  let wrong: string | null = null

  const run = (name: string, statements: readonly BoundStatement[]): Row[][] => {
    try {
      return transact(databases.get(name) as DatabaseSync, statements, changed)
    } catch (error) {
      throw String(error).includes('atoll/key/taken') ? new Taken() : error
    }
  }
  /** One batch: begins some time after it was sent, and its answer may come too late, or never. */
  const batch = async (name: string, statements: readonly BoundStatement[]): Promise<Row[][]> => {
    const luck = below(20)
    if (luck === 0) throw new Unknown()
    const late = luck < 3 ? timeoutMs + below(6000) : below(60)
    const work = (async () => {
      await pause(late)
      const results: Row[][] = []
      for (const part of split(statements)) {
        results.push(...run(name, part))
        await pause(below(30))
      }
      if (luck === 3) throw new Unknown()
      return results
    })()
    const timeout = pause(timeoutMs).then(() => {
      throw new Unknown()
    })
    work.catch(() => undefined)
    timeout.catch(() => undefined)
    return Promise.race([work, timeout])
  }

  const checked = (key: WriteKey, rows: readonly KeyRow[]) => {
    if (looksAtRequest && rows.some(({ fingerprint }) => fingerprint !== key.fingerprint)) {
      throw new Error('another request')
    }
    return rows
  }
  const doneIn = (rows: readonly KeyRow[]) => rows.find(({ state }) => state === 'done')

  /** What the engine does with one request. A row has a number that no other try gives it; `dies`: how far the isolate lives. */
  const write = async (key: WriteKey, isOne: boolean, body: string, dies: number): Promise<string> => {
    const insert = (id: number): BoundStatement[] => [
      {
        text: 'INSERT INTO written (id, body) VALUES (CAST(?1 AS INTEGER), ?2)',
        parameters: [String(id), body],
      },
      {
        text: `INSERT INTO _atoll_undone (kind, text, keys) SELECT 'row', body || ' ' || id, NULL FROM written WHERE id = CAST(?1 AS INTEGER)`,
        parameters: [String(id)],
      },
    ]
    const id = below(1e9)
    if (isOne) {
      try {
        const results = await batch('DB', [
          ...requireNew(key, Date.now()),
          ...insert(id),
          ...finishKey(key, '*'),
        ])
        return String(results.at(-1)?.[0]?.answer)
      } catch (error) {
        if (!(error instanceof Taken)) throw error
        const rows = (await batch('DB', [readKey(key, Date.now())])).at(-1) ?? []
        const done = doneIn(
          checked(
            key,
            rows.map((row) => keyRowOf('DB', row)),
          ),
        )
        if (!done) throw new Busy()
        return String(done.answer)
      }
    }
    const leave = (isUnknown: boolean) =>
      Promise.allSettled(names.map((name) => batch(name, [leaveKey(key, isUnknown)])))
    try {
      const found = await Promise.all(
        names.map(async (name) =>
          ((await batch(name, openKey(key, Date.now()))).at(-1) ?? []).map((row) => keyRowOf(name, row)),
        ),
      )
      const rows = checked(key, found.flat())
      const done = doneIn(rows)
      if (done) return String(done.answer)
      const opened = rows.filter(({ attempt }) => attempt === key.attempt)
      if (opened.length < names.length) throw new Busy()
    } catch (error) {
      if (dies !== 1) await leave(false)
      throw error
    }
    if (dies === 1) throw new Unknown()
    // It goes where it likes this time.
    const place = names[below(names.length)] as string
    try {
      const results = await batch(place, [requireOpen(key), ...insert(id), ...finishKey(key, '*')])
      return String(results.at(-1)?.[0]?.answer)
    } catch (error) {
      if (dies !== 2) await leave(error instanceof Unknown)
      throw error instanceof Taken ? new Busy() : error
    }
  }

  const client = async (n: number) => {
    const isOne = below(3) === 0
    const answers: string[] = []
    const send = async (body = `b${n}`) => {
      const key: WriteKey = {
        scope: 's',
        key: `k${n}`,
        fingerprint: body,
        attempt: `${n}-${random()}`,
        keepMs,
        maxAnswerBytes: 10_000,
        maxBytes: 1e9,
      }
      try {
        const answer = await write(key, isOne, body, below(6))
        answers.push(answer)
        if (!answer.includes(body)) wrong ??= `${body} was answered with ${answer}`
      } catch (error) {
        if (
          !(error instanceof Unknown || error instanceof Busy) &&
          !String(error).includes('another request')
        )
          wrong ??= String(error)
      }
    }
    // Within the time that keys live, and what is late comes before it ends.
    for (let tries = 0; tries < 8 && wrong === null; tries++) {
      await Promise.all(Array.from({ length: 1 + below(2) }, () => send()))
      if (below(6) === 0) await send(`other${n}`)
      await pause(below(1500))
    }
    await pause(10_000)
    const bodies = (body: string) =>
      [...databases].flatMap(([, database]) =>
        database.prepare('SELECT id FROM written WHERE body = ?').all(body),
      ).length
    if (bodies(`b${n}`) + bodies(`other${n}`) > 1) wrong ??= `k${n} was written twice`
    if (answers.length > 0 && bodies(`b${n}`) + bodies(`other${n}`) === 0)
      wrong ??= `k${n} was answered and not written`
    if (new Set(answers.filter((answer) => answer.includes(`b${n}`))).size > 1)
      wrong ??= `k${n} has several answers`
  }
  const sweeper = async () => {
    for (let i = 0; i < 20; i++) {
      await pause(2000)
      for (const name of names) run(name, sweepKeys(keepMs, Date.now()))
    }
  }
  await Promise.all([...Array.from({ length: 5 }, (_, n) => client(n)), sweeper()])
  // After their time nothing is left of them.
  await pause(keepMs + 1000)
  for (const [name, database] of databases) {
    run(name, sweepKeys(keepMs, Date.now()))
    const left = database
      .prepare(
        'SELECT (SELECT count(*) FROM _atoll_idempotency) + (SELECT count(*) FROM _atoll_idempotency_use) AS n',
      )
      .get()
    if (Number(left?.n) > 0) wrong ??= `${left?.n} rows of keys are left on ${name}`
    database.close()
  }
  return wrong
}
