/**
 * `/backups/v1/travel`: all databases back to one moment. Databases themselves are put back from outside, by whoever may at Cloudflare
 * (`npm run backup -- restore --at`); what must be so before and after is done here.
 * @module
 */
import { type Context, Hono } from 'hono'
import { z } from 'zod'
import type { BackupWorld } from '../../db/backups/backup-world.ts'
import type { Manifest } from '../../db/backups/format.ts'
import { closeTravel, mendTravel, noteRestored } from '../../db/backups/mend-travel.ts'
import { planTravel, type TravelPlan } from '../../db/backups/plan-travel.ts'
import { isOver, lastTravel, noteTravel, type Travel } from '../../db/backups/travel.ts'
import { makeUlid } from '../../db/slots/slots.ts'
import type { TimeTravel } from '../core/time-travel.ts'
import { errors } from './errors.ts'
import type { AtollEnv } from './services.ts'

/** What is answered about one that is under way, or the last one. */
export interface ShownTravel {
  readonly travel: Travel | null
  /** What this isolate's setting says. */
  readonly setting: TimeTravel | null
}

/** What it would do. */
export interface ShownTravelPlan extends TravelPlan {
  readonly at: number
  /** By database, of a backup; null: for a moment, Cloudflare knows them. */
  readonly bookmarks: Readonly<Record<string, string | null>> | null
}

const toPlan = z
  .strictObject({ at: z.iso.datetime({ offset: true }).optional(), backup: z.string().optional() })
  .refine(({ at, backup }) => (at === undefined) !== (backup === undefined), 'either at or backup')
const toBegin = z.strictObject({
  at: z.number().int(),
  backup: z.string().nullable(),
  bookmarks: z.record(z.string(), z.string()),
})
const toNote = z.strictObject({ database: z.string(), previous: z.string().nullable() })

/** How long one request mends, in milliseconds. */
const mendMs = 5000

type Handled = Context<AtollEnv>

export interface TravelTools {
  open(c: Handled): BackupWorld
  bodyOf<Body>(c: Handled, shape: z.ZodType<Body>): Promise<Body>
  findManifest(world: BackupWorld, id: string): Promise<Manifest>
}

export function createTravelApi({ open, bodyOf, findManifest }: TravelTools) {
  const area = new Hono<AtollEnv>({ strict: false })
  const shown = (c: Handled, travel: Travel | null) =>
    c.json({ travel, setting: c.var.services.timeTravel } satisfies ShownTravel)

  area.get('/', async (c) => shown(c, await lastTravel(open(c).files)))

  area.post('/plan', async (c) => {
    const { at, backup } = await bodyOf(c, toPlan)
    const world = open(c)
    if (backup === undefined) {
      const moment = Date.parse(at as string)
      return c.json({
        ...(await planTravel(world, moment)),
        at: moment,
        bookmarks: null,
      } satisfies ShownTravelPlan)
    }
    const { databases } = await findManifest(world, backup)
    const moment = Math.min(...databases.map((database) => database.at))
    const plan = await planTravel(world, moment)
    const { databases: own } = world.session.cluster
    const others = own.filter((name) => !databases.some((database) => database.name === name))
    const unmarked = databases.filter(({ bookmark }) => bookmark === null).map(({ name }) => name)
    const problems = [
      ...plan.problems,
      ...(others.length === 0 ? [] : [`The backup knows nothing of ${others.join(', ')}.`]),
      ...(unmarked.length === 0 ? [] : [`The backup has no bookmarks of ${unmarked.join(', ')}.`]),
    ]
    const bookmarks = Object.fromEntries(databases.map(({ name, bookmark }) => [name, bookmark]))
    return c.json({ ...plan, problems, at: moment, bookmarks } satisfies ShownTravelPlan)
  })

  area.post('/', async (c) => {
    const { at, backup, bookmarks } = await bodyOf(c, toBegin)
    const world = open(c)
    const last = await lastTravel(world.files)
    if (last && !isOver(last)) throw errors.travelUnderWay(last.id)
    const { problems } = await planTravel(world, at)
    const { databases } = world.session.cluster
    const unmarked = databases.filter((name) => bookmarks[name] === undefined)
    if (problems.length + unmarked.length > 0)
      throw errors.cannotRestore([...problems, ...unmarked.map((name) => `There is no bookmark of ${name}.`)])
    const travel = await noteTravel(world, {
      id: makeUlid(Date.now()),
      at,
      backup,
      phase: 'begun',
      databases: databases.map((name) => ({
        name,
        bookmark: bookmarks[name] as string,
        previous: null,
        isRestored: false,
        seen: null,
        isLiving: false,
      })),
      epoch: null,
      looked: { tables: 0, place: null },
      findings: [],
      updated: 0,
    })
    return shown(c, travel)
  })

  /** @throws when it is another one that is under way, or not at these phases */
  const find = async (
    c: Handled,
    world: BackupWorld,
    ...phases: readonly Travel['phase'][]
  ): Promise<Travel> => {
    const id = c.req.param('id') ?? ''
    const travel = await lastTravel(world.files)
    if (travel?.id !== id) throw errors.noSuchRun(id)
    if (!phases.includes(travel.phase)) throw errors.travelIsAt(travel.phase)
    return travel
  }
  /** @throws when this isolate still lets callers in, or does not yet */
  const mustBe = (c: Handled, isClosed: boolean): void => {
    const { timeTravel } = c.var.services
    if (timeTravel?.id !== c.req.param('id') || timeTravel?.isClosed !== isClosed)
      throw errors.travelSetting()
  }

  area.post('/:id/close', async (c) => {
    const world = open(c)
    const travel = await find(c, world, 'begun', 'closed')
    mustBe(c, true)
    return shown(c, travel.phase === 'closed' ? travel : await closeTravel(world, travel))
  })

  area.post('/:id/restored', async (c) => {
    const { database, previous } = await bodyOf(c, toNote)
    const world = open(c)
    const travel = await find(c, world, 'closed')
    mustBe(c, true)
    return shown(c, await noteRestored(world, travel, database, previous))
  })

  area.post('/:id/mend', async (c) => {
    const world = open(c)
    let travel = await find(c, world, 'restored', 'living', 'mended', 'checked')
    mustBe(c, true)
    for (const end = Date.now() + mendMs; travel.phase !== 'checked' && Date.now() < end; )
      travel = await mendTravel(world, travel)
    return shown(c, travel)
  })

  area.post('/:id/end', async (c) => {
    const world = open(c)
    const travel = await find(c, world, 'checked', 'over')
    mustBe(c, false)
    return shown(c, travel.phase === 'over' ? travel : await noteTravel(world, travel, { phase: 'over' }))
  })

  area.post('/:id/cancel', async (c) => {
    const world = open(c)
    const travel = await find(c, world, 'begun', 'closed')
    if (travel.databases.some(({ isRestored }) => isRestored)) throw errors.travelIsAt(travel.phase)
    return shown(c, await noteTravel(world, travel, { phase: 'cancelled' }))
  })

  return area
}
