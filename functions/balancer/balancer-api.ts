/**
 * `/balancer/v1`: pools as they are, and orders for their origins; for the secret key only.
 * @module
 */
import { Hono } from 'hono'
import { z } from 'zod'
import { readJsonOf } from '../core/read-body.ts'
import type { OriginDeclarations } from './declarations.ts'
import { errors } from './errors.ts'
import type { PoolWatchAccess } from './pool-watch.ts'
import type { AtollEnv, Services } from './services.ts'

/** Of an order. */
const maxBytes = 10_000

const changeForm = z.strictObject({
  weight: z.number().min(0).max(1_000_000).nullable().optional(),
  mode: z.enum(['active', 'draining', 'disabled']).optional(),
})

export function createBalancerApi({ pools }: OriginDeclarations) {
  const area = new Hono<AtollEnv>({ strict: false })
  area.use(async (c, next) => {
    const { role } = c.var.caller
    if (role !== 'service_role') throw errors.balancerDenied(role !== 'anon')
    await next()
  })
  area.get('/pools', async (c) =>
    c.json(await Promise.all(Object.keys(pools).map((name) => watchOf(c.var.services, name).view()))),
  )
  area.get('/pools/:pool', async (c) =>
    c.json(await watchOf(c.var.services, known(c.req.param('pool'))).view()),
  )
  area.patch('/pools/:pool/origins/:origin', async (c) => {
    const pool = known(c.req.param('pool'))
    const origin = c.req.param('origin')
    if (!Object.hasOwn(pools[pool]?.origins ?? {}, origin))
      throw errors.unknownOrigin(`origin ${origin} in the pool ${pool}`)
    const change = changeForm.safeParse(await readJsonOf(c.req.raw, maxBytes, c.var.services.pending))
    if (!change.success) throw errors.invalidOrders(change.error.issues)
    const watch = watchOf(c.var.services, pool)
    await watch.order(origin, change.data)
    const { origins } = await watch.view()
    return c.json(origins.find(({ name }) => name === origin))
  })

  function known(pool: string): string {
    if (!Object.hasOwn(pools, pool)) throw errors.unknownOrigin(`pool ${pool}`)
    return pool
  }
  return area
}

function watchOf({ poolWatch }: Services, pool: string): PoolWatchAccess {
  if (poolWatch === null) throw errors.noPoolWatch()
  return poolWatch(pool)
}
