/**
 * Reservations of unique values under a hostile schedule: the real statements and triggers on SQLite in memory, in virtual time. Calls take
 * as long as they like, writers die at any point, and after every step the rules must hold on all databases together.
 */
import type { DatabaseSync } from 'node:sqlite'
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import type { Column, Table } from '../../db/catalog/catalog.ts'
import { pause } from '../../db/cluster/pause.ts'
import type { ClusterSession } from '../../db/cluster/session.ts'
import { sweepOrphans } from '../../db/cluster/sweep-orphans.ts'
import { type Claim, find, permitClaims, release, reserve } from '../../db/cluster/unique-values.ts'
import { defineTables, distributed } from '../../db/define.ts'
import type { Outcome, Part, Site } from '../../db/slots/parts.ts'
import { evenRanges, ownerOf } from '../../db/slots/shard-map.ts'
import { keySlot, slotCount, slotOf } from '../../db/slots/slots.ts'
import type { BoundStatement, Row } from '../../db/sql/statement.ts'
import { endPermits } from '../../db/system/permits.ts'
import { ruleTriggers } from '../../db/system/rule-triggers.ts'
import { seededRandom } from '../support/seeded-random.ts'
import { openMemory, transact } from './memory-database.ts'

const people = sqliteTable('people', { id: integer('id').primaryKey(), email: text('email').unique() })
const catalog = buildCatalog(
  defineTables({ people: distributed(people, { by: 'id', uniqueAcrossShards: ['email'] }) }),
)
const table = catalog.tables.get('people') as Table
const column = table.columns.get('email') as Column
const names = ['DB', 'SHARD_1', 'SHARD_2']
const map = { epoch: 1, ranges: evenRanges(names), epochs: new Map<string, number>() }
const ownerOfId = (id: number) => ownerOf(map, slotOf(String(id)))
const emails = ['a', 'b', 'c']

/** What the engine's SQL is changed into, statement by statement. */
export type Mutant = (text: string) => string

export interface RunOptions {
  readonly seed: number
  readonly steps: number
  readonly mutant?: Mutant
}

