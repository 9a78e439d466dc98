/**
 * A pool's Durable Object: it checks the origins for all isolates, keeps the weights that operators set, and gathers what isolates
 * see. Isolates ask it every other second while they have requests; it rests when nobody does.
 * @module
 */
import { DurableObject } from 'cloudflare:workers'
import { type CoreEnv, settingsOf } from '../core/context.ts'
import { checkOrigin, defaultCheck, type Health, nextHealth } from './check-origin.ts'
import type { OriginDeclarations } from './declarations.ts'
import { errors } from './errors.ts'
import { emit } from './events.ts'
import type { OriginOrders } from './origin.ts'
import { gather, type PoolReport, type Received } from './pool-view.ts'
import { readTargets } from './read-targets.ts'
import type { OriginMode, PoolView } from './shown-pool.ts'

export type PoolOrders = Readonly<Record<string, OriginOrders>>

/** What operators change; null: as it is declared. */
export interface OrderChange {
  readonly weight?: number | null | undefined
  readonly mode?: OriginMode | undefined
}

export interface PoolWatchAccess {
  /** Takes what an isolate has seen, and says how things stand. */
  sync(report: PoolReport | null): Promise<PoolOrders>
  order(origin: string, change: OrderChange): Promise<PoolOrders>
  view(): Promise<PoolView>
}

export interface PoolWatch extends Rpc.DurableObjectBranded {
  sync(pool: string, report: PoolReport | null): Promise<PoolOrders>
  order(pool: string, origin: string, change: OrderChange): Promise<PoolOrders>
  view(pool: string): Promise<PoolView>
}

/** How long checks go on when no isolate asks, in milliseconds. */
const restAfterMs = 300_000
/** After how long the last word of an isolate is no longer what is, in milliseconds. */
const reportMs = 15_000
/** Connections that may wait for an answer at the same time, in production. */
const checksAtOnce = 5

interface Orders {
  readonly weight: number | null
  readonly mode: OriginMode
}

/** The class that `wrangler.toml` names. @param read reads the app's origins, when a pool is watched first */
export function createPoolWatch(
  read: () => OriginDeclarations,
): new (
  state: DurableObjectState,
  env: CoreEnv,
) => PoolWatch & DurableObject<CoreEnv> {
  return class PoolWatch extends DurableObject<CoreEnv> {
    readonly #reports = new Map<string, Received>()
    #askedAt = 0
    #pool: string | null = null
    #orders: Record<string, Orders> | null = null
    #health: Record<string, Health> | null = null

    async sync(pool: string, report: PoolReport | null): Promise<PoolOrders> {
      await this.#wake(pool)
      if (report) this.#receive(report)
      return this.#say()
    }

    async order(pool: string, origin: string, { weight, mode }: OrderChange): Promise<PoolOrders> {
      await this.#wake(pool)
      const orders = { ...(await this.#readOrders()) }
      const before = orders[origin] ?? { weight: null, mode: 'active' as const }
      orders[origin] = { weight: weight === undefined ? before.weight : weight, mode: mode ?? before.mode }
      await this.ctx.storage.put('orders', orders)
      this.#orders = orders
      return this.#say()
    }

    async view(pool: string): Promise<PoolView> {
      await this.#wake(pool)
      this.#forget()
      return gather(
        pool,
        this.#declared(pool),
        await this.#say(),
        await this.#readHealth(),
        [...this.#reports.values()],
        Date.now(),
      )
    }

    override async alarm(): Promise<void> {
      this.#pool ??= (await this.ctx.storage.get<string>('pool')) ?? null
      const pool = this.#pool
      const check = pool === null ? undefined : this.#declared(pool)?.health
      if (pool === null || !check) return
      const start = Date.now()
      // An object that was evicted has forgotten when it was asked last; it goes on for a while.
      if (this.#askedAt === 0) this.#askedAt = start
      await this.#check(pool).catch((error: unknown) => emit({ kind: 'pool-unwatched', pool, error }))
      if (start - this.#askedAt > restAfterMs) return
      const intervalMs = (check.intervalSeconds ?? defaultCheck.intervalSeconds) * 1000
      await this.ctx.storage.setAlarm(Math.max(Date.now(), start + intervalMs))
    }

    /** An alarm is not told the name of its object. */
    async #wake(pool: string): Promise<void> {
      this.#askedAt = Date.now()
      if (this.#pool === null) {
        this.#pool = pool
        await this.ctx.storage.put('pool', pool)
      }
      if (!this.#declared(pool)?.health) return
      if ((await this.ctx.storage.getAlarm()) !== null) return
      // What was found before it rested may be long ago.
      await this.ctx.storage.setAlarm(Date.now())
    }

    #declared(pool: string) {
      return read().pools[pool]
    }

    async #check(pool: string): Promise<void> {
      const declared = this.#declared(pool)
      if (!declared?.health) return
      const { health: check } = declared
      const targets = readTargets(declared, settingsOf(this.env))
      const before = await this.#readHealth()
      const after: Record<string, Health> = {}
      for (let i = 0; i < targets.length; i += checksAtOnce) {
        const group = targets.slice(i, i + checksAtOnce)
        const found = await Promise.all(group.map((target) => checkOrigin(target, check)))
        for (const [j, { name }] of group.entries()) {
          const health = nextHealth(before[name], found[j] ?? null, check, Date.now())
          after[name] = health
          if ((before[name]?.isHealthy ?? true) === health.isHealthy) continue
          const kind = health.isHealthy ? 'origin-well' : 'origin-ill'
          emit({ kind, pool, origin: name, reason: health.problem ?? 'it answers' })
        }
      }
      this.#health = after
      const turned = Object.entries(after).some(
        ([name, { isHealthy }]) => before[name]?.isHealthy !== isHealthy,
      )
      if (turned) await this.ctx.storage.put('health', after)
    }

    async #readOrders(): Promise<Record<string, Orders>> {
      this.#orders ??= (await this.ctx.storage.get<Record<string, Orders>>('orders')) ?? {}
      return this.#orders
    }

    async #readHealth(): Promise<Record<string, Health>> {
      this.#health ??= (await this.ctx.storage.get<Record<string, Health>>('health')) ?? {}
      return this.#health
    }

    async #say(): Promise<PoolOrders> {
      const declared = this.#declared(this.#pool ?? '')
      if (!declared) throw errors.unknownOrigin(`pool ${this.#pool}`)
      const [orders, health] = [await this.#readOrders(), await this.#readHealth()]
      return Object.fromEntries(
        Object.keys(declared.origins).map((name) => [
          name,
          {
            weight: orders[name]?.weight ?? null,
            mode: orders[name]?.mode ?? 'active',
            isHealthy: declared.health ? (health[name]?.isHealthy ?? true) : true,
          },
        ]),
      )
    }

    #receive(report: PoolReport): void {
      const known = this.#reports.get(report.isolate)
      this.#reports.set(report.isolate, {
        report,
        at: Date.now(),
        before: known ? { report: known.report, at: known.at } : null,
      })
      this.#forget()
    }

    #forget(): void {
      for (const [isolate, { at }] of this.#reports) {
        if (Date.now() - at > reportMs) this.#reports.delete(isolate)
      }
    }
  }
}
