/**
 * Counts the jobs of one name that are under way: a Durable Object for each name that has a limit.
 * @module
 */
import { DurableObject } from 'cloudflare:workers'
import { type CoreEnv, relayOf } from '../core/context.ts'

/** Jobs of a database that want to be sent. */
export interface LimitRequest {
  readonly database: string
  readonly ids: readonly string[]
  /** How many may be under way. */
  readonly limit: number
  /** How long a place is kept for one that is not released, in milliseconds. */
  readonly holdMs: number
}

export interface JobLimitAccess {
  /** @returns the ids of those that may go; for the others, their database's relay is told when there is room */
  take(request: LimitRequest): Promise<readonly string[]>
  release(ids: readonly string[]): Promise<void>
  /** Keeps places that are held for some more milliseconds. */
  renew(ids: readonly string[], holdMs: number): Promise<void>
}

export interface JobLimit extends JobLimitAccess, Rpc.DurableObjectBranded {}

/** Databases that are told of one place that has become free. */
const toldAtOnce = 4

/** The class that `wrangler.toml` names. */
export class JobLimits extends DurableObject<CoreEnv> implements JobLimitAccess {
  constructor(state: DurableObjectState, env: CoreEnv) {
    super(state, env)
    const { sql } = this.ctx.storage
    sql.exec('CREATE TABLE IF NOT EXISTS held (id TEXT PRIMARY KEY, until INTEGER NOT NULL)')
    sql.exec('CREATE TABLE IF NOT EXISTS waiting (relay TEXT PRIMARY KEY)')
  }

  async take({ database, ids, limit, holdMs }: LimitRequest): Promise<readonly string[]> {
    const { sql } = this.ctx.storage
    const now = Date.now()
    sql.exec('DELETE FROM held WHERE until <= ?', now)
    const taken: string[] = []
    for (const id of ids) {
      const [other] = sql.exec<{ n: number }>('SELECT count(*) AS n FROM held WHERE id <> ?', id)
      if ((other?.n ?? 0) >= limit) break
      sql.exec('INSERT OR REPLACE INTO held VALUES (?, ?)', id, now + holdMs)
      taken.push(id)
    }
    if (taken.length < ids.length) sql.exec('INSERT OR IGNORE INTO waiting VALUES (?)', database)
    return taken
  }

  async renew(ids: readonly string[], holdMs: number): Promise<void> {
    const until = Date.now() + holdMs
    for (const id of ids) {
      this.ctx.storage.sql.exec(
        'INSERT INTO held VALUES (?, ?) ON CONFLICT DO UPDATE SET until = max(until, excluded.until)',
        id,
        until,
      )
    }
  }

  async release(ids: readonly string[]): Promise<void> {
    const { sql } = this.ctx.storage
    for (const id of ids) sql.exec('DELETE FROM held WHERE id = ?', id)
    const told = [
      ...sql.exec<{ relay: string }>('SELECT relay FROM waiting ORDER BY random() LIMIT ?', toldAtOnce),
    ]
    for (const { relay } of told) {
      sql.exec('DELETE FROM waiting WHERE relay = ?', relay)
      await relayOf(this.env)?.carry(relay)
    }
  }
}
