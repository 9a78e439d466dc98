/**
 * `/shards/v1`: which database has which slots, and how they move, for the secret key.
 * @module
 */
import { type Context, Hono } from 'hono'
import { z } from 'zod'
import { backOf } from '../../db/moves/cancel-move.ts'
import { listMoves, type Move, type MoveState, readMove, turnMove } from '../../db/moves/moves.ts'
import { planDrain, planRebalance, rangesOf } from '../../db/moves/plan-moves.ts'
import { slotsOwned } from '../../db/slots/shard-map.ts'
import { slotOf } from '../../db/slots/slots.ts'
import type { CoreConfig } from '../core/config.ts'
import type { CoreEngine } from '../core/engine.ts'
import { readJsonOf } from '../core/read-body.ts'
import { databaseSizes } from '../databases/area.ts'
import { askToConvert, cancelConversion, conversionStatus, planConversion } from './ask-conversion.ts'
import {
  askFor,
  bearingsOf,
  bytesOf,
  leftOn,
  lookForRowsAstray,
  mapByNow,
  movesTo,
  readShardMap,
} from './ask-moves.ts'
import { errors } from './errors.ts'
import type { AtollEnv, Declared } from './services.ts'
import { readSlots, shownMoves, shownPlan, shownSlots } from './shown.ts'

const name = z.string().regex(/^(?:DB|SHARD_\d+)$/)
const slots = z.string().transform((text, context) => {
  const ranges = readSlots(text)
  if (ranges === null) context.addIssue({ code: 'custom', message: 'slots are 0 to 16383, as 0-99,200' })
  return ranges ?? []
})
const toMove = z.strictObject({ slots, to: name })
const toIsolate = z.strictObject({ value: z.union([z.string(), z.number()]), to: name.optional() })
const toDrain = z.strictObject({ database: name, to: z.array(name).min(1).optional() })
const by = z.enum(['bytes', 'load', 'both']).default('bytes')
const toRebalance = z.strictObject({
  databases: z.array(name).min(2).optional(),
  by,
  threshold: z.number().min(0.01).max(1).default(0.1),
})
const planned = z.strictObject({
  by,
  databases: z
    .string()
    .transform((text) => text.split(','))
    .optional(),
  threshold: z.coerce.number().min(0.01).max(1).default(0.1),
  drain: name.optional(),
})

/** Whoever looks often does not have rows counted each time. */
const toSeeConversion = z.strictObject({ count: z.enum(['exact', 'none']).default('exact') })
const toConvert = z.strictObject({ waitSeconds: z.number().min(0).max(86_400).default(60) })
/** `2:17`: the third table, after rowid 17. */
const afterStrays = z
  .string()
  .regex(/^\d{1,4}:-?\d{1,19}$/)
  .transform((text) => ({ tables: Number(text.split(':')[0]), after: text.split(':')[1] as string }))
  .optional()

type Handled = Context<AtollEnv>

const sessionOf = (c: Handled) => c.var.services.cluster.open({ reads: false, seen: new Map() })

async function bodyOf<Body>(c: Handled, shape: z.ZodType<Body>, { maxBodyBytes }: CoreConfig): Promise<Body> {
  const text = await readJsonOf(c.req.raw, maxBodyBytes, c.var.services.pending)
  const body = shape.safeParse(text ?? {})
  if (!body.success) throw errors.invalidShardsRequest(body.error.issues)
  return body.data
}

/** What may become of a move, from which states. */
type Turn = readonly [from: readonly MoveState[], to: MoveState]
const turns: Readonly<Record<'pause' | 'resume' | 'cancel', Turn>> = {
  pause: [['waiting', 'running'], 'paused'],
  resume: [['paused'], 'waiting'],
  cancel: [['waiting', 'running', 'paused'], 'cancelling'],
}

