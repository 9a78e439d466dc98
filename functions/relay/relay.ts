/**
 * The relays: a Durable Object for each database, so that there is never more than one at work on it. Its alarm carries on what
 * was written: it makes jobs of changes and sends those whose time has come; and every now and then it repairs what could not
 * be done at once: copies of reference tables, cache generations, orphaned lookup entries. A round that fails is repeated.
 * @module
 */
import { DurableObject } from 'cloudflare:workers'
import type { Table } from '../../db/catalog/catalog.ts'
import { type Consumer, pruneChanges } from '../../db/changes/consumers.ts'
import { followReferences } from '../../db/cluster/reference-copies.ts'
import { giveUpOld } from '../../db/cluster/retire.ts'
import type { ClusterSession } from '../../db/cluster/session.ts'
import { sweepOrphans } from '../../db/cluster/sweep-orphans.ts'
import { sweepKeys } from '../../db/cluster/write-keys.ts'
import { isStill } from '../../db/restores/notice-restores.ts'
import type { Seen } from '../../db/restores/positions.ts'
import type { AtollConfig } from '../areas.ts'
import type { Renewal } from '../cache/cache-store.ts'
import { sweepChanges } from '../cache/invalidate.ts'
import { openKeeper } from '../cache/open-keeper.ts'
import { type Delivery, type Distrust, keeperName } from '../cache/trust.ts'
import type { TrustKeeper } from '../cache/trust-keeper.ts'
import { readRedis } from '../core/config.ts'
import { databasesOf, type Env, type Services, servicesFor } from '../core/context.ts'
import { type App, type Engine, engineOf } from '../core/engine.ts'
import { emit } from '../core/events.ts'
import { lookAfterRestores, type RestoreMemory } from '../databases/restores.ts'
import { cleanUp } from '../jobs/clean-up.ts'
import { dispatch } from '../jobs/dispatch.ts'
import { runSchedules } from '../jobs/schedules.ts'
import { startFromChanges } from '../jobs/start-from-changes.ts'
import { handOver } from '../meter/hand-over.ts'
import { watchCopies, watchObjectives } from '../monitor/alerts.ts'
import { dropExpired, sweepFiles } from '../storage/sweep-files.ts'

/** Five hundred keys each: 170 a second can be swept, round after round. */
const maxKeyBatches = 20

/** What others ask of the relay that has a database's name. */
export interface Relay extends Rpc.DurableObjectBranded {
  /** Looks soon at all that may need repair; the primary database's tells the others. */
  repair(database: string): Promise<void>
  /** Looks at changes and jobs, at once or in some milliseconds. */
  carry(database: string, inMs: number): Promise<void>
  /** Of the one that keeps the trust in the cache's store, as `KeeperAccess` has them. */
  trust(isMissing: boolean): Promise<boolean>
  deliver(generations: readonly Renewal[]): Promise<Delivery>
  distrust(): Promise<Distrust | null>
  /** Looks at once whether the database was put back in time, as a request has reason to think, or knows. */
  suspect(database: string, isCertain: boolean): Promise<void>
}

/** How soon it repairs when it is told, and how often in any case, in milliseconds. */
const soonMs = 500
const pauseMs = 60_000

