/**
 * What the dashboard asks beside what the other areas answer: `/_atoll/api`.
 * @module
 */
import { Hono } from 'hono'
import { z } from 'zod'
import type { Catalog } from '../../db/catalog/catalog.ts'
import { databaseSizes } from '../databases/area.ts'
import { countJobs, oldestDue } from '../jobs/area.ts'
import { steps } from '../meter/area.ts'
import type { ServedSchemas } from '../rest/area.ts'
import { mapByNow } from '../shards/area.ts'
import { errors } from './errors.ts'
import { shownObjectives } from './service-levels.ts'
import type { AtollEnv, Engine } from './services.ts'
import { priceOf, shownAdvice } from './show-advice.ts'

const range = z.object({
  step: z.coerce
    .number()
    .refine((step) => steps.some(({ seconds }) => seconds === step))
    .default(10),
  from: z.coerce.number().int().default(0),
})
const span = z.object({ days: z.coerce.number().int().min(1).max(8).default(7) })

export function createDashboardApi({ catalog, config, origins, schemas }: Engine) {
  return new Hono<AtollEnv>({ strict: false })
    .get('/points', async (c) => {
      const asked = range.safeParse(c.req.query())
      if (!asked.success) throw errors.invalidMonitorQuery(asked.error.issues)
      const points = (await c.var.services.metrics?.().points(asked.data.step, asked.data.from)) ?? []
      return c.json({ now: Math.floor(Date.now() / 1000), points })
    })
    .get('/state', async (c) => {
      const { services } = c.var
      const { cluster, poolWatch, metrics } = services
      const session = cluster.open({ reads: true, seen: new Map() })
      const [sizes, map, jobs, due, pools] = await Promise.all([
        databaseSizes(services),
        mapByNow(services, session).catch(() => null),
        countJobs(services).catch(() => null),
        oldestDue(services).catch(() => null),
        poolWatch === null
          ? []
          : Promise.all(Object.keys(origins.pools).map((pool) => poolWatch(pool).view())),
      ])
      return c.json({
        databases: sizes.map(({ database, bytes }) => ({
          database,
          bytes,
          slots: (map?.ranges ?? []).filter(({ shard }) => shard === database),
        })),
        epoch: map?.epoch ?? null,
        jobs,
        oldestDue: due,
        pools,
        isMeasured: metrics !== null,
        cache: services.cache ? { store: services.cache.store.name } : null,
        objectives: metrics ? await shownObjectives(config, metrics()) : [],
      })
    })
    .get('/tables', (c) => c.json(shownTables(catalog, schemas)))
    .get('/shapes', async (c) => {
      const asked = span.safeParse(c.req.query())
      if (!asked.success) throw errors.invalidMonitorQuery(asked.error.issues)
      const shapes = (await c.var.services.metrics?.().shapes(asked.data.days)) ?? []
      return c.json(
        shapes.map(({ statement, ...shape }) => ({
          ...shape,
          dollars: priceOf(shape, config),
          sql: statement?.text ?? null,
        })),
      )
    })
    .get('/advice', async (c) => {
      const asked = span.safeParse(c.req.query())
      if (!asked.success) throw errors.invalidMonitorQuery(asked.error.issues)
      const { metrics, advisor } = c.var.services
      if (metrics === null || advisor === null) throw errors.noAdvisor()
      const shapes = await metrics().shapes(asked.data.days)
      return c.json(shownAdvice(await advisor().advise(shapes), shapes, catalog, config))
    })
    .get('/events', async (c) => c.json((await c.var.services.metrics?.().events()) ?? []))
}

/** Tables as the data browser needs them, which asks for their rows in the first schema that they are in. */
function shownTables(catalog: Catalog, schemas: ServedSchemas) {
  return [...catalog.tables.values()].map(({ name, shownName, kind, columns, primaryKey, placement }) => ({
    name,
    shownName,
    schema: schemas.find(({ sqlNames }) => sqlNames.has(name))?.name ?? null,
    kind,
    placement: placement.kind,
    primaryKey,
    columns: [...columns.values()].map(({ name: column, type, nullable, generated, expression, values }) => ({
      name: column,
      type,
      nullable,
      isWritten: !generated && expression === null,
      values,
    })),
  }))
}
