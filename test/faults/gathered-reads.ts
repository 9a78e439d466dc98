/**
 * Reads that travel together, in virtual time, on a primary and a replica that lags behind: readers with sessions and without, of keys that
 * others write; of slots that close and open; of what fails, is slow, or never comes back.
 *
 * Held against each answer: it is that of what was asked, no older than what its session has seen, for readers of the primary no older than
 * what was committed when they asked; rows of closed slots are never shown; who asked nothing wrong is told nothing wrong; nothing that is
 * known to be slow is sent along with others; and everybody is answered.
 * @module
 */
import { DatabaseSync } from 'node:sqlite'
import type { ClusterSession } from '../../db/cluster/session.ts'
import type { BoundStatement, Row } from '../../db/sql/statement.ts'
import { seededRandom } from '../support/seeded-random.ts'
import type { GatheredCode } from './gathered-reads-code.ts'
import { transact } from './memory-database.ts'

const timeoutMs = 2000
const keys = 6
/** Slots of the shard: the first two come and go. */
const slots = 4
const pause = (ms: number) => new Promise<void>((done) => setTimeout(done, ms))

const readText = 'SELECT key, version FROM kept WHERE key = ?1 AND slot = ?2'
/** Fails for the one operand. */
const failText = "SELECT CASE WHEN ?1 = 0 THEN json_extract('{', '$') ELSE ?1 END AS key"
const slowText = 'SELECT key, version FROM kept WHERE key = ?1 AND slot = ?2 ORDER BY key'
/** What the slow ones take, in milliseconds. */
const slowMs = 60

const position = (n: number) => String(n).padStart(8, '0')

/** A primary and a replica; writes reach the replica when they are carried there. */
class Simulated {
  readonly primary = new DatabaseSync(':memory:')
  readonly replica = new DatabaseSync(':memory:')
  readonly #random: () => number
  readonly #log: string[] = []
  #carried = 0
  /** Statements that were sent together although one of them was known to be slow. */
  wronglyTogether: string | null = null
  knowsSlow = false
  /** Calls that never come back: of requests that were ended. */
  lost = 0

  constructor(random: () => number) {
    this.#random = random
    for (const database of [this.primary, this.replica]) {
      database.exec(`CREATE TABLE kept (key INTEGER PRIMARY KEY, slot INTEGER, version INTEGER);
        CREATE TABLE _atoll_slots (first INTEGER PRIMARY KEY, last INTEGER NOT NULL, state TEXT NOT NULL);
        CREATE TABLE _atoll_shard (id INTEGER PRIMARY KEY, epoch INTEGER, reference_sequence INTEGER);
        INSERT INTO _atoll_shard VALUES (1, 1, 0)`)
      for (let slot = 0; slot < slots; slot++)
        database.exec(`INSERT INTO _atoll_slots VALUES (${slot}, ${slot}, 'open')`)
      for (let key = 0; key < keys; key++)
        database.exec(`INSERT INTO kept VALUES (${key}, ${key % slots}, 0)`)
    }
  }

