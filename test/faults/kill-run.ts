/**
 * A run in which the Worker's process is killed (`kill -9`) at random moments while clients write rows that start jobs. It is
 * started again on the same state each time, and at the end everything is counted: each committed invoice must have one receipt,
 * each order one note, and artists must have sold what was sold.
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { LogLevel } from 'miniflare'
import { makeRoutedNumber, numberOfId } from '../../db/slots/slots.ts'
import { type LocalServer, root } from '../../functions/local/serve.ts'
import type { ShownMove } from '../../functions/shards/area.ts'
import { killWorkers } from '../support/kill-workers.ts'
import { prepareFixture, startFixture } from '../support/local-server.ts'
import { routed } from '../support/routed.ts'
import { seededRandom } from '../support/seeded-random.ts'

export interface KillRun {
  readonly kills: number
  /** How many moves of slots are asked for meanwhile. */
  readonly moves: number
  /** How likely a message is lost by its queue, and as likely doubled. */
  readonly trouble: number
  readonly seed: number
  /** Longest time that jobs may take to come to an end after the last kill, in milliseconds. */
  readonly drainMs: number
  readonly tell?: (line: string) => void
}

/** What was found in the end. */
export interface KillCounts {
  readonly kills: number
  /** Requests that were answered with 201, and those that the kill left without an answer. */
  readonly acknowledged: number
  readonly unanswered: number
  /** Acknowledged invoices that are not there. */
  readonly missing: readonly number[]
  readonly invoices: number
  /** Invoices by how many receipts, or notes, they lack or have too many. */
  readonly lost: readonly number[]
  readonly doubled: readonly number[]
  /** Units by which what artists have sold differs from what was sold. */
  readonly unitsOff: number
  readonly deadLetters: number
  /** Tries that jobs needed beyond the first. */
  readonly repeated: number
  readonly moves: {
    readonly done: number
    readonly others: readonly string[]
    /** For how long slots of a piece were closed at most, in milliseconds. */
    readonly longestMs: number
    /** Invoices that lie on two databases. */
    readonly twice: number
  }
}

const secretKey = 'sb_secret_kill_run'
const clients = 3
const firstId = 100_000
/** How long slots may be on the move before others can be, in milliseconds. */
const maxAskMs = 120_000

export async function runKills({
  kills,
  moves,
  trouble,
  seed,
  drainMs,
  tell = () => undefined,
}: KillRun): Promise<KillCounts> {
  const random = seededRandom(seed)
  const persistTo = mkdtempSync(join(tmpdir(), 'atoll-kills-'))
  const server = await startFixture({
    port: 0,
    persistTo,
    entry: join(root, 'test', 'support', 'jobs-worker.ts'),
    isWhole: true,
    logLevel: LogLevel.NONE,
    isQuiet: true,
    variables: {
      ATOLL_SECRET_KEY: secretKey,
      ATOLL_RATE_LIMITS: 'off',
      // Jobs that wait are sent again at most every 64 of these. A queue here hands over some 30 messages a second: with more jobs
      // that wait than it can name in that time, repeats alone would fill it.
      RESEND_SECONDS: moves > 50 ? '1' : '0.25',
      LEASE_SECONDS: '2',
      TROUBLE: String(trouble),
    },
  })
  const log = new WriteLog()
  try {
    await prepareFixture(await server.databases())
    for (let kill = 1; kill <= kills; kill++) {
      const writing = new AbortController()
      const writers = Array.from({ length: clients }, () => write(server, log, writing.signal))
      for (
        let asked = Math.floor(((kill - 1) * moves) / kills);
        asked < Math.floor((kill * moves) / kills);
        asked++
      ) {
        await move(server, random)
      }
      await sleep(100 + random() * 1500)
      killWorkers()
      writing.abort()
      await Promise.all(writers)
      await isBack(server)
      if (kill % 20 === 0) tell(`${kill} kills, ${log.acknowledged.size} writes acknowledged`)
    }
    const moved = await settleMoves(server, drainMs)
    await drain(server, drainMs, tell)
    const counts = await countAll(server, log)
    return { kills, ...counts, moves: { ...moved, twice: counts.twice } }
  } finally {
    await server.stop()
    rmSync(persistTo, { recursive: true, force: true })
  }
}

