/**
 * The relays: a Durable Object for each database, so that there is never more than one at work on it. Its alarm carries on what was
 * written, and looks every now and then after what could not be done at once: each area says what for it, in its duties. One more, no
 * database's, keeps the trust in the cache's store.
 * @module
 */
import { DurableObject } from 'cloudflare:workers'
import { BackupRounds } from '../backups/area.ts'
import {
  type Delivery,
  type Distrust,
  type KeeperCalls,
  keeperName,
  openKeeper,
  type Renewal,
  readRedis,
  type TrustKeeper,
} from '../cache/area.ts'
import { backupsName, databasesOf, moverName, type RelayCalls } from '../core/context.ts'
import type { Duty, Round, Wanted } from '../core/duty.ts'
import { emit } from '../core/events.ts'
import { noteWentBack } from '../databases/area.ts'
import { handOver } from '../meter/area.ts'
import { MoverRounds } from '../shards/area.ts'
import type { Engine, RelayEnv, Services } from './services.ts'

/** What others ask of the relays: those of databases, and the one that keeps the trust in the cache's store. */
export interface Relay extends RelayCalls, KeeperCalls {}

/** What a relay works with. */
export interface RelayParts {
  readonly engine: Engine
  readonly servicesOf: (env: RelayEnv) => Services
  readonly duties: readonly Duty<Services, Engine>[]
}

/** How soon it repairs when it is told, and how often in any case, in milliseconds. */
const soonMs = 500
const pauseMs = 60_000
/** How often one looks whether databases are still being put back in time, in milliseconds. */
const closedMs = 5000
/** How soon one that died at work on moves or backups is followed by the next, in milliseconds: requests wait for slots that it has closed. */
const diedMs = 3000

/**
 * The class that `wrangler.toml` names, for an app.
 *
 * @param open reads the app, for a relay that is about to work: most isolates never run one
 */
export function createRelay(
  open: (env: RelayEnv) => Promise<RelayParts>,
): new (
  state: DurableObjectState,
  env: RelayEnv,
) => Relay & DurableObject<RelayEnv> {
  return class Relay extends DurableObject<RelayEnv> {
    /** When it is to repair, as its storage has it; null: not read yet. */
    #repairAt: number | null = null
    #failures = 0
    #keeper: TrustKeeper | undefined
    readonly #mover = new MoverRounds()
    readonly #backups = new BackupRounds()

    async trust(isMissing: boolean): Promise<boolean> {
      return (await (await this.#openKeeper())?.trust(isMissing)) ?? false
    }

    async deliver(generations: readonly Renewal[]): Promise<Delivery> {
      return (await (await this.#openKeeper())?.deliver(generations)) ?? 'distrusted'
    }

    async distrust(): Promise<Distrust | null> {
      return (await (await this.#openKeeper())?.distrust()) ?? null
    }

    /** Undefined when there is no store to trust. */
    async #openKeeper(): Promise<TrustKeeper | undefined> {
      const redis = readRedis(this.env)
      if (this.#keeper !== undefined || redis === null) return this.#keeper
      const { config, catalog } = (await open(this.env)).engine
      const databases = [...databasesOf(this.env).keys()]
      this.#keeper ??= openKeeper(redis, config, catalog, databases, {
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
      if (isCertain) await noteWentBack(this.ctx.storage)
      await this.#repairBy(Date.now())
      await this.#wakeAt(Date.now(), database)
    }

    async move(): Promise<void> {
      await this.#wakeAt(Date.now(), moverName)
    }

    async backUp(): Promise<void> {
      await this.#wakeAt(Date.now(), backupsName)
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
      const { engine, servicesOf, duties } = await open(this.env)
      const services = servicesOf(this.env)
      const { cluster, metrics, meter } = services
      const name = (await this.ctx.storage.get<string>('database')) ?? cluster.primary
      if (name === keeperName) {
        await (await this.#openKeeper())?.recover()
        if (metrics) await handOver(meter, metrics())
        return
      }
      // What is put back in time is looked at when all of it is.
      if (services.timeTravel?.isClosed) return this.#wakeAt(Date.now() + closedMs, name)
      if (name === moverName || name === backupsName) {
        const rounds = name === moverName ? this.#mover : this.#backups
        const inMs = await rounds.run(services, engine, () => this.ctx.storage.setAlarm(Date.now() + diedMs))
        if (inMs !== null) await this.#wakeAt(Date.now() + inMs, name)
        if (metrics) await handOver(meter, metrics())
        return
      }
      const repairs = (await this.#readRepairAt()) <= Date.now()
      if (repairs) await this.#setRepairAt(Date.now() + pauseMs)
      const round = {
        services,
        engine,
        session: cluster.open({ reads: false, seen: new Map() }),
        database: name,
        isPrimary: name === cluster.primary,
        repairs,
        seen: null,
        memory: this.ctx.storage,
      }
      const { wanted, hasFailed } = await doDuties([...duties, shardsRelays], round)
      const wants = [Date.now() + pauseMs, ...wanted.map((at) => (at === 'repair' ? Date.now() : at))]
      if (wanted.includes('repair')) await this.#repairBy(Date.now())
      if (hasFailed) {
        const again = Date.now() + Math.min(pauseMs, soonMs * 4 * 2 ** this.#failures++)
        await this.#repairBy(again)
        wants.push(again)
      } else this.#failures = 0
      // What a relay counts and tells is its own: no request follows that would hand it over.
      if (metrics) await handOver(meter, metrics())
      await this.#wakeAt(Math.min(...wants), name)
    }
  }
}

/** The primary database's relay tells the others to look after theirs. */
const shardsRelays: Duty<Services, Engine> = {
  name: 'relays of shards',
  when: 'repair',
  onPrimary: true,
  async run({ services: { cluster, relay } }) {
    const told = await Promise.allSettled(cluster.shards.map((shard) => relay?.repair(shard)))
    const failed = told.find((outcome) => outcome.status === 'rejected')
    if (failed) throw failed.reason
  },
}

const order: readonly Duty<Services, Engine>['when'][] = ['first', 'always', 'repair']

/** Each by itself: one that fails leaves the others alone. */
async function doDuties(
  duties: readonly Duty<Services, Engine>[],
  round: Round<Services, Engine>,
): Promise<{ readonly wanted: readonly NonNullable<Wanted>[]; readonly hasFailed: boolean }> {
  const wanted: NonNullable<Wanted>[] = []
  let hasFailed = false
  const due = duties.filter(
    ({ when, onPrimary }) => (round.isPrimary || !onPrimary) && (round.repairs || when !== 'repair'),
  )
  for (const duty of due.toSorted((a, b) => order.indexOf(a.when) - order.indexOf(b.when))) {
    try {
      const own = await duty.run(round)
      if (own != null) wanted.push(own)
    } catch (error) {
      hasFailed = true
      emit({ kind: 'relay-failed', what: `${duty.name} of ${round.database}`, error })
    }
  }
  return { wanted, hasFailed }
}
