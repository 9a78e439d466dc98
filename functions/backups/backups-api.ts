/**
 * `/backups/v1`: backups, and what makes, verifies and restores them, for the secret key.
 * @module
 */
import { type Context, Hono } from 'hono'
import { z } from 'zod'
import type { BackupWorld } from '../../db/backups/backup-world.ts'
import { cancelRun, insertRun, listRuns, type Run, readRun } from '../../db/backups/backups.ts'
import { filesOfValue } from '../../db/backups/erase-value.ts'
import { forgetErased } from '../../db/backups/forget-erased.ts'
import { BadManifest, type Manifest, manifestOf, manifests } from '../../db/backups/format.ts'
import { dropBackup, incrementsOf, noteKept, prune } from '../../db/backups/keep.ts'
import { type AskedRestore, planRestore } from '../../db/backups/plan-restore.ts'
import {
  BackupRefused,
  BrokenChain,
  type Chain,
  readChain,
  readManifest,
} from '../../db/backups/read-chain.ts'
import { letLogGo } from '../../db/backups/read-database.ts'
import { readValue, type ValueRows } from '../../db/backups/read-value.ts'
import { makeUlid } from '../../db/slots/slots.ts'
import type { CoreConfig } from '../core/config.ts'
import type { CoreEngine } from '../core/engine.ts'
import { readJsonOf } from '../core/read-body.ts'
import type { BackupsConfig } from './config.ts'
import { erase, toErase } from './erase.ts'
import { errors } from './errors.ts'
import { asCsv, asJsonLines, csvLine, streamOf } from './export-value.ts'
import { worldOf } from './run-backups.ts'
import type { AtollEnv } from './services.ts'
import { shownBackup, shownPlan, shownRun } from './shown.ts'
import { createTravelApi } from './travel-api.ts'

const nothing = z.strictObject({})
const toCreate = z.strictObject({ increment: z.boolean().default(false) })
const toDelete = z.strictObject({ increments: z.enum(['true', 'false']).default('false') })
const toRestore = z.strictObject({
  into: z.enum(['empty', 'beside', 'place']),
  tables: z.array(z.string()).min(1).nullable().default(null),
  value: z
    .union([z.string(), z.number().transform(String)])
    .nullable()
    .default(null),
  conflict: z.enum(['lacking', 'replace']).default('lacking'),
  jobs: z.boolean().default(false),
  plan: z.boolean().default(false),
})

const count = z.number().int().min(0).optional()
const toPrune = z.strictObject({
  plan: z.boolean().default(false),
  erased: z.boolean().default(false),
  keep: z.strictObject({ hourly: count, daily: count, weekly: count, monthly: count }).optional(),
})

const toExport = z.strictObject({ table: z.string().optional() })

/** Manifests that a list reads; the newest. */
const mostListed = 100

type Handled = Context<AtollEnv>