/** Asks for some slots to move, until they do: those that are on the move already are refused. */
async function move(server: LocalServer, random: () => number): Promise<void> {
  for (const end = Date.now() + maxAskMs; Date.now() < end; await sleep(100)) {
    const first = Math.floor(random() * 14_000)
    const slots = `${first}-${first + Math.floor(random() * 2000)}`
    const to = ['DB', 'SHARD_1', 'SHARD_2', 'SHARD_3'][Math.floor(random() * 4)]
    const answer = await fetch(new URL('/shards/v1/moves', server.url), {
      method: 'POST',
      headers: { apikey: secretKey, 'Content-Type': 'application/json' },
      body: JSON.stringify({ slots, to }),
    })
    const { moves = [] } = (await answer.json()) as { moves?: readonly ShownMove[] }
    if (moves.length > 0) return
  }
  throw new Error('no slots could be moved')
}

/** Waits until all moves are over. */
async function settleMoves(server: LocalServer, ms: number): Promise<Omit<KillCounts['moves'], 'twice'>> {
  for (const end = Date.now() + ms; ; await sleep(300)) {
    const answer = await fetch(new URL('/shards/v1/moves', server.url), { headers: { apikey: secretKey } })
    const { moves } = (await answer.json()) as { moves: readonly ShownMove[] }
    const open = moves.filter(({ phase }) => phase !== null)
    if (open.length > 0 && Date.now() < end) continue
    return {
      done: moves.filter(({ state }) => state === 'done').length,
      others: moves.filter(({ state }) => state !== 'done').map((one) => JSON.stringify(one)),
      longestMs: Math.max(0, ...moves.map(({ pauses }) => pauses.longestMs)),
    }
  }
}

/** What the clients know of their writes. */
class WriteLog {
  next = firstId
  readonly acknowledged = new Set<number>()
  readonly unanswered = new Set<number>()
}

async function post(server: LocalServer, path: string, body: unknown): Promise<number | null> {
  try {
    const headers = { apikey: secretKey, 'Content-Type': 'application/json' }
    const response = await fetch(new URL(path, server.url), {
      method: 'POST',
      headers,
      body: JSON.stringify(body),
    })
    await response.arrayBuffer()
    return response.status
  } catch {
    return null
  }
}

/** Writes invoices with items through the data API, and orders through a route, until the server is gone. */
async function write(server: LocalServer, log: WriteLog, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const number = log.next++
    const customer = 1 + (number % 50)
    const id = routed(number, customer)
    const isOrder = number % 3 === 0
    const status = isOrder
      ? await post(server, '/functions/v1/orders', { id, customerId: customer })
      : await post(server, '/rest/v1/invoices', {
          id,
          customer_id: customer,
          invoice_date: '2026-01-01',
          total: 1,
        })
    if (status !== 201) {
      log.unanswered.add(id)
      if (status === null) return
      continue
    }
    log.acknowledged.add(id)
    const item = {
      id,
      invoice_id: id,
      customer_id: customer,
      track_id: 1 + (number % 90),
      unit_price: 1,
      quantity: 1 + (number % 3),
    }
    if ((await post(server, '/rest/v1/invoice_items', item)) === null) return
  }
}

/** Miniflare starts the process again by itself. */
async function isBack(server: LocalServer): Promise<void> {
  for (let i = 0; i < 200; i++) {
    const answer = await fetch(new URL('/functions/v1/sales', server.url), {
      headers: { apikey: secretKey },
    }).catch(() => null)
    await answer?.arrayBuffer().catch(() => null)
    if (answer?.ok) return
    await sleep(50)
  }
  throw new Error('the Worker did not come back')
}