/** The class that `wrangler.toml` names, for an app. */
export function createRelay(
  app: App,
): new (
  state: DurableObjectState,
  env: Env,
) => Relay & DurableObject<Env> {
  // Most isolates never run it: the app is read by those that do. It has time, and asks for more at once than a read does.
  let own: { readonly engine: Engine; readonly servicesOf: (env: Env) => Services } | undefined
  const read = () => {
    const engine = engineOf(app)
    own ??= {
      engine,
      servicesOf: servicesFor({ ...engine, config: { ...engine.config, cacheTimeoutMs: 5000 } }),
    }
    return own
  }

  return class Relay extends DurableObject<Env> {
    /** When it is to repair, as its storage has it; null: not read yet. */
    #repairAt: number | null = null
    readonly #refusals = { inARow: 0, until: 0 }
    #failures = 0
    /** Whether more uploads have expired than were cleared away; one that was evicted learns of it when it repairs. */
    #hasExpired = false
    #keeper: TrustKeeper | undefined

    async trust(isMissing: boolean): Promise<boolean> {
      return (await this.#openKeeper()?.trust(isMissing)) ?? false
    }

    async deliver(generations: readonly Renewal[]): Promise<Delivery> {
      return (await this.#openKeeper()?.deliver(generations)) ?? 'distrusted'
    }

    async distrust(): Promise<Distrust | null> {
      return (await this.#openKeeper()?.distrust()) ?? null
    }

    /** Undefined when there is no store to trust. */
    #openKeeper(): TrustKeeper | undefined {
      const redis = readRedis(this.env)
      if (this.#keeper !== undefined || redis === null) return this.#keeper
      const { engine } = read()
      const databases = [...databasesOf(this.env).keys()]
      this.#keeper = openKeeper(redis, engine.config, engine.catalog, databases, {
        storage: this.ctx.storage,
        wake: (inMs) => this.#wakeAt(Date.now() + inMs, keeperName),
      })
      return this.#keeper
    }

    async repair(database: string): Promise<void> {
      await this.#repairBy(Date.now() + soonMs)
      await this.#wakeAt(Date.now() + soonMs, database)
    }

    async carry(database: string, inMs: number): Promise<void> {
      await this.#wakeAt(Date.now() + inMs, database)
    }

    async suspect(database: string, isCertain: boolean): Promise<void> {
      if (isCertain) await this.ctx.storage.put('wentBack', true)
      await this.#repairBy(Date.now())
      await this.#wakeAt(Date.now(), database)
    }

    async #repairBy(at: number): Promise<void> {
      const known = await this.#readRepairAt()
      if (known > at) await this.#setRepairAt(at)
    }

    async #readRepairAt(): Promise<number> {
      this.#repairAt ??= (await this.ctx.storage.get<number>('repairAt')) ?? 0
      return this.#repairAt
    }

    async #setRepairAt(at: number): Promise<void> {
      this.#repairAt = at
      await this.ctx.storage.put('repairAt', at)
    }

    async #wakeAt(at: number, database: string): Promise<void> {
      const [due, known] = await Promise.all([
        this.ctx.storage.getAlarm(),
        this.ctx.storage.get<string>('database'),
      ])
      // An alarm is not told the name of its object.
      if (known !== database) await this.ctx.storage.put('database', database)
      if (due === null || due > at) await this.ctx.storage.setAlarm(at)
    }

    override async alarm(): Promise<void> {
      const { engine, servicesOf } = read()
      const services = servicesOf(this.env)
      const name = (await this.ctx.storage.get<string>('database')) ?? services.cluster.primary
      if (name === keeperName) {
        await this.#openKeeper()?.recover()
        if (services.metrics) await handOver(services.meter, services.metrics())
        return
      }
      const session = services.cluster.open({ reads: false, seen: new Map() })
      const round: Round = { engine, services, session, name, wants: [Date.now() + pauseMs], failed: false }
      const repairs = (await this.#readRepairAt()) <= Date.now()
      if (repairs) await this.#setRepairAt(Date.now() + pauseMs)
      await part(round, `restores of ${name}`, async () => {
        // Changes of a database that went back must not be taken for those that had their numbers before.
        if (!repairs && services.registry.subscriptions.size === 0) return
        const memory = this.#restoreMemory()
        const { isLeft, now } = await lookAfterRestores(services, engine, session, name, memory, repairs)
        round.seen = now
        if (!isLeft) return
        await this.#repairBy(Date.now())
        return Date.now()
      })
      await this.#carryOn(round, repairs)
      if (repairs) await this.#repair(round)
      if (round.failed) {
        const again = Date.now() + Math.min(pauseMs, soonMs * 4 * 2 ** this.#failures++)
        await this.#repairBy(again)
        round.wants.push(again)
      } else this.#failures = 0
      // What a relay counts and tells is its own: no request follows that would hand it over.
      if (services.metrics) await handOver(services.meter, services.metrics())
      await this.#wakeAt(Math.min(...round.wants), name)
    }

    async #carryOn(round: Round, all: boolean): Promise<void> {
      const { engine, services, session, name } = round
      const { files } = services
      if (this.#hasExpired && !all && files) {
        await part(round, 'expired uploads', async () => {
          this.#hasExpired = (await dropExpired(files, session, Date.now())).isMore
          return this.#hasExpired ? Date.now() : null
        })
      }
      if (name === services.cluster.primary) {
        await part(round, 'schedules', () => runSchedules(services, session))
      }
      await part(round, `jobs from changes of ${name}`, async () => {
        // Not before it was looked at: else the relay comes back.
        if (!round.seen) return null
        const isLeft = await startFromChanges(services, engine.catalog, session, name, [isStill(round.seen)])
        return isLeft ? Date.now() : null
      })
      await part(round, `jobs of ${name}`, async () => {
        const names = new Set(services.registry.byName.keys())
        // Jobs that the app no longer has must come to an end as well.
        if (all) for (const row of await namesOf(session, name)) names.add(row)
        return dispatch(services, engine.config, session, name, [...names], this.#refusals)
      })
    }

    async #repair(round: Round): Promise<void> {
      const { engine, services, session, name } = round
      const { cluster, cache, registry } = services
      const { catalog, config } = engine
      if (name === cluster.primary) {
        await part(round, 'reference copies', async () => {
          await giveUpOld(session)
          await followReferences(session, catalog)
          await this.#remember('behind', (before) => watchCopies(services, config, session, before))
        })
        await part(round, 'service levels', () =>
          this.#remember('burning', (before) => watchObjectives(services, config, before)),
        )
        const { files } = services
        if (files) await part(round, 'files', () => this.#sweepFiles(files, session))
        for (const shard of cluster.shards) {
          await part(round, `relay of ${shard}`, () => services.relay?.repair(shard))
        }
      }
      if (cache) {
        await part(
          round,
          `changes of ${name}`,
          async () => void (await sweepChanges(cache, session, name, catalog)),
        )
      }
      const consumers: Consumer[] = [
        ...(cache ? (['cache'] as const) : []),
        ...(registry.subscriptions.size > 0 ? (['jobs'] as const) : []),
      ]
      await part(round, `log of ${name}`, async () => {
        const bounds = { maxAgeMs: config.changeLogMaxAgeSeconds * 1000, maxRows: config.changeLogMaxRows }
        for (const { consumer, upTo } of await pruneChanges(session, name, consumers, bounds)) {
          emit({ kind: 'changes-dropped', database: name, consumer, upTo })
        }
      })
      await part(round, `ended jobs of ${name}`, async () => {
        const after = (await this.ctx.storage.get<string>('payloads')) ?? null
        await this.ctx.storage.put('payloads', await cleanUp(services, config, session, name, after))
      })
      await part(round, `keys of writes of ${name}`, () => sweepWriteKeys(session, name, config))
      const unique = [...catalog.tables.values()].filter((table) => table.uniqueAcrossShards.length > 0)
      if (unique.length > 0 && cluster.sharded) {
        await part(round, `unique values of ${name}`, () => this.#sweepOrphans(session, name, unique))
      }
    }

    #restoreMemory(): RestoreMemory {
      const { storage } = this.ctx
      return {
        get: async () => (await storage.get<Seen>('seen')) ?? null,
        put: (seen) => storage.put('seen', seen),
        isKnown: async () => (await storage.get<boolean>('wentBack')) === true,
        forgetKnown: async () => void (await storage.delete('wentBack')),
      }
    }

    /** Looks at something that has names, and remembers which of them it was told of. */
    async #remember(
      key: string,
      look: (before: readonly string[]) => Promise<readonly string[]>,
    ): Promise<void> {
      const before = (await this.ctx.storage.get<readonly string[]>(key)) ?? []
      const after = await look(before)
      if (String(after) !== String(before)) await this.ctx.storage.put(key, after)
    }

    async #sweepFiles(files: R2Bucket, session: ClusterSession): Promise<number | null> {
      const after = (await this.ctx.storage.get<string>('files')) ?? null
      const swept = await sweepFiles(files, session, after)
      await this.ctx.storage.put('files', swept.after)
      this.#hasExpired = swept.isMore
      return swept.isMore ? Date.now() : null
    }

    async #sweepOrphans(session: ClusterSession, database: string, unique: readonly Table[]): Promise<void> {
      const after = (await this.ctx.storage.get<string>('unique')) ?? null
      const swept = await sweepOrphans(session, database, unique, after)
      await this.ctx.storage.put('unique', swept.after)
    }
  }
}

