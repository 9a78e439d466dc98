/**
 * An app as the engine sees it, read once in an isolate: its catalog, jobs and configuration.
 * @module
 */
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import type { Catalog } from '../../db/catalog/catalog.ts'
import type { StorageDeclarations } from '../../db/catalog/storage-policy.ts'
import type { TableDeclarations } from '../../db/define.ts'
import { IsolateBudget } from '../../db/memory/isolate-budget.ts'
import { type AtollConfig, defaultConfig } from '../areas.ts'
import { checkOrigins } from '../balancer/check-origins.ts'
import type { OriginDeclarations } from '../balancer/declarations.ts'
import type { FunctionManifest, RouteManifest } from '../define.ts'
import type { JobManifest } from '../jobs/define-job.ts'
import type { WebhookManifest } from '../jobs/define-webhook.ts'
import { createJobRegistry, type EngineJob, type JobRegistry } from '../jobs/job-registry.ts'
import { webhookJob } from '../jobs/webhook-job.ts'
import { alertJobs } from '../monitor/alerts.ts'
import { createRest, type Rest } from '../rest/rest.ts'
import { storageJobs } from '../storage/storage-jobs.ts'
import { PendingWork } from './pending-work.ts'

/** What an app brings. */
export interface App {
  readonly tables: TableDeclarations
  readonly config: Partial<AtollConfig>
  readonly functions?: FunctionManifest
  readonly routes?: RouteManifest
  readonly jobs?: JobManifest
  readonly webhooks?: WebhookManifest
  readonly storage?: StorageDeclarations
  readonly origins?: OriginDeclarations
  /** Names of the migrations that every database must have; none are asked for when left out. */
  readonly migrations?: readonly string[]
}

export interface Engine {
  /** The data API. */
  readonly rest: Rest
  readonly config: AtollConfig
  readonly catalog: Catalog
  readonly registry: JobRegistry
  readonly origins: OriginDeclarations
  readonly migrations: readonly string[]
  /** Of all that this isolate keeps for the app. */
  readonly budget: IsolateBudget
  readonly pending: PendingWork
}

const read = new WeakMap<App, Engine>()

/** @throws SchemaError, JobsError or OriginsError for an app that cannot be served */
export function engineOf(app: App): Engine {
  const known = read.get(app)
  if (known) return known
  const config = { ...defaultConfig, ...app.config }
  const catalog = buildCatalog(app.tables)
  const webhooks = (app.webhooks ?? []).map((webhook) => webhookJob(webhook, config))
  const registry = createJobRegistry(
    [...((app.jobs ?? []) as readonly EngineJob[]), ...webhooks, ...storageJobs, ...alertJobs(config)],
    catalog,
  )
  const origins = app.origins ?? { pools: {}, routes: [] }
  checkOrigins(origins)
  const migrations = app.migrations ?? []
  const budget = new IsolateBudget(config.isolateBytes)
  const pending = new PendingWork(config.pendingBytes, budget)
  const rest = createRest(catalog, app.functions ?? {}, config, migrations, budget, pending)
  const engine = { config, catalog, registry, origins, migrations, rest, budget, pending }
  read.set(app, engine)
  return engine
}
