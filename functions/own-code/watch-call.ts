/**
 * The app's own code under the watchdog's eyes: known by its name, refused as a whole before it begins, and charged for what its
 * queries take.
 * @module
 */
import { costOf, type Watchdog } from '../../db/cluster/watchdog.ts'
import type { RunsFor } from './runs-for.ts'
import type { Services } from './services.ts'

/** Runs it, if its slow queries have not had their share. @throws 503 `BOUND020` before anything has run */
export async function watched<Result>(
  { account, name }: RunsFor,
  { watchdog, cluster }: Services,
  work: () => Promise<Result>,
): Promise<Result> {
  const payer = account?.payer ?? null
  if (payer === null) return work()
  const runs = await watchdog.enterNamed(cluster.databases, payer, name)
  try {
    return await work()
  } finally {
    for (const run of runs) watchdog.leave(run)
  }
}

/** Makes one of its calls to a database. @throws 400 `BOUND021` or `BOUND022` for what is beyond the request's bounds */
export async function watchCall<Result>(
  { account, name }: RunsFor,
  watchdog: Watchdog,
  database: string,
  make: () => Promise<Result>,
  statements: number,
  later: (work: Promise<unknown>) => void,
): Promise<Result> {
  if (account === null) return make()
  account.check(statements)
  account.statements += statements
  if (account.payer === null) return make()
  const run = watchdog.enterCall(database, account.payer, name)
  const work = make()
  // A client that goes away does not leave what it asked for unwatched.
  later(work.catch(() => undefined))
  try {
    const result = await work
    const meta = metaOf(result)
    account.rowsRead += meta?.rows_read ?? 0
    // Drizzle asks for rows as arrays, of which D1 tells no more: the time is its own when nothing ran before it.
    const elapsedMs = run.wasFirst ? Date.now() - run.startedAt : 0
    watchdog.ended(run, [meta === undefined ? elapsedMs : costOf(meta)])
    return result
  } catch (error) {
    watchdog.failed(run, error)
    throw error
  }
}

/** What D1 says of all statements of a call; undefined: it does not. */
function metaOf(result: unknown): { readonly duration: number; readonly rows_read: number } | undefined {
  const results = (Array.isArray(result) ? result : [result]) as readonly (Partial<D1Result> | null)[]
  let [duration, rowsRead] = [0, 0]
  for (const one of results) {
    // A row has columns of any name; no result has rows and lacks these.
    if (one?.success !== true || typeof one.meta?.duration !== 'number') return undefined
    duration += one.meta.duration
    rowsRead += one.meta.rows_read ?? 0
  }
  return results.length === 0 ? undefined : { duration, rows_read: rowsRead }
}