/** One time that the alarm rings. */
interface Round {
  readonly engine: Engine
  readonly services: Services
  readonly session: ClusterSession
  /** The relay's database. */
  readonly name: string
  /** When it wants to ring again, in milliseconds since 1970. */
  readonly wants: number[]
  failed: boolean
  /** Its database, when it was compared with what was seen of it before. */
  seen?: Seen
}

/** Each part by itself: one that fails leaves the others alone, and is tried again. */
async function part(
  round: Round,
  what: string,
  // biome-ignore lint/suspicious/noConfusingVoidType: what a part has no wish to say
  run: () => Promise<number | null | void> | undefined,
): Promise<void> {
  try {
    const wanted = await run()
    if (typeof wanted === 'number') round.wants.push(wanted)
  } catch (error) {
    round.failed = true
    emit({ kind: 'relay-failed', what, error })
  }
}

/** Takes away keys of writes whose time is over, so many in a round that other parts have their turn. */
async function sweepWriteKeys(
  session: ClusterSession,
  name: string,
  { idempotencyKeySeconds }: AtollConfig,
): Promise<void> {
  for (let batches = 0; batches < maxKeyBatches; batches++) {
    const [, rows = []] = await session.on(name, sweepKeys(idempotencyKeySeconds * 1000))
    if (Number(rows[0]?.more) !== 1) return
  }
}

/** Names of jobs that are due some time; each is looked up in the index, however many jobs have it. */
const namesText = `WITH RECURSIVE n(name) AS (SELECT min(name) FROM _atoll_jobs WHERE due IS NOT NULL UNION ALL
  SELECT (SELECT min(name) FROM _atoll_jobs WHERE due IS NOT NULL AND name > n.name) FROM n WHERE n.name IS NOT NULL)
  SELECT name FROM n WHERE name IS NOT NULL`

async function namesOf(session: ClusterSession, database: string): Promise<string[]> {
  const [rows = []] = await session.on(database, [{ text: namesText, parameters: [] }])
  return rows.map(({ name }) => name as string)
}
