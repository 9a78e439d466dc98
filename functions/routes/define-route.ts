import type { DrizzleD1Database } from 'drizzle-orm/d1'
import type { Hono } from 'hono'
import type { AppEnv } from '../core/app-env.ts'
import type { Jobs } from '../jobs/area.ts'
import type { Api, ChannelSender, Shards } from '../own-code/area.ts'
import type { AtollEnv } from './services.ts'

/** Hono apps of `functions/app/routes/`, by the names that they are served under at `/functions/v1/<name>`. */
export type RouteManifest = Readonly<Record<string, Hono<RouteEnv>>>

/** What a route's handlers find in their context: `c.var.caller`, `c.var.database`, `c.var.shards`, `c.var.jobs`,
 * `c.var.api`, `c.var.realtime`, `c.var.services`; and `c.env`, `c.req` and what else Hono has. */
export interface RouteEnv extends AtollEnv {
  readonly Bindings: AppEnv
  readonly Variables: AtollEnv['Variables'] & {
    database: DrizzleD1Database
    shards: Shards
    jobs: Jobs
    api: Api
    realtime: ChannelSender
  }
}
