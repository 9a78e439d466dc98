import type { DatabaseCall } from '../../db/cluster/cluster-options.ts'
import type { Payer, RefusedBy } from '../../db/cluster/watchdog.ts'
import { emit } from './events.ts'
import type { Meter } from './meter.ts'
import type { Spans } from './spans.ts'

/** Notes a round trip to a database. */
export function countCall(
  meter: Meter,
  spans: Spans | null,
  { database, ms, rowsRead, rowsWritten, outcome, isRetry }: DatabaseCall,
): void {
  meter.count('database_calls', { database, outcome })
  meter.time('database_seconds', { database }, ms)
  if (rowsRead > 0) meter.count('database_rows_read', { database }, rowsRead)
  if (rowsWritten > 0) meter.count('database_rows_written', { database }, rowsWritten)
  if (isRetry) meter.count('database_retries', { database })
  spans?.part(
    `D1 ${database}`,
    'client',
    Date.now() - ms,
    Date.now(),
    { 'db.system.name': 'sqlite', 'db.namespace': database, 'atoll.rows_read': rowsRead },
    outcome === 'failed',
  )
}

/** Notes a query that was refused for what it has cost before; the first of a while is told to the log. */
export function countRefusal(
  meter: Meter,
  database: string,
  by: RefusedBy,
  { caller, role }: Payer,
  retryMs: number,
  isNew: boolean,
): void {
  meter.count('database_refusals', { database, by })
  if (isNew) emit({ kind: 'queries-refused', database, by, caller, role, retryMs: Math.round(retryMs) })
}

/** Notes an answer of an origin, or that there was none. */
export function countAnswer(
  meter: Meter,
  spans: Spans | null,
  { pool, origin, answer, ms }: { pool: string; origin: string; answer: string; ms: number },
): void {
  meter.count('origin_requests', { pool, origin, answer })
  meter.time('origin_seconds', { pool, origin }, ms)
  spans?.part(`origin ${pool} ${origin}`, 'client', Date.now() - ms, Date.now(), { 'atoll.answer': answer })
}