export function createShardsApi(engine: CoreEngine<CoreConfig> & Declared) {
  const { config, catalog } = engine
  const area = new Hono<AtollEnv>({ strict: false })
  area.use(async ({ var: { caller } }, next) => {
    if (caller.role !== 'service_role') throw errors.shardsNeedSecretKey(caller.signedIn)
    await next()
  })

  area.get('/', async (c) => {
    const { services } = c.var
    const session = sessionOf(c)
    const map = await mapByNow(services, session)
    const sizes = await databaseSizes(services)
    return c.json({
      epoch: map.epoch,
      databases: sizes.map(({ database, bytes }) => ({
        name: database,
        slotCount: slotsOwned(map, database),
        slots: shownSlots(rangesOf(map, database)),
        bytes,
      })),
      moves: services.cluster.sharded ? shownMoves(await listMoves(session, 20)) : [],
    })
  })

  area.get('/plan', async (c) => {
    const { apikey: _, ...query } = c.req.query()
    const asked = planned.safeParse(query)
    if (!asked.success) throw errors.invalidShardsRequest(asked.error.issues)
    const session = sessionOf(c)
    const map = await readShardMap(c.var.services, session)
    const { drain, databases = null, threshold } = asked.data
    const bytes = await bytesOf(c.var.services, databases)
    const bearings = await bearingsOf(c.var.services, bytes, asked.data.by)
    const moves = drain ? planDrain(map, drain, bearings) : planRebalance(map, bearings, threshold)
    const before = await listMoves(session)
    const perSlot = (source: string) => (bytes.get(source) ?? 0) / Math.max(1, slotsOwned(map, source))
    return c.json({ moves: moves.map((move) => shownPlan(move, perSlot(move.source), before)) })
  })

  area.post('/rebalance', async (c) => {
    const asked = await bodyOf(c, toRebalance, config)
    const session = sessionOf(c)
    const map = await readShardMap(c.var.services, session)
    const bytes = await bytesOf(c.var.services, asked.databases ?? null)
    const bearings = await bearingsOf(c.var.services, bytes, asked.by)
    const moves = planRebalance(map, bearings, asked.threshold)
    return c.json({ moves: shownMoves(await askFor(c.var.services, session, catalog, moves)) }, 202)
  })

  area.post('/drain', async (c) => {
    const { database, to = null } = await bodyOf(c, toDrain, config)
    const session = sessionOf(c)
    const map = await readShardMap(c.var.services, session)
    if (!c.var.services.bindings.has(database)) throw errors.cannotMove(`There is no database ${database}.`)
    const bytes = await bytesOf(c.var.services, to && [...to, database])
    const bearings = await bearingsOf(c.var.services, bytes, 'bytes')
    const moves = planDrain(map, database, bearings)
    return c.json({ moves: shownMoves(await askFor(c.var.services, session, catalog, moves)) }, 202)
  })

  area.post('/moves', async (c) => {
    const asked = await bodyOf(c, toMove, config)
    const session = sessionOf(c)
    const map = await readShardMap(c.var.services, session)
    if (!c.var.services.bindings.has(asked.to)) throw errors.cannotMove(`There is no database ${asked.to}.`)
    const moves = movesTo(map, asked.slots, asked.to)
    return c.json({ moves: shownMoves(await askFor(c.var.services, session, catalog, moves)) }, 202)
  })

  area.post('/isolate', async (c) => {
    const { value, to } = await bodyOf(c, toIsolate, config)
    const session = sessionOf(c)
    const map = await readShardMap(c.var.services, session)
    const { databases } = c.var.services.cluster
    const target = to ?? databases.find((database) => slotsOwned(map, database) === 0)
    if (target === undefined)
      throw errors.cannotMove(
        'Every database has slots.',
        'Add one with npm run shards -- add NAME, or name it.',
      )
    if (!databases.includes(target)) throw errors.cannotMove(`There is no database ${target}.`)
    const slot = slotOf(String(value))
    const moves = movesTo(map, [[slot, slot]], target)
    return c.json({ moves: shownMoves(await askFor(c.var.services, session, catalog, moves)) }, 202)
  })

  area.get('/moves', async (c) => c.json({ moves: shownMoves(await listMoves(sessionOf(c), 1000)) }))

  area.get('/moves/:id', async (c) => c.json(shownMoves(await find(c))[0]))

  area.post('/moves/:id/:turn{pause|resume|cancel}', async (c) => {
    const [move, ...backs] = await find(c)
    const turn = c.req.param('turn') as keyof typeof turns
    // What is cancelled already is going back, which may rest.
    if (turn === 'cancel' && backs.length > 0)
      throw errors.wrongMoveState(
        shownMoves([move, ...backs])[0]?.state ?? move.state,
        'It goes back, or is.',
      )
    const { id } = backs.at(-1) ?? move
    const [from, to] = turns[turn]
    const session = sessionOf(c)
    const [turned = []] = await session.primary([turnMove(id, from, to, Date.now())])
    if (turned.length === 0)
      throw errors.wrongMoveState(
        (await find(c)).at(-1)?.state ?? move.state,
        `It must be ${from.join(' or ')}.`,
      )
    await c.var.services.relay?.move()
    return c.json(shownMoves(await find(c))[0], 202)
  })

  area.get('/conversion', async (c) => {
    const { apikey: _, ...query } = c.req.query()
    const asked = toSeeConversion.safeParse(query)
    if (!asked.success) throw errors.invalidShardsRequest(asked.error.issues)
    return c.json(await conversionStatus(c.var.services, engine, asked.data.count === 'exact'))
  })

  area.get('/conversion/plan', async (c) =>
    c.json(await planConversion(c.var.services, engine, sessionOf(c))),
  )

  area.post('/conversion', async (c) => {
    const { waitSeconds } = await bodyOf(c, toConvert, config)
    return c.json(await askToConvert(c.var.services, engine, sessionOf(c), waitSeconds), 202)
  })

  area.post('/conversion/cancel', async (c) => c.json(await cancelConversion(c.var.services), 202))

  area.get('/databases/:name/strays', async (c) => {
    const database = c.req.param('name')
    const { services } = c.var
    if (!services.bindings.has(database)) throw errors.cannotMove(`There is no database ${database}.`)
    const asked = afterStrays.safeParse(c.req.query('after') ?? undefined)
    if (!asked.success) throw errors.invalidShardsRequest(asked.error.issues)
    return c.json(await lookForRowsAstray(services, sessionOf(c), catalog, database, asked.data))
  })

  area.delete('/databases/:name', async (c) => {
    const database = c.req.param('name')
    const { services } = c.var
    if (!services.bindings.has(database) || database === services.cluster.primary)
      throw errors.cannotMove(`${database} is no shard that could be removed.`)
    const session = sessionOf(c)
    const left = await leftOn(services, session, catalog, database)
    if (left.length > 0) throw errors.cannotMove(`${database} has ${left.join('; ')}.`)
    await session.primary([{ text: 'DELETE FROM _atoll_shards WHERE name = ?1', parameters: [database] }])
    return c.body(null, 204)
  })

  return area
}

/** A move, and what brings it back if it was cancelled; of that as well. */
async function find(c: Handled): Promise<readonly [Move, ...Move[]]> {
  const id = c.req.param('id') ?? ''
  const session = sessionOf(c)
  const move = await readMove(session, id)
  if (move === null) throw errors.noSuchMove(id)
  const back = await readMove(session, backOf(id))
  return back === null ? [move] : [move, back]
}
