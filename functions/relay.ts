/**
 * The relay: a Durable Object whose alarm repairs what could not be done at once. It goes through the change logs for cache
 * generations that no writer has replaced, brings copies of reference tables up, and takes away orphaned lookup entries.
 * @module
 */
import { DurableObject } from 'cloudflare:workers'
import { buildCatalog } from '../db/catalog/build-catalog.ts'
import type { Catalog, Table } from '../db/catalog/catalog.ts'
import { copyReferences } from '../db/cluster/reference-copies.ts'
import type { ClusterSession } from '../db/cluster/session.ts'
import { sweepOrphans } from '../db/cluster/unique-values.ts'
import { sweepChanges } from './cache/invalidate.ts'
import { defaultConfig } from './config.ts'
import { type Env, type Services, servicesFor } from './context.ts'
import { emit } from './events.ts'
import type { App } from './gateway.ts'

/** What others ask of it. */
export interface Relay extends Rpc.DurableObjectBranded {
  /** Looks soon, and from then on every now and then. */
  wake(): Promise<void>
}

const trimLog = { text: 'DELETE FROM _atoll_changes', parameters: [] }

/** How soon it looks when it is woken, and how often in any case, in milliseconds. */
const soonMs = 500
const pauseMs = 60_000

/** The class that `wrangler.toml` names, for an app. */
export function createRelay(
  app: App,
): new (
  state: DurableObjectState,
  env: Env,
) => Relay & DurableObject<Env> {
  // It has time, and asks for more at once than a read does.
  const config = { ...defaultConfig, ...app.config, cacheTimeoutMs: 5000 }
  const servicesOf = servicesFor(config, app.migrations ?? [])

  // Most isolates never run it: the catalog is read by those that do.
  let known: Catalog | undefined
  const catalogOf = () => {
    known ??= buildCatalog(app.tables)
    return known
  }

  return class Relay extends DurableObject<Env> {
    async wake(): Promise<void> {
      const due = await this.ctx.storage.getAlarm()
      const soon = Date.now() + soonMs
      if (due === null || due > soon) await this.ctx.storage.setAlarm(soon)
    }

    override async alarm(): Promise<void> {
      const services = servicesOf(this.env)
      const session = services.cluster.open({ reads: false, seen: new Map() })
      const failed = await this.#sweep(services, session)
      // Who woke it meanwhile is not put off.
      const due = await this.ctx.storage.getAlarm()
      if (due === null) await this.ctx.storage.setAlarm(Date.now() + (failed ? soonMs * 4 : pauseMs))
    }

    /** Each part by itself: one that fails leaves the others alone, and is tried again. */
    async #sweep({ cluster, cache }: Services, session: ClusterSession): Promise<boolean> {
      const catalog = catalogOf()
      const unique = [...catalog.tables.values()].filter((table) => table.uniqueAcrossShards.length > 0)
      const work: (readonly [string, () => Promise<unknown>])[] = [
        ['reference copies', () => copyReferences(session, catalog)],
        ...(cache ? cluster.databases : []).map(
          (name) =>
            [
              `changes of ${name}`,
              () => sweepChanges(cache as NonNullable<typeof cache>, session, name),
            ] as const,
        ),
        // Nobody else reads the log: it must not grow.
        ...(cache ? [] : cluster.databases).map(
          (name) => [`log of ${name}`, () => session.on(name, [trimLog])] as const,
        ),
        ...(unique.length > 0 && cluster.sharded ? cluster.databases : []).map(
          (name) => [`unique values of ${name}`, () => this.#sweepOrphans(session, name, unique)] as const,
        ),
      ]
      let failed = false
      for (const [what, run] of work) {
        try {
          await run()
        } catch (error) {
          failed = true
          emit({ kind: 'relay-failed', what, error })
        }
      }
      return failed
    }

    async #sweepOrphans(session: ClusterSession, database: string, unique: readonly Table[]): Promise<void> {
      const key = `unique:${database}`
      const after = (await this.ctx.storage.get<string>(key)) ?? null
      const swept = await sweepOrphans(session, database, unique, after)
      await this.ctx.storage.put(key, swept.after)
    }
  }
}