/** @returns what went wrong, in words; null for nothing */
export async function runReservations({
  seed,
  steps,
  mutant = (one) => one,
}: RunOptions): Promise<string | null> {
  const random = seededRandom(seed)
  const below = (n: number) => Math.floor(random() * n)
  const databases = new Map(names.map((name) => [name, openDatabase(name, mutant)]))
  const rows = () =>
    [...databases].flatMap(([name, database]) =>
      (database.prepare('SELECT id, email FROM people').all() as { id: number; email: string | null }[]).map(
        (row) => ({ ...row, name }),
      ),
    )
  let wrong: string | null = null
  /** No email twice, and no row without the entry that leads to it. */
  const check = () => {
    const found = rows().filter(({ email }) => email !== null)
    const twice = found.find(({ email, id }) =>
      found.some((other) => other.email === email && other.id !== id),
    )
    if (twice) wrong ??= `${twice.email} is on two rows`
    for (const { id, email } of found) {
      const home = databases.get(ownerOf(map, keySlot(email as string))) as DatabaseSync
      const entry = home.prepare('SELECT slot FROM _atoll_unique WHERE value = ?').get(email as string)
      if (entry?.slot !== slotOf(String(id))) wrong ??= `${email} does not lead to its row ${id}`
    }
  }
  /** One batch of one database: a transaction, some time after it was sent, and some time before its answer. */
  const batch = async (name: string, statements: readonly BoundStatement[]): Promise<Row[][]> => {
    await pause(below(10) === 0 ? below(4000) : below(40))
    const database = databases.get(name) as DatabaseSync
    const results = transact(database, statements, mutant)
    check()
    await pause(below(20))
    return results
  }
  const session = {
    writing: () => session,
    on: (name: string, statements: readonly BoundStatement[]) => batch(name, statements),
    async run(site: Site, statementsOf: (part: Part) => readonly BoundStatement[]): Promise<Outcome[]> {
      if (site.kind !== 'slots') throw new Error('reservations name their slots')
      const groups = Map.groupBy(site.slots, (slot) => ownerOf(map, slot))
      return Promise.all(
        [...groups].map(async ([database, slots]): Promise<Outcome> => {
          const part: Part = { database, slots: new Set(slots) }
          try {
            return { part, results: await batch(database, statementsOf(part)) }
          } catch (error) {
            return { part, error }
          }
        }),
      )
    },
  } as unknown as ClusterSession

  const letGo = async (email: string) => release(session, await find(session, table, column, [email]))
  /** What the data API does for one row: reserves, writes, gives back what was not used. A writer may die in between. */
  const put = async (id: number, email: string, dies: number, isAgain = false): Promise<void> => {
    const claim: Claim = { table, column, value: email, slot: slotOf(String(id)) }
    const token = `${id}-${email}-${random()}`
    const { permits, taken, contended } = await reserve(session, [claim], token, isAgain)
    if (dies === 1) return
    const name = ownerOfId(id)
    let before: string | null = null
    if (taken.length === 0 && !contended) {
      try {
        const [, [old] = []] = await batch(name, [
          ...permitClaims(permits),
          { text: 'SELECT email FROM people WHERE id = ?1', parameters: [String(id)] },
          {
            text: 'INSERT INTO people (id, email) VALUES (CAST(?1 AS INTEGER), ?2) ON CONFLICT (id) DO UPDATE SET email = excluded.email',
            parameters: [String(id), email],
          },
          endPermits,
        ])
        before = (old?.email as string | undefined) ?? null
      } catch (error) {
        // Another one has it by now, or what was reserved was taken over: then it is tried once more.
        if (!isAgain && String(error).includes('atoll/revoked')) return put(id, email, dies, true)
      }
    }
    if (dies === 2) return
    for (const value of new Set([email, before])) if (value !== null) await letGo(value)
  }
  const drop = async (id: number, dies: number): Promise<void> => {
    const [[old] = []] = await batch(ownerOfId(id), [
      { text: 'DELETE FROM people WHERE id = ?1 RETURNING email', parameters: [String(id)] },
    ])
    if (dies === 0 && typeof old?.email === 'string') await letGo(old.email)
  }
  /** Code that knows of no reservations: the databases must refuse it. */
  const careless = async (id: number, email: string): Promise<void> => {
    const text = 'INSERT OR REPLACE INTO people (id, email) VALUES (CAST(?1 AS INTEGER), ?2)'
    await batch(ownerOfId(id), [{ text, parameters: [String(id), email] }]).catch(() => undefined)
  }
  const sweep = async () => {
    for (const name of names) await sweepOrphans(session, name, [table], null)
  }
  const client = async () => {
    for (let i = 0; i < steps && wrong === null; i++) {
      const [id, email, dies] = [1 + below(5), emails[below(emails.length)] as string, below(6)]
      const kind = below(20)
      if (kind < 12) await put(id, email, dies)
      else if (kind < 16) await drop(id, dies < 3 ? dies : 0)
      else if (kind < 18) await careless(id, email)
      else await sweep()
    }
  }
  await Promise.all([client(), client(), client(), client()])
  await pause(61_000)
  await sweep()
  const left = [...databases.values()].reduce(
    (sum, database) => sum + Number(database.prepare('SELECT count(*) AS n FROM _atoll_unique').get()?.n),
    0,
  )
  if (wrong === null && left !== rows().filter(({ email }) => email !== null).length) {
    wrong = `${left} entries are left of ${rows().length} rows`
  }
  for (const database of databases.values()) database.close()
  return wrong
}

function openDatabase(name: string, mutant: Mutant): DatabaseSync {
  const owned = map.ranges.filter(({ shard }) => shard === name)
  const ranges = owned.length > 0 ? owned : [{ first: slotCount, last: slotCount }]
  return openMemory([
    'CREATE TABLE people (id INTEGER PRIMARY KEY, email TEXT UNIQUE)',
    ...ranges.map(({ first, last }) => `INSERT INTO _atoll_slots (first, last) VALUES (${first}, ${last})`),
    ...[...ruleTriggers(catalog, name === 'DB', true).values()].map(mutant),
  ])
}
