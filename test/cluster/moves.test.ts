import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { buildCatalog } from '../../db/catalog/build-catalog.ts'
import { Mover } from '../../db/moves/mover.ts'
import type { MoverWorld } from '../../db/moves/mover-world.ts'
import { insertMove, readMove } from '../../db/moves/moves.ts'
import { engineOf, servicesFor } from '../../functions/areas.ts'
import { app } from '../fixture-app/app.ts'
import { firstRange } from '../support/move-slots.ts'
import { askMany, databases } from '../support/one-and-many.ts'

const { cluster } = servicesFor(engineOf(app))(env as never)
const session = cluster.open({ reads: false, seen: new Map() })
const world: MoverWorld = {
  session,
  catalog: buildCatalog(app.tables),
  now: () => Date.now(),
  pass: async () => true,
  renew: async () => undefined,
  landed: async () => undefined,
}

async function all(table: string) {
  return (await askMany(`${table}?order=id&limit=100000`)).json()
}

describe('a move', () => {
  it('brings rows to another database, and back', async () => {
    const before = { invoices: await all('invoices'), customers: await all('customers') }
    const range = await firstRange('SHARD_1')
    const slots = [[range.first, range.last]] as const
    for (const [id, source, target] of [
      ['a', 'SHARD_1', 'SHARD_2'],
      ['b', 'SHARD_2', 'SHARD_1'],
    ] as const) {
      await session.primary([insertMove({ id, source, target, ranges: slots, created: Date.now() })])
      const mover = new Mover(world)
      for (let i = 0; i < 200 && (await mover.step()) !== 'nothing'; i++);
      console.log(JSON.stringify(await readMove(session, id)))
      expect(await readMove(session, id)).toMatchObject({ state: 'done' })
      expect({ invoices: await all('invoices'), customers: await all('customers') }).toEqual(before)
      const left = await databases[source].prepare('SELECT count(*) AS n FROM customers').first('n')
      expect(left).toBe(source === 'SHARD_1' ? 0 : expect.anything())
    }
  })
})