async function rowsOf<Row>(server: LocalServer, text: string): Promise<Row[]> {
  const databases = [...(await server.databases()).values()]
  const parts = await Promise.all(databases.map((database) => database.prepare(text).all<Row>()))
  return parts.flatMap(({ results }) => results)
}

/** Waits until no change and no job waits any more. */
async function drain(server: LocalServer, ms: number, tell: (line: string) => void): Promise<void> {
  const start = Date.now()
  const end = start + ms
  let told = start
  const waiting = `SELECT (SELECT count(*) FROM _atoll_jobs WHERE finished IS NULL)
    + (SELECT count(*) FROM _atoll_changes WHERE sequence > ifnull((SELECT sequence FROM _atoll_cursors WHERE consumer = 'jobs'), 0)) AS n`
  for (;;) {
    // Whoever asks wakes the relays.
    await fetch(new URL('/functions/v1/sales', server.url), { headers: { apikey: secretKey } }).then((one) =>
      one.text(),
    )
    const left = (await rowsOf<{ n: number }>(server, waiting)).reduce((sum, { n }) => sum + n, 0)
    if (left === 0) return
    if (Date.now() > told + 20_000) {
      told = Date.now()
      tell(`${left} changes and jobs are left ${Math.round((told - start) / 1000)} s after the last kill`)
    }
    if (Date.now() > end) {
      const jobs = await rowsOf(
        server,
        `SELECT id, name, state, due - unixepoch() * 1000 AS due_ms, sends, attempts, lapsed, error FROM _atoll_jobs WHERE finished IS NULL LIMIT 5`,
      )
      throw new Error(`${left} changes and jobs are left after ${ms} ms: ${JSON.stringify(jobs)}`)
    }
    await sleep(300)
  }
}

async function countAll(
  server: LocalServer,
  log: WriteLog,
): Promise<Omit<KillCounts, 'kills' | 'moves'> & { readonly twice: number }> {
  const invoices = await rowsOf<{ id: number; receipts: number; notes: number }>(
    server,
    `SELECT id, (SELECT count(*) FROM receipts WHERE invoice_id = invoices.id AND email <> 'note') AS receipts,
     (SELECT count(*) FROM receipts WHERE invoice_id = invoices.id AND email = 'note') AS notes FROM invoices WHERE id >= ${makeRoutedNumber(0, firstId)}`,
  )
  const isOrder = (id: number) => numberOfId(id) % 3 === 0
  const sold = await rowsOf<{ n: number }>(server, 'SELECT ifnull(sum(quantity), 0) AS n FROM invoice_items')
  const summed = await rowsOf<{ n: number }>(server, 'SELECT ifnull(sum(units), 0) AS n FROM artist_sales')
  const dead = await rowsOf(server, 'SELECT id FROM _atoll_dead_letters')
  const tries = await rowsOf<{ n: number }>(
    server,
    'SELECT ifnull(sum(attempts - 1), 0) AS n FROM _atoll_jobs',
  )
  const sum = (rows: readonly { n: number }[]) => rows.reduce((total, { n }) => total + n, 0)
  const there = new Set(invoices.map(({ id }) => id))
  const wrong = (is: (found: number, wanted: number) => boolean) =>
    invoices
      .filter(({ id, receipts, notes }) => is(receipts, 1) || is(notes, isOrder(id) ? 1 : 0))
      .map(({ id }) => id)
  return {
    acknowledged: log.acknowledged.size,
    unanswered: log.unanswered.size,
    missing: [...log.acknowledged].filter((id) => !there.has(id)),
    invoices: invoices.length,
    lost: wrong((found, wanted) => found < wanted),
    doubled: wrong((found, wanted) => found > wanted),
    unitsOff: sum(summed) - sum(sold),
    deadLetters: dead.length,
    repeated: sum(tries),
    twice: invoices.length - there.size,
  }
}