  write(sql: string): string {
    this.primary.exec(sql)
    this.#log.push(sql)
    return position(this.#log.length)
  }

  carry(): void {
    if (this.#carried < this.#log.length) this.replica.exec(this.#log[this.#carried++] as string)
  }

  readonly binding = {
    withSession: (constraint: string) => {
      let bookmark: string | null = null
      const prepare = (text: string, parameters: BoundStatement['parameters'] = []) => ({
        text,
        parameters,
        bind: (...values: BoundStatement['parameters']) => prepare(text, values),
        all: async () => (await run([{ text, parameters }]))[0],
      })
      const run = async (statements: readonly BoundStatement[]) => {
        const random = this.#random
        if (random() < 0.02 && this.lost++ < 12) await new Promise(() => undefined)
        await pause(1 + random() * 10)
        const isFresh = constraint.startsWith('first-') || constraint <= position(this.#carried)
        const fromReplica = constraint !== 'first-primary' && isFresh && random() < 0.7
        const slow = statements.some(({ text }) => text === slowText)
        const kinds = new Set(statements.map(({ text, parameters }) => text + parameters))
        if (slow && this.knowsSlow && kinds.size > 2) this.wronglyTogether = [...kinds].join('; ')
        const at = fromReplica ? this.#carried : this.#log.length
        let rows: Row[][]
        try {
          rows = transact(fromReplica ? this.replica : this.primary, statements, (text) => text)
        } catch (error) {
          throw new Error(`D1_ERROR: ${(error as Error).message}: SQLITE_ERROR`)
        }
        bookmark = position(at)
        await pause(slow ? slowMs : random() * 5)
        if (slow) this.knowsSlow = true
        return rows.map((results, i) => ({
          results,
          meta: { duration: statements[i]?.text === slowText ? slowMs : 0.1, rows_read: 1, rows_written: 0 },
        }))
      }
      return { prepare, batch: run, getBookmark: () => bookmark }
    },
  } as unknown as D1Database
}

/** @returns what went wrong; null: nothing */
export async function runGathered(seed: number, code: GatheredCode): Promise<string | null> {
  ;(globalThis as unknown as { kept: Map<string, unknown> }).kept = new Map()
  const random = seededRandom(seed)
  const d1 = new Simulated(random)
  const options = { migrations: [], timeoutMs }
  const check = new code.SchemaCheck('SHARD_1', ['SHARD_1'], options)
  const database = new code.Database(
    'SHARD_1',
    d1.binding,
    new code.RetryBudget(),
    check,
    new code.LightTexts(),
    options,
  )
  const asked = { isConverting: false, database: () => database } as never
  const map = { epoch: 1, epochs: new Map([['SHARD_1', 1]]) } as never
  const versions = Array.from({ length: keys }, () => 0)
  const closed = new Set<number>()
  let wrong: string | null = null
  const tell = (what: string) => {
    wrong ??= what
  }

  /** What is told of a call that never comes back. */
  const isGivenUp = (error: unknown) => d1.lost > 0 && String(error).includes('cannot answer now')

  const read = async (
    session: ClusterSession,
    key: number,
    floor: number,
    isSlow = false,
  ): Promise<number> => {
    const slot = key % slots
    const wasClosed = closed.has(slot)
    const start = Date.now()
    const fence = code.fenceFor({ database: 'SHARD_1', slots: new Set([slot]) }, map, session)
    const main = { text: isSlow ? slowText : readText, parameters: [key, slot], isWorded: true }
    try {
      const [, rows = []] = await database.batch([...fence, main], session)
      const [row] = rows
      const ms = Date.now() - start
      if (ms > timeoutMs / 2) tell(`waited ${ms} milliseconds for what was no call of theirs`)
      if (row === undefined) {
        tell(`slot ${slot} was closed, and its rows were not there`)
        return floor
      }
      if (row.key !== key) tell(`asked for ${key} and was shown ${row.key}`)
      if (Number(row.version) < floor) tell(`was shown ${row.version} of ${key} after ${floor}`)
      return Number(row.version)
    } catch (error) {
      const isMoved = error instanceof code.MovedError
      if (!isMoved && !isGivenUp(error)) tell(`was told ${error}: ${(error as Error).cause}`)
      if (isMoved && slot >= 2 && !wasClosed) tell(`slot ${slot} never moves, and was refused`)
      return floor
    }
  }

  const visitor = async (n: number) => {
    const seen = new Map<string, string>()
    const floors = Array.from({ length: keys }, () => 0)
    const primary = n % 5 === 0
    for (let i = 0; i < 12; i++) {
      await pause(random() * 20)
      const key = Math.floor(random() * keys)
      const session = code.openSession(asked, { reads: true, seen: new Map(seen), primary })
      if (n % 3 === 2 && random() < 0.4) {
        const operand = i % 3 === 0 ? 0 : i
        const main = { text: failText, parameters: [operand], isWorded: true }
        const shown = await database.batch([main], session).then(
          ([rows]) => rows?.[0]?.key,
          (error) => (isGivenUp(error) ? operand : 0),
        )
        if (shown !== operand) tell(`asked for ${operand}, which fails when it is 0, and was told ${shown}`)
        continue
      }
      if (random() < 0.25) {
        versions[key] = (versions[key] as number) + 1
        seen.set('SHARD_1', d1.write(`UPDATE kept SET version = ${versions[key]} WHERE key = ${key}`))
        floors[key] = versions[key] as number
        continue
      }
      const floor = primary ? (versions[key] as number) : (floors[key] as number)
      const shown = await read(session, key, floor, n % 11 === 1)
      floors[key] = Math.max(floors[key] as number, shown)
      for (const [name, bookmark] of session.bookmarks) seen.set(name, bookmark)
    }
  }

  const mover = async () => {
    for (let i = 0; i < 12; i++) {
      await pause(random() * 30)
      const slot = Math.floor(random() * 2)
      // Rows go with their slot, and come back with it.
      if (closed.delete(slot)) {
        d1.write(
          `UPDATE kept SET slot = ${slot} WHERE key % ${slots} = ${slot}; UPDATE _atoll_slots SET state = 'open' WHERE first = ${slot}`,
        )
      } else {
        closed.add(slot)
        d1.write(
          `UPDATE _atoll_slots SET state = 'gone' WHERE first = ${slot}; UPDATE kept SET slot = -1 WHERE key % ${slots} = ${slot}`,
        )
      }
    }
  }
  const carrier = async () => {
    for (let i = 0; i < 200; i++) {
      await pause(random() * 10)
      d1.carry()
    }
  }

  const everybody = Promise.all([mover(), carrier(), ...Array.from({ length: 40 }, (_, n) => visitor(n))])
  const late = pause(60_000).then(() => tell('somebody was never answered'))
  await Promise.race([everybody, late])
  if (d1.wronglyTogether !== null) tell(`what is slow was sent along: ${d1.wronglyTogether}`)
  return wrong
}
