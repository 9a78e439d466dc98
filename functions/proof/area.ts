/**
 * Whether a deployment works: asked by whoever has just deployed it, who shows that they may by what they wrote into its database.
 * `/proof/v1`.
 * @module
 */
import { Hono } from 'hono'
import { z } from 'zod'
import type { Area } from '../core/area.ts'
import type { EngineJob } from '../jobs/area.ts'
import { errors } from './errors.ts'
import { jobName, prove } from './prove.ts'
import type { AtollEnv, Engine } from './services.ts'

export type { Proof } from './prove.ts'

export const proof = {
  name: 'proof',
  errors,
  jobs: (): readonly EngineJob[] => [{ name: jobName, input: z.object({}), run: async () => undefined }],
  routes: (engine: Engine) => [['/proof/v1', createProofApi(engine)]],
} satisfies Area

function createProofApi({ catalog }: Engine) {
  return new Hono<AtollEnv>({ strict: false }).post('/', async (c) => {
    const { services } = c.var
    const later = (work: Promise<unknown>) => c.executionCtx.waitUntil(work)
    const found = await prove({ raw: c.req.raw, services, later }, catalog)
    return c.json(found, 200, { 'Cache-Control': 'no-store' })
  })
}
