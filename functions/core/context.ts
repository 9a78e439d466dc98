/**
 * What a request carries through the Worker, and what every area has of its environment. An area adds what it offers to those above it,
 * in its `services.ts`; `functions/areas.ts` puts all together.
 * @module
 */
import type { Context } from 'hono'
import type { LoggedChange } from '../../db/changes/change-log.ts'
import type { IsolateBudget } from '../../db/memory/isolate-budget.ts'
import type { Caller } from './caller.ts'
import { type Keys, type KeysEnv, readKeys, readSetting } from './config.ts'
import type { CoreEngine } from './engine.ts'
import type { InnerSession } from './inner-session.ts'
import type { PendingWork } from './pending-work.ts'
import type { RequestTrace } from './request-trace.ts'
import type { ReadSetting } from './setting.ts'
import { readTimeTravel, type TimeTravel, type TimeTravelEnv } from './time-travel.ts'

/** Bindings of `wrangler.toml` and secrets of `.dev.vars` that all areas stand on. */
export interface CoreEnv extends KeysEnv, TimeTravelEnv {
  readonly DB: D1Database
  readonly ASSETS?: Fetcher
  /** Which version this is. */
  readonly VERSION?: WorkerVersionMetadata
  /** Files, and large payloads of jobs. */
  readonly BUCKET?: R2Bucket
  /** Carries on what was written: one for each database. */
  readonly RELAY?: DurableObjectNamespace<RelayCalls>
  /** Holds the sockets of realtime. */
  readonly REALTIME?: DurableObjectNamespace<HubCalls>
}

/** A message to all who have joined a topic. */
export interface HubMessage {
  readonly topic: string
  /** Whether of the private channel of that name, which is another than the public one. */
  readonly isPrivate: boolean
  readonly event: string
  /** JSON text, or bytes that are anything. */
  readonly payload: string | Uint8Array
}

/** Changes of one database, in their order. */
export interface HubBatch {
  readonly database: string
  readonly changes: readonly LoggedChange[]
  /** Position of the log behind them, and its end. */
  readonly upTo: number
  readonly last: number
  /** Whether changes before them were dropped, as they had waited for too long. */
  readonly hasGap: boolean
  /** Bookmarks by database: who reads as late sees what they tell. */
  readonly seen: readonly (readonly [string, string])[]
}

/** What the object that holds the sockets has; counts are since it woke up. */
export interface HubStatus {
  readonly sockets: number
  readonly topics: number
  /** Frames. */
  readonly sent: number
  readonly changes: number
  /** Slow readers that were told to read anew. */
  readonly dropped: number
}

/** What the object that holds the sockets is asked. */
export interface HubCalls extends Rpc.DurableObjectBranded {
  broadcast(messages: readonly HubMessage[]): Promise<void>
  /** Names in SQL of the tables that somebody wants to be told of. */
  followed(): Promise<readonly string[]>
  /** Tells who may see them of changes. When it is done, they are told. */
  tell(batch: HubBatch): Promise<void>
  status(): Promise<HubStatus>
}

/** The same, and its sockets. */
export interface HubAccess extends Pick<HubCalls, 'broadcast' | 'followed' | 'tell' | 'status'> {
  open(request: Request): Promise<Response>
}

/** What the relay that has a database's name is told. */
export interface RelayCalls extends Rpc.DurableObjectBranded {
  /** Looks soon at all that may need repair; the primary database's tells the others. */
  repair(database: string): Promise<void>
  /** Looks at changes and jobs, at once or in some milliseconds. */
  carry(database: string, inMs: number): Promise<void>
  /** Looks at once whether the database was put back in time, as a request has reason to think, or knows. */
  suspect(database: string, isCertain: boolean): Promise<void>
  /** Goes on with moves of slots: asked of the one that has this name, which is no database's. */
  move(): Promise<void>
  /** Goes on with backups and restores: asked of the one that has this name, which is no database's. */
  backUp(): Promise<void>
}

/** The names of the relays that move slots, and that make backups. */
export const moverName = 'mover'
export const backupsName = 'backups'

/** What the relays are asked. */
export interface RelayAccess {
  /** To look after copies and caches soon: all of them, or one database's. */
  repair(database?: string): Promise<void>
  /** To see to the jobs of a database, at once or in some time. */
  carry(database: string, inMs?: number): Promise<void>
  /** To look at a database at once which somebody has found to be older than it was. */
  suspect(database: string, isCertain: boolean): Promise<void>
  /** To go on with moves of slots. */
  move(): Promise<void>
  /** To go on with backups and restores. */
  backUp(): Promise<void>
}