export function createBackupsApi(engine: CoreEngine<CoreConfig & BackupsConfig>) {
  const area = new Hono<AtollEnv>({ strict: false })
  area.use(async (c, next) => {
    const { caller } = c.var
    if (caller.role !== 'service_role') throw errors.backupsNeedSecretKey(caller.signedIn)
    const isTravel = new URL(c.req.url).pathname.startsWith('/backups/v1/travel')
    if (c.var.services.timeTravel?.isClosed && !isTravel) throw errors.closedForTimeTravel()
    await next()
  })

  const open = (c: Handled): BackupWorld => {
    const world = worldOf(c.var.services, engine)
    if (world === null || c.var.services.relay === null) throw errors.nowhereToBackUp()
    return world
  }
  const bodyOf = async <Body>(c: Handled, shape: z.ZodType<Body>): Promise<Body> => {
    // Whoever wants nothing in particular need not send anything.
    const isEmpty = c.req.raw.body === null || c.req.header('content-length') === '0'
    const { maxBodyBytes } = engine.config
    const text = isEmpty ? {} : await readJsonOf(c.req.raw, maxBodyBytes, c.var.services.pending)
    const body = shape.safeParse(text ?? {})
    if (!body.success) throw errors.invalidBackupsRequest(body.error.issues)
    return body.data
  }
  /** Notes what is asked for, and wakes who does it. */
  const ask = async (c: Handled, { session }: BackupWorld, kind: Run['kind'], asked: object) => {
    const id = makeUlid(Date.now())
    await session.primary([insertRun(id, kind, asked, Date.now())])
    await c.var.services.relay?.backUp()
    return c.json(shownRun((await readRun(session, id)) as Run), 202)
  }

  area.get('/', async (c) => {
    const world = open(c)
    const ids = (await world.files.list(manifests)).map((key) => key.slice(manifests.length, -'.json'.length))
    const shown = ids
      .sort()
      .reverse()
      .slice(0, mostListed)
      .map(async (id) => {
        const read = await tryManifest(world, id)
        return typeof read === 'string' ? shownBackup(id, null, read) : shownBackup(id, read, null)
      })
    return c.json({ backups: await Promise.all(shown), runs: (await listRuns(world.session)).map(shownRun) })
  })

  area.post('/', async (c) => {
    const { increment } = await bodyOf(c, toCreate)
    return ask(c, open(c), increment ? 'increment' : 'full', {})
  })

  area.post('/prune', async (c) => {
    const { plan, keep, erased } = await bodyOf(c, toPrune)
    const rules = keep ?? engine.config.backups?.keep
    if (rules === undefined && !erased) throw errors.noKeepRules()
    const world = open(c)
    const { gone, links } =
      erased || rules === undefined ? { gone: [], links: [] } : await prune(world, rules, plan)
    return c.json({ pruned: gone, links, forgot: plan ? [] : await forgetErased(world) })
  })

  area.post('/erase', async (c) => {
    const asked = await bodyOf(c, toErase)
    return c.json(await erase(c.var.services, engine, open(c), asked))
  })

  area.get('/runs', async (c) => c.json({ runs: (await listRuns(open(c).session)).map(shownRun) }))

  area.get('/runs/:id', async (c) => c.json(shownRun(await findRun(c, open(c)))))

  area.post('/runs/:id/cancel', async (c) => {
    const world = open(c)
    const { id } = await findRun(c, world)
    const [cancelled = []] = await world.session.primary([cancelRun(id, Date.now())])
    const run = await findRun(c, world)
    if (cancelled.length === 0) throw errors.runIsOver(run.state)
    await c.var.services.relay?.backUp()
    return c.json(shownRun(run), 202)
  })

  // What is kept of one distribution value, for those who ask.
  area.get('/export/:value', async (c) => {
    const { apikey: _, ...query } = c.req.query()
    const asked = toExport.safeParse(query)
    if (!asked.success) throw errors.invalidBackupsRequest(asked.error.issues)
    const { table } = asked.data
    const session = c.var.services.cluster.open({ reads: false, seen: new Map() })
    const found = readValue(session, engine.catalog, c.req.param('value'))
    if (table === undefined)
      return c.body(streamOf(textsOf(found, asJsonLines)), 200, { 'content-type': 'application/x-ndjson' })
    return c.body(streamOf(csvOf(found, table)), 200, { 'content-type': 'text/csv; charset=utf-8' })
  })

  area.route('/travel', createTravelApi({ open, bodyOf, findManifest: readUsable }))

  // Files by their names in rows, as `bucket/name`.
  area.get('/export/:value/files', async (c) => {
    const session = c.var.services.cluster.open({ reads: false, seen: new Map() })
    return c.json({ files: await filesOfValue({ session, catalog: engine.catalog }, c.req.param('value')) })
  })

  area.get('/:id', async (c) => c.json(await findManifest(c, open(c))))

  area.post('/:id/verify', async (c) => {
    await bodyOf(c, nothing)
    const world = open(c)
    const manifest = await findManifest(c, world)
    // Of a broken chain, what is there is verified.
    const chain = await readChain(world, manifest).catch((error) => {
      if (error instanceof BrokenChain) return null
      throw error
    })
    return ask(c, world, 'verify', { backup: manifest.id, chain: chain ? idsOf(chain) : [manifest.id] })
  })

  area.post('/:id/restore', async (c) => {
    const { plan: isPlan, ...wanted } = await bodyOf(c, toRestore)
    const world = open(c)
    const chain = await findChain(c, world)
    const asked: AskedRestore = { ...wanted, backup: chain.whole.id, chain: idsOf(chain) }
    const plan = await planRestore(world, chain, asked)
    if (isPlan) return c.json(shownPlan(plan))
    if (plan.problems.length > 0) throw errors.cannotRestore(plan.problems)
    return ask(c, world, 'restore', asked)
  })

  area.delete('/:id', async (c) => {
    const world = open(c)
    const id = c.req.param('id')
    const { apikey: _, ...query } = c.req.query()
    const asked = toDelete.safeParse(query)
    if (!asked.success) throw errors.invalidBackupsRequest(asked.error.issues)
    if ((await world.files.get(manifestOf(id))) === null) throw errors.noSuchBackup(id)
    const increments = await incrementsOf(world, id)
    if (increments.length > 0 && asked.data.increments === 'false') throw errors.isNeeded(increments)
    for (const one of [...increments, id]) {
      await dropBackup(world, one)
      for (const database of world.session.cluster.databases)
        await world.session.on(database, [letLogGo(one)])
    }
    await noteKept(world)
    return c.body(null, 204)
  })

  return area
}

async function* textsOf(found: AsyncGenerator<ValueRows>, textOf: (rows: ValueRows) => string) {
  for await (const rows of found) yield textOf(rows)
}

async function* csvOf(found: AsyncGenerator<ValueRows>, table: string) {
  let isFirst = true
  for await (const rows of found) {
    if (rows.table !== table) continue
    if (isFirst) yield csvLine(rows.columns)
    isFirst = false
    yield asCsv(rows)
  }
}

/** @returns why it is not to be used, when it is not */
async function tryManifest(world: BackupWorld, id: string): Promise<Manifest | string> {
  try {
    return await readManifest(world, id)
  } catch (error) {
    if (error instanceof BadManifest || error instanceof BackupRefused) return error.message
    throw error
  }
}

const findManifest = (c: Handled, world: BackupWorld) => readUsable(world, c.req.param('id') ?? '')

async function readUsable(world: BackupWorld, id: string): Promise<Manifest> {
  try {
    return await readManifest(world, id)
  } catch (error) {
    if (error instanceof BackupRefused) throw errors.noSuchBackup(id)
    if (error instanceof BadManifest) throw errors.badManifest(error.message)
    throw error
  }
}

async function findChain(c: Handled, world: BackupWorld): Promise<Chain> {
  const manifest = await findManifest(c, world)
  try {
    return await readChain(world, manifest)
  } catch (error) {
    if (error instanceof BrokenChain) throw errors.brokenChain(error.message)
    throw error
  }
}

const idsOf = ({ links }: Chain) => links.map(({ id }) => id)

async function findRun(c: Handled, { session }: BackupWorld): Promise<Run> {
  const id = c.req.param('id') ?? ''
  const run = await readRun(session, id)
  if (run === null) throw errors.noSuchRun(id)
  return run
}
