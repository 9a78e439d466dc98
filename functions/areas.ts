/**
 * The areas, from bottom to top: each knows those below it, and what they stand on is `core/`. What all of them bring is put together
 * here: configuration, environment, what is made of the app, services, gauges and duties.
 * @module
 */
import { buildCatalog } from '../db/catalog/build-catalog.ts'
import type { Catalog } from '../db/catalog/catalog.ts'
import { declaredAsNoted } from '../db/catalog/noted-placements.ts'
import { IsolateBudget } from '../db/memory/isolate-budget.ts'
import { access } from './access/area.ts'
import { type AuthEvent, auth } from './auth/area.ts'
import { type BackupsEvent, backups } from './backups/area.ts'
import { type BalancerEvent, balancer } from './balancer/area.ts'
import { type CacheEvent, cache } from './cache/area.ts'
import type { Area } from './core/area.ts'
import { builtInRoles } from './core/caller.ts'
import type { All, AppOf, Composed, ConfigOf, EnvOf, MadeOf, Stacked } from './core/compose.ts'
import { type CoreConfig, coreDefaults } from './core/config.ts'
import { type CoreEnv, type CoreServices, openCore } from './core/context.ts'
import type { Duty } from './core/duty.ts'
import type { CoreApp, CoreEngine } from './core/engine.ts'
import type { CoreEvent } from './core/events.ts'
import { PendingWork } from './core/pending-work.ts'
import { type DatabasesEvent, databases } from './databases/area.ts'
import { docs } from './docs/area.ts'
import { type JobsEvent, jobs } from './jobs/area.ts'
import { type MeterEvent, meter } from './meter/area.ts'
import { type MonitorEvent, monitor } from './monitor/area.ts'
import { ownCode } from './own-code/area.ts'
import { proof } from './proof/area.ts'
import { type RealtimeEvent, realtime } from './realtime/area.ts'
import { rest } from './rest/area.ts'
import { routes } from './routes/area.ts'
import { type ShardsEvent, shards } from './shards/area.ts'
import { type StorageEvent, storage } from './storage/area.ts'

export const areas = [
  access,
  meter,
  cache,
  databases,
  ownCode,
  jobs,
  rest,
  realtime,
  storage,
  auth,
  balancer,
  routes,
  shards,
  backups,
  proof,
  monitor,
  docs,
] as const satisfies readonly Area[]

type Areas = (typeof areas)[number]
/** The same, each as any area. */
const all: readonly Area[] = areas

/** Everything that `functions/app/config.ts` may set. */
export interface AtollConfig extends Composed<CoreConfig & All<ConfigOf<Areas>>> {}

/** What an app brings. */
export interface App extends Composed<CoreApp & All<AppOf<Areas>>> {
  readonly config: Partial<AtollConfig>
}

/** Bindings of `wrangler.toml`, and secrets of `.dev.vars`. */
export interface Env extends Composed<CoreEnv & All<EnvOf<Areas>>> {}

/** What is known of an app before anybody asks. */
export interface Engine extends Composed<CoreEngine<AtollConfig> & All<MadeOf<Areas>>> {}

/** What handlers, jobs and relays have of an environment. */
export interface Services extends Composed<Stacked<typeof areas, CoreServices>> {}

/** What the Worker tells its log. */
export type AtollEvent =
  | CoreEvent
  | MeterEvent
  | CacheEvent
  | DatabasesEvent
  | JobsEvent
  | RealtimeEvent
  | StorageEvent
  | AuthEvent
  | BalancerEvent
  | ShardsEvent
  | BackupsEvent
  | MonitorEvent

declare module './core/app-env.ts' {
  interface AppEnv extends Env {}
}

export const defaultConfig = Object.assign(
  {},
  coreDefaults,
  ...all.map(({ defaults }) => defaults),
) as AtollConfig

/** All that `/metrics` shows. */
export const gauges = all.flatMap(({ gauges: own = [] }) => own)

/** What a relay looks after; made for each relay. */
export function makeDuties(): readonly Duty<never, never>[] {
  return all.flatMap((area) => area.duties?.() ?? [])
}

const read = new WeakMap<App, Engine>()

/** The app as the engine sees it, read once in an isolate. @throws SchemaError, JobsError or OriginsError for one that cannot be served */
export function engineOf(app: App): Engine {
  const known = read.get(app)
  if (known) return known
  const config = { ...defaultConfig, ...app.config }
  const budget = new IsolateBudget(config.isolateBytes)
  const declared = buildCatalog(app.tables)
  const catalog = app.placed ? buildCatalog(declaredAsNoted(app.tables, app.placed)) : declared
  const engine: CoreEngine<AtollConfig> = {
    config,
    catalog,
    declared,
    migrations: app.migrations ?? [],
    roles: rolesOf(app, config, catalog),
    followed: new Set(all.flatMap((area) => [...(area.follows?.(app as never, { catalog } as never) ?? [])])),
    budget,
    pending: new PendingWork(config.pendingBytes, budget),
  }
  const engineJobs = areas.flatMap((area) => ('jobs' in area ? area.jobs(config, app) : []))
  for (const area of areas) {
    if ('read' in area) Object.assign(engine, area.read({ ...app, engineJobs }, engine as Engine))
  }
  read.set(app, engine as Engine)
  return engine as Engine
}

/** Roles that a token may name. */
function rolesOf(app: App, { roles, budgets }: AtollConfig, { tables }: Catalog): ReadonlySet<string> {
  return new Set([
    ...builtInRoles,
    ...roles,
    ...Object.keys(budgets),
    ...[...tables.values()].flatMap(({ rights }) => [...rights.keys()]),
    ...all.flatMap((area) => [...(area.roles?.(app as never) ?? [])]),
  ])
}

const opened = new WeakMap<Engine, WeakMap<Env, Services>>()

/** Services of an environment, made once in an isolate: requests and jobs share a cache. */
export function servicesFor(engine: Engine): (env: Env) => Services {
  const known = opened.get(engine) ?? new WeakMap<Env, Services>()
  opened.set(engine, known)
  return (env) => {
    const services = known.get(env) ?? openServices(env, engine)
    known.set(env, services)
    return services
  }
}

function openServices(env: Env, engine: Engine): Services {
  const services = openCore(env, engine, (asked) =>
    engine.rest.serve({ ...asked, services: services as Services }),
  )
  for (const area of areas) {
    if ('open' in area) Object.assign(services, area.open(env, engine, services as Services))
  }
  return services as Services
}