/** What all areas stand on, made once for an environment. */
export interface CoreServices {
  /** The environment itself, for the app's own code. */
  readonly env: CoreEnv
  /** Databases by the names of their bindings. */
  readonly bindings: ReadonlyMap<string, D1Database>
  readonly keys: Keys
  readonly assets: Fetcher | null
  /** The id of the version that runs; null where it is not told. */
  readonly version: string | null
  /** The last time that all databases were put back in time; null: never. */
  readonly timeTravel: TimeTravel | null
  /** Where the bytes of files are; null when no bucket is bound. */
  readonly files: R2Bucket | null
  /** Variables and secrets that the app's declarations name. */
  readonly setting: ReadSetting
  /** Of all that this isolate keeps. */
  readonly budget: IsolateBudget
  /** Room for the bodies that are worked on. */
  readonly pending: PendingWork
  /** Carries on what was written; null when there is none, as in some tests. */
  readonly relay: RelayAccess | null
  /** Holds the sockets of realtime; null when there is none. */
  readonly hub: HubAccess | null
  /** Names in SQL of tables whose changes are told to sockets; none when there is no hub. */
  readonly followed: ReadonlySet<string>
  /** The data API: answers a request to `/rest/v1` from inside. */
  readonly serve: Serve
}

/**
 * Answers a request of a caller who is known already.
 *
 * @throws AtollError for what is refused
 */
export type Serve = (asked: Omit<Visit, 'services'>) => Promise<Response>

/** One request, who sends it, and what it may use. */
export interface Visit<Services = CoreServices> {
  readonly raw: Request
  readonly caller: Caller
  readonly services: Services
  /** Keeps the isolate alive for work after the answer. */
  readonly later: (work: Promise<unknown>) => void
  /** Of requests that the app's own code sends; left out for those that come from outside. */
  readonly inner?: InnerSession
}

/** What a request is counted under: few values each, whatever is asked. */
export interface Measured {
  area: string
  route: string
}

/** Hono's types for the handlers of an area that uses these services. */
export interface AtollEnv<Services = CoreServices, Bindings = CoreEnv> {
  readonly Bindings: Bindings
  readonly Variables: { services: Services; caller: Caller; trace: RequestTrace; measured: Measured }
}

/** @param c of any handler, whatever further variables it has */
export function visitOf<Services, Own extends AtollEnv<Services>>(
  c: Context<Own & AtollEnv<Services>>,
): Visit<Services> {
  // Not `c.var`, which makes an object of all variables each time.
  const [caller, services] = [c.get('caller'), c.get('services')]
  return { raw: c.req.raw, caller, services, later: (work) => c.executionCtx.waitUntil(work) }
}

export function openCore(
  env: CoreEnv,
  { budget, pending, followed }: Pick<CoreEngine, 'budget' | 'pending' | 'followed'>,
  serve: Serve,
): CoreServices {
  return {
    env,
    bindings: databasesOf(env),
    keys: readKeys(env),
    assets: env.ASSETS ?? null,
    version: env.VERSION?.id ?? null,
    timeTravel: readTimeTravel(env),
    files: env.BUCKET ?? null,
    setting: settingsOf(env),
    budget,
    pending,
    relay: relayOf(env),
    hub: hubOf(env),
    followed: env.REALTIME ? followed : new Set(),
    serve,
  }
}

export function settingsOf(env: object): ReadSetting {
  return (name) => readSetting(env, name)
}

/** A stub belongs to the request that made it, so each call makes its own. */
export function relayOf({ RELAY }: CoreEnv): RelayAccess | null {
  if (!RELAY) return null
  return {
    repair: async (database = 'DB') => RELAY.getByName(database).repair(database),
    carry: async (database, inMs = 0) => RELAY.getByName(database).carry(database, inMs),
    suspect: async (database, isCertain) => RELAY.getByName(database).suspect(database, isCertain),
    move: async () => RELAY.getByName(moverName).move(),
    backUp: async () => RELAY.getByName(backupsName).backUp(),
  }
}

function hubOf({ REALTIME }: CoreEnv): HubAccess | null {
  if (!REALTIME) return null
  const stub = () => REALTIME.getByName('hub')
  return {
    open: async (request) => stub().fetch(request),
    broadcast: async (messages) => stub().broadcast(messages),
    followed: async () => stub().followed(),
    tell: async (batch) => stub().tell(batch),
    status: async () => stub().status(),
  }
}

/** `DB` and the shards, by the names of their bindings. */
export function databasesOf(env: CoreEnv): ReadonlyMap<string, D1Database> {
  const shards = Object.entries(env).filter(([name]) => /^SHARD_\d+$/.test(name))
  return new Map([['DB', env.DB], ...(shards as [string, D1Database][])])
}
